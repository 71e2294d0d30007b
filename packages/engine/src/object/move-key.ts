/**
 * Moving one object key, with everything kept about it, from one set to another.
 *
 *   copy    everything into the target, in one commit
 *   clear   delete everything in the source and give its blobs up, in one commit
 *
 * A key with more than a commit takes (very many versions, parts or bytes) is copied and cleared in several. As long as a set has a part of
 * it only, the key is marked there: the first commit of several puts the mark, the last one removes it. What stands under the mark counts
 * for nothing, because another set has the key whole; so readers see one whole key throughout, and after a crash at any moment moving
 * starts again with clearing what is marked.
 *
 * Who changes a key that is in transit has moved it before (commit-on-key.ts), so the target changes only when no source has anything of
 * the key: a target that has the key whole has it at least as new as any source, and the sources are cleared.
 *
 * One at a time for each key, in its gate. Version ids are orders of operations and stay what they are: the target's own orders are raised
 * above them, so that what comes later is newer there too. Blobs and payloads may be written again elsewhere in the source meanwhile
 * (rewrite-bodies.ts, compaction): a look-up and the opening of what it names happen in one turn, and what is cleared is looked up again
 * in the commit that clears it.
 */
import { HoldfastError, isHoldfastError, throwIfAborted } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import type { BlobLocation, BlobReader, ErasureSet, SetTransaction } from "../set/erasure-set.ts";
import { clearKey, clearMarked } from "./clear-key.ts";
import { copyBlob } from "./copy-blob.ts";
import { blobsOf, blobText, holdsAny, holdsKey, orderIn, readOwners, readPartKeys, withBlobs } from "./key-entries.ts";
import { blobRecords, type KeyMove, mark, sliceEntries } from "./key-move.ts";
import { partKey } from "./keys.ts";

/** Bytes of one commit of a move. */
const commitBytesMax = 1 * MiB;

/** Moves a key; does nothing when it is where it belongs. Resolves with the bytes of the bodies copied. @throws OBJECT_DAMAGED, ABORTED */
export async function moveKey(move: KeyMove): Promise<number> {
  const { to, sources, key } = move;
  await clearMarked(move);
  let movedBytes = 0;
  for (const from of sources) {
    if (!holdsKey(from, key)) continue;
    if (!holdsKey(to, key)) movedBytes += await new KeyCopy(move, from).run();
    await clearKey(move, from);
  }
  return movedBytes;
}

/** Copies everything of a key into the target. */
class KeyCopy {
  readonly #move: KeyMove;
  readonly #from: ErasureSet;
  #items: CopiedEntry[] = [];
  #payloads: Uint8Array[] = [];
  #records = 0;
  #bytes = 0;
  #bodyBytes = 0;
  #orderAbove = 0;
  #isMarked = false;

  constructor(move: KeyMove, from: ErasureSet) {
    this.#move = move;
    this.#from = from;
  }

