/**
 * Writing bodies again within their set, in use: with another code, at full width after some drives were away, off a drive that is being
 * emptied. This is for blobs; packed payloads are written again by the set itself (set/relog.ts), with the profiles that `wantedProfile` says.
 *
 * A blob is streamed into a new one, then one commit looks at the entry that named it again, names the new blob there and gives the old one
 * up. An entry that does not name the old blob any more is left alone, and the new one discarded: the object was deleted, replaced, became
 * an older version, or its upload was completed meanwhile. Because a blob may so get into an entry that was passed already, walks are
 * repeated until one finds nothing. Nothing is remembered: begun again it finds what is still to be written.
 */
import { isHoldfastError, throwIfAborted } from "../base/errors.ts";
import { type BlobFacts, blobFacts } from "../set/blob-facts.ts";
import type { BlobLocation, BlobReader, ErasureSet, SetTransaction } from "../set/erasure-set.ts";
import { unhurried } from "../set/pace.ts";
import { mayHaveHappened } from "./commit-on-key.ts";
import type { ObjectContext } from "./context.ts";
import { copyBlob } from "./copy-blob.ts";
import { blobsOf, blobText, withBlobs } from "./key-entries.ts";
import { bucketIdOf, keyTags } from "./keys.ts";
import type { ObjectUpkeepOptions } from "./upkeep-options.ts";

/** Decides whether a blob is to be written again; `key` is the index key of the entry that names it. */
export type ShouldRewrite = (blob: BlobFacts, key: Uint8Array) => boolean;

/** What has been done so far. */
export interface RewriteProgress {
  readonly entriesSeen: number;
  readonly blobsRewritten: number;
  readonly bytesRewritten: number;
  /** Blobs that cannot be read now: they stay as they are. */
  readonly blobsUnreadable: number;
}

/** Kinds of entries that name blobs. */
const walkedTags = [keyTags.current, keyTags.version, keyTags.part];
/** Entries looked at in one turn. */
const sliceEntriesMax = 1000;
/** Blobs of one entry that are swapped by one commit. */
const blobsPerCommitMax = 64;
/** Entries whose blobs are written again at the same time. */
const entriesAtOnce = 4;

/** Writes the blobs of one set again that `shouldRewrite` names. @throws ABORTED, STORE_CLOSED, WRITE_QUORUM_LOST, DRIVE_FULL: begin again later */
export function rewriteBlobs(
  context: ObjectContext,
  set: ErasureSet,
  shouldRewrite: ShouldRewrite,
  options: ObjectUpkeepOptions<RewriteProgress> = {},
): Promise<RewriteProgress> {
  return new BlobRewriter(context, set, { ...options, shouldRewrite }).run();
}

/** An open blob that is to be written again. */
interface OldBlob {
  readonly blob: BlobLocation;
  readonly reader: BlobReader;
}

class BlobRewriter {
  readonly #context: ObjectContext;
  readonly #set: ErasureSet;
  readonly #options: ObjectUpkeepOptions<RewriteProgress> & { readonly shouldRewrite: ShouldRewrite };
  /** Blobs to be left alone: they cannot be read, or were written just now and could not be written better. */
  readonly #passed = new Set<string>();
  #entriesSeen = 0;
  #blobs = 0;
  #bytes = 0;
  #unreadable = 0;

  constructor(
    context: ObjectContext,
    set: ErasureSet,
    options: ObjectUpkeepOptions<RewriteProgress> & { readonly shouldRewrite: ShouldRewrite },
  ) {
    this.#context = context;
    this.#set = set;
    this.#options = options;
  }

  async run(): Promise<RewriteProgress> {
    let found: number;
    do {
      found = 0;
      for (const tag of walkedTags) found += await this.#walk(tag);
    } while (found > 0);
    return this.#progress();
  }

  #progress(): RewriteProgress {
    return {
      entriesSeen: this.#entriesSeen,
      blobsRewritten: this.#blobs,
      bytesRewritten: this.#bytes,
      blobsUnreadable: this.#unreadable,
    };
  }

  /** Walks the entries of one kind; resolves with the number of those found with something to be written again. */
  async #walk(tag: number): Promise<number> {
    const { pacer = unhurried, signal, onProgress } = this.#options;
    let found = 0;
    let start: Uint8Array | undefined = Uint8Array.of(tag);
    while (start !== undefined) {
      const slice = this.#slice(start);
      start = slice.next;
      found += slice.keys.length;
      const keys = slice.keys.values();
      const lane = async (): Promise<void> => {
        for (const indexKey of keys) await this.#rewriteEntry(indexKey);
      };
      const lanes = await Promise.allSettled(Array.from({ length: entriesAtOnce }, lane));
      for (const outcome of lanes) if (outcome.status === "rejected") throw outcome.reason;
      await pacer.spend(0, signal);
      onProgress?.(this.#progress());
    }
    return found;
  }

  #slice(start: Uint8Array): { readonly keys: readonly Uint8Array[]; readonly next: Uint8Array | undefined } {
    const keys: Uint8Array[] = [];
    let visited = 0;
    let next: Uint8Array | undefined;
    this.#set.scan({ start, end: Uint8Array.of((start[0] as number) + 1) }, (indexKey, load) => {
      if (visited++ === sliceEntriesMax) {
        next = indexKey.slice();
        return false;
      }
      this.#entriesSeen++;
      if (this.#toRewrite(indexKey, load().value).length > 0) keys.push(indexKey.slice());
      return true;
    });
    return { keys, next };
  }

  #toRewrite(indexKey: Uint8Array, value: Uint8Array): BlobLocation[] {
    return blobsOf(indexKey, value).filter((blob) => !this.#passed.has(blobText(blob)) && this.#isMatching(indexKey, blob));
  }

  #isMatching(indexKey: Uint8Array, blob: BlobLocation): boolean {
    const { describeBlob = blobFacts } = this.#context;
    return this.#options.shouldRewrite(describeBlob(blob), indexKey);
  }

  async #rewriteEntry(indexKey: Uint8Array): Promise<void> {
    const entry = this.#set.get(indexKey);
    if (entry === undefined) return;
    const open = this.#toRewrite(indexKey, entry.value.slice()).map((blob) => ({ blob, reader: this.#set.openBlob(blob) }));
    try {
      for (let at = 0; at < open.length; at += blobsPerCommitMax) {
        await this.#rewriteSome(indexKey, open.slice(at, at + blobsPerCommitMax));
      }
    } finally {
      for (const { reader } of open) reader.close();
    }
  }

  async #rewriteSome(indexKey: Uint8Array, old: readonly OldBlob[]): Promise<void> {
    const copies = new Map<string, BlobLocation>();
    let swapped: ReadonlySet<string> = new Set();
    try {
      for (const each of old) {
        const copy = await this.#copy(indexKey, each);
        if (copy !== undefined) copies.set(blobText(each.blob), copy);
      }
      if (copies.size > 0) swapped = await this.#set.commit({ decide: (tx) => swap(tx, indexKey, copies) });
    } catch (error) {
      if (mayHaveHappened(error)) copies.clear();
      throw error;
    } finally {
      for (const [text, copy] of copies) if (!swapped.has(text)) await this.#set.discardBlob(copy);
    }
    this.#blobs += swapped.size;
    for (const { blob, reader } of old) if (swapped.has(blobText(blob))) this.#bytes += reader.sizeBytes;
  }

  /** The new blob; undefined when the old one cannot be read. */
  async #copy(indexKey: Uint8Array, { blob, reader }: OldBlob): Promise<BlobLocation | undefined> {
    const { pacer = unhurried, signal } = this.#options;
    throwIfAborted(signal);
    const profile = this.#context.buckets.byId(bucketIdOf(indexKey))?.record.erasure;
    try {
      const copy = await copyBlob(reader, this.#set, { profile, signal, pace: (bytes) => pacer.spend(2 * bytes, signal) });
      if (this.#isMatching(indexKey, copy)) this.#passed.add(blobText(copy));
      return copy;
    } catch (error) {
      if (!isHoldfastError(error, "DRIVES_MISSING") && !(isHoldfastError(error) && error.kind === "data")) throw error;
      this.#passed.add(blobText(blob));
      this.#unreadable++;
      return undefined;
    }
  }
}

/** Names new blobs in the place of old ones, as far as the entry names those still; gives which. */
function swap(tx: SetTransaction, indexKey: Uint8Array, copies: ReadonlyMap<string, BlobLocation>): ReadonlySet<string> {
  const swapped = new Set<string>();
  const entry = tx.get(indexKey);
  if (entry === undefined) return swapped;
  for (const blob of blobsOf(indexKey, entry.value)) {
    const copy = copies.get(blobText(blob));
    if (copy === undefined) continue;
    tx.addBlob(copy);
    tx.removeBlob(blob);
    swapped.add(blobText(blob));
  }
  if (swapped.size > 0)
    tx.put(
      indexKey,
      withBlobs(indexKey, entry.value, (blob) => copies.get(blobText(blob))),
      entry.payload,
    );
  return swapped;
}