  async run(): Promise<number> {
    try {
      await this.#addAll();
      await this.#flush({ isLast: true });
      return this.#bodyBytes;
    } catch (error) {
      const mayHaveHappened = isHoldfastError(error) && error.details.indeterminate === true;
      if (!mayHaveHappened) await discard(this.#move.to, this.#items);
      throw error;
    }
  }

  /** Owners before their parts: what is copied can be found and cleared at any moment. */
  async #addAll(): Promise<void> {
    const { key } = this.#move;
    let owners = readOwners(this.#from, key, undefined, sliceEntries);
    while (owners.length > 0) {
      for (const { indexKey, uploadId } of owners) {
        await this.#add(indexKey);
        if (uploadId !== undefined) await this.#addParts({ bucketId: key.bucketId, uploadId });
      }
      owners = readOwners(this.#from, key, owners.at(-1)?.indexKey, sliceEntries);
    }
  }

  async #addParts(upload: { readonly bucketId: number; readonly uploadId: Uint8Array }): Promise<void> {
    let keys = readPartKeys(this.#from, upload, undefined, sliceEntries);
    if (keys.length > 0) this.#checkUploadId(upload);
    while (keys.length > 0) {
      for (const indexKey of keys) await this.#add(indexKey);
      keys = readPartKeys(this.#from, upload, keys.at(-1), sliceEntries);
    }
  }

  /** Ids of uploads in two sets are the same with a chance of 2^-32 when their orders are; then one of the two stays where it is. */
  #checkUploadId({ bucketId, uploadId }: { readonly bucketId: number; readonly uploadId: Uint8Array }): void {
    if (!holdsAny(this.#move.to, partKey(bucketId, uploadId))) return;
    throw new HoldfastError(
      "OBJECT_DAMAGED",
      "an object cannot be moved, because one made of parts with the same upload id is there already",
    );
  }

  /** Takes one entry along. What it names is opened in the turn of its look-up. */
  async #add(indexKey: Uint8Array): Promise<void> {
    throwIfAborted(this.#move.signal);
    const entry = this.#from.get(indexKey);
    if (entry === undefined) return;
    const value = entry.value.slice();
    this.#orderAbove = Math.max(this.#orderAbove, orderIn(indexKey, entry));
    const readers = blobsOf(indexKey, value).map((blob) => ({ blob, reader: this.#from.openBlob(blob) }));
    try {
      const payload = entry.payload === undefined ? undefined : await readPaced(this.#from.readPacked(entry.payload), this.#move.pace);
      const records = 1 + blobRecords * readers.length;
      const bytes = value.byteLength + (payload?.byteLength ?? 0);
      if (this.#bytes + bytes > commitBytesMax || this.#records + records > this.#move.recordsMax) await this.#flush({ isLast: false });
      this.#records += records;
      this.#bytes += bytes;
      this.#bodyBytes += payload?.byteLength ?? 0;
      const number = payload === undefined ? undefined : this.#payloads.push(payload) - 1;
      const item: CopiedEntry = { indexKey, value, payload: number, blobs: [] };
      this.#items.push(item);
      await this.#copyBlobs(item, readers);
    } finally {
      for (const { reader } of readers) reader.close();
    }
  }

  async #copyBlobs(item: CopiedEntry, readers: readonly { readonly blob: BlobLocation; readonly reader: BlobReader }[]): Promise<void> {
    if (readers.length === 0) return;
    const copies = new Map<string, BlobLocation>();
    for (const { blob, reader } of readers) {
      const copy = await copyBlob(reader, this.#move.to, this.#move);
      item.blobs.push(copy);
      copies.set(blobText(blob), copy);
      this.#bodyBytes += reader.sizeBytes;
    }
    item.value = withBlobs(item.indexKey, item.value, (blob) => copies.get(blobText(blob)));
  }

  async #flush({ isLast }: { readonly isLast: boolean }): Promise<void> {
    const { key, to, profile, commit } = this.#move;
    if (this.#items.length === 0 && !this.#isMarked) return;
    const items = this.#items;
    const wasMarked = this.#isMarked;
    const decide = (tx: SetTransaction): void => {
      mark(tx, key, { wasMarked, isLast });
      for (const { indexKey, value, payload, blobs } of items) {
        for (const blob of blobs) tx.addBlob(blob);
        tx.put(indexKey, value, payload);
      }
    };
    await commit(to, { profile, payloads: this.#payloads, decide }, { orderAbove: this.#orderAbove });
    this.#isMarked = !isLast;
    this.#items = [];
    this.#payloads = [];
    this.#records = 0;
    this.#bytes = 0;
  }
}

/** An entry on its way. */
interface CopiedEntry {
  readonly indexKey: Uint8Array;
  value: Uint8Array;
  /** Its place among the commit's payloads. */
  readonly payload: number | undefined;
  /** Its blobs in the target. */
  readonly blobs: BlobLocation[];
}

async function readPaced(reading: Promise<Uint8Array>, pace: (bytes: number) => Promise<void>): Promise<Uint8Array> {
  const bytes = await reading;
  await pace(bytes.byteLength);
  return bytes;
}

async function discard(set: ErasureSet, items: readonly CopiedEntry[]): Promise<void> {
  for (const blob of items.flatMap((item) => item.blobs)) await set.discardBlob(blob);
}
