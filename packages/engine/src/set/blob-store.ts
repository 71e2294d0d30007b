/**
 * The blobs of a set: new ones, open ones, and the removal of those given up. A blob given up is removed when its giving up is committed and
 * nobody has it open; until then its id stands in the index, so that a crash in between only delays it.
 */
import { setMaxListeners } from "node:events";
import type { Compute } from "../compute/compute.ts";
import type { Drive } from "../drive/drive.ts";
import { type BlobPlace, decodeBlobLocation } from "../format/blob-location.ts";
import {
  type BlobId,
  blobFolder,
  blobsFolder,
  formatBlobId,
  parseBlobFolder,
  parseShardFileName,
  shardFileName,
} from "../format/blob-name.ts";
import { participants } from "../format/layout.ts";
import type { BatchChange } from "./batch.ts";
import { LocalBlobReader } from "./blob-reader.ts";
import { type BlobInput, type BlobPlan, writeBlobShards } from "./blob-writer.ts";
import { chooseLayout } from "./choose-layout.ts";
import { closedError } from "./closed-error.ts";
import type { BlobLocation, BlobOptions, BlobReader, ErasureProfile, OnRead, WrittenBlob } from "./erasure-set.ts";
import { blobIdBytes, decodeEntry, freedBlobKey, freedBlobRange, liveBlobKey, liveBlobRange } from "./index-entry.ts";
import type { Member } from "./member.ts";
import { late } from "./patience.ts";
import type { ReadTools } from "./read-tools.ts";
import type { SetContext } from "./set-context.ts";
import type { SpaceGuard } from "./space-guard.ts";

/** A drive that has not removed a shard by then is not waited for; what is left there is removed at the next opening. */
const removeMsMax = 2000;

export class BlobStore {
  readonly #context: SetContext;
  readonly #compute: Compute;
  readonly #space: SpaceGuard;
  readonly #reads: ReadTools;
  /** Blobs are named after the epoch of the session that began them. */
  readonly #epoch: number;
  #counter = 0;
  readonly #pins = new Map<string, number>();
  /** Given up while somebody had them open. */
  readonly #waiting = new Map<string, BlobLocation>();
  readonly #removing = new Set<Promise<void>>();
  /** Written and not yet named by a commit or discarded. */
  readonly #unnamed = new Map<string, BlobLocation>();
  /** Members that got no shard of a blob, by its name, until it is named or discarded. */
  readonly #missed = new Map<string, Member[]>();
  /** Names of blobs being written. */
  readonly #begun = new Set<string>();
  readonly #writing = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(context: SetContext, parts: { compute: Compute; space: SpaceGuard; reads: ReadTools; epoch: number }) {
    this.#context = context;
    this.#compute = parts.compute;
    this.#space = parts.space;
    this.#reads = parts.reads;
    this.#epoch = parts.epoch;
    // Every blob under way listens to it; the warning at ten listeners is meant for leaks.
    setMaxListeners(0, this.#closing.signal);
  }

  async write(source: AsyncIterable<Uint8Array>, options: BlobOptions): Promise<WrittenBlob> {
    this.#space.check();
    const counter = this.#counter++;
    const wanted = options.profile ?? this.#context.profile;
    const layout = chooseLayout(this.#context, this.#takers(wanted), { wanted, turn: counter });
    const plan = { blob: { epoch: this.#epoch, counter }, layout, timeMs: Math.floor(this.#context.clock.nowMs()) };
    const onBytes = (bytesPerDrive: number): void => {
      this.#space.note(bytesPerDrive);
      this.#space.check();
    };
    const id = formatBlobId(plan.blob);
    this.#begun.add(id);
    const onMissed = (member: Member): void => {
      this.#missed.set(id, [...(this.#missed.get(id) ?? []), member]);
    };
    const onFinishedLate = (member: Member, drive: Drive): Promise<void> => this.#noteFinishedLate(plan.blob, member, drive);
    const { health } = this.#reads;
    const writing = this.#writeShards(plan, { source, options, health, onBytes, onMissed, onFinishedLate, closing: this.#closing.signal });
    writing.catch(() => this.#missed.delete(id));
    const settled: Promise<unknown> = writing
      .catch(() => undefined)
      .finally(() => {
        this.#begun.delete(id);
        this.#writing.delete(settled);
      });
    this.#writing.add(settled);
    return writing;
  }

  /** Suspect drives are left out where there are enough others. */
  #takers(wanted: ErasureProfile): Member[] {
    const takers = this.#context.members.filter((member) => member.writable);
    const fine = takers.filter((member) => member.state !== "suspect");
    return fine.length >= wanted.data + wanted.parity ? fine : takers;
  }

  async #writeShards(plan: BlobPlan, input: BlobInput): Promise<WrittenBlob> {
    const written = await writeBlobShards(this.#context, this.#compute, plan, input);
    this.#unnamed.set(formatBlobId(plan.blob), written.blob);
    return written;
  }

  /** A drive that was left without its shard has it after all: that is good, unless the blob has been given up meanwhile. */
  async #noteFinishedLate(blob: BlobId, member: Member, drive: Drive): Promise<void> {
    // Of a set that is closed nothing is known any more; its next opening looks.
    if (this.#closing.signal.aborted) return;
    const id = formatBlobId(blob);
    if (!this.#begun.has(id) && !this.#unnamed.has(id) && this.#context.index.get(liveBlobKey(idBytesOf(blob))) === undefined) {
      await drive.remove(shardFileName(blob)).catch(() => undefined);
    } else if (member.drive === drive) {
      member.lackingBlobs.delete(id);
      const missed = this.#missed.get(id);
      if (missed !== undefined)
        this.#missed.set(
          id,
          missed.filter((other) => other !== member),
        );
    }
  }

  /** Ends what is being written and lets no reader begin another stripe; resolves when nothing of it is left on the drives. */
  async endWrites(): Promise<void> {
    this.#closing.abort(closedError());
    await Promise.all(this.#writing);
  }

  /** Removes what no commit has named: after `endWrites` and the last commit nobody will. */
  async discardUnnamed(): Promise<void> {
    await Promise.all([...this.#unnamed.values()].map((location) => this.discard(location)));
  }

  open(location: BlobLocation, onRead?: OnRead): BlobReader {
    const place = decodeBlobLocation(location);
    const id = formatBlobId(place.blob);
    this.#pins.set(id, (this.#pins.get(id) ?? 0) + 1);
    return new LocalBlobReader(this.#context, place, {
      location,
      reads: this.#reads,
      onRead,
      unpin: () => this.#unpin(id),
      closing: this.#closing.signal,
    });
  }

  #unpin(id: string): void {
    const left = (this.#pins.get(id) ?? 1) - 1;
    if (left > 0) {
      this.#pins.set(id, left);
      return;
    }
    this.#pins.delete(id);
    const freed = this.#waiting.get(id);
    // A closed set touches its drives no more: the next opening removes it.
    if (freed === undefined || this.#closing.signal.aborted) return;
    this.#waiting.delete(id);
    this.#removeFreed(freed);
  }

  /** Looks for blobs that a committed batch has named or given up. */
  noteCommitted(changes: readonly BatchChange[]): void {
    for (const { key, entry } of changes) {
      if (entry === undefined) continue;
      const location = entry.value as BlobLocation;
      if (key[0] === liveBlobRange.start[0]) this.#noteNamed(location);
      if (key[0] === freedBlobRange.start[0]) this.#free(location);
    }
  }

  /** Who got no shard of a blob lacks it from now on. */
  #noteNamed(location: BlobLocation): void {
    const id = idOf(location);
    this.#unnamed.delete(id);
    for (const member of this.#missed.get(id) ?? []) if (member.drive !== undefined) member.lackingBlobs.set(id, location);
    this.#missed.delete(id);
  }

  #free(location: BlobLocation): void {
    const id = idOf(location);
    for (const member of this.#context.members) member.lackingBlobs.delete(id);
    if (this.#pins.has(id)) this.#waiting.set(id, location);
    else this.#removeFreed(location);
  }

  /** Removes what was given up in an earlier session and not removed in it. */
  removeLeftovers(): void {
    const freed: BlobLocation[] = [];
    this.#context.index.scan(freedBlobRange, (_, value) => {
      freed.push(decodeEntry(value).value.slice() as BlobLocation);
      return true;
    });
    for (const location of freed) this.#free(location);
  }

  #removeFreed(location: BlobLocation): void {
    const removal = this.discard(location).then((everywhere) => {
      if (everywhere) this.#context.index.write([{ key: freedBlobKey(location), value: undefined }]);
    });
    const settled = removal.catch(() => undefined).finally(() => this.#removing.delete(settled));
    this.#removing.add(settled);
  }

  /** Removes a blob's shards; resolves true when no drive of it is left out. */
  async discard(location: BlobLocation): Promise<boolean> {
    const place: BlobPlace = decodeBlobLocation(location);
    this.#unnamed.delete(formatBlobId(place.blob));
    this.#missed.delete(formatBlobId(place.blob));
    const removed = await Promise.all(
      participants(place.layout).map(async (ordinal) => {
        const member = this.#context.members[ordinal];
        if (member?.drive === undefined || member.state === "failed") return false;
        try {
          const { patience } = this.#reads.health;
          const removal = member.drive.remove(shardFileName(place.blob));
          return (await patience.until(removal, this.#reads.health.nowMs() + removeMsMax)) !== late;
        } catch {
          return false;
        }
      }),
    );
    return removed.every((done) => done);
  }

  /**
   * Removes shard files that no committed record names and nobody is writing: what a crash left between a blob and its record, and what was
   * given up while the drive was away.
   */
  async removeOrphans(drive: Drive): Promise<void> {
    for (const folder of await drive.listFolders(blobsFolder)) {
      const epoch = parseBlobFolder(folder);
      if (epoch === undefined || epoch > this.#epoch) continue;
      for (const name of await drive.list(blobFolder(epoch))) {
        const path = `${blobFolder(epoch)}/${name}`;
        const blob = parseShardFileName(path);
        if (blob !== undefined && !this.#isKnown(blob)) await drive.remove(path);
      }
    }
  }

  #isKnown(blob: BlobId): boolean {
    const id = formatBlobId(blob);
    return this.#begun.has(id) || this.#unnamed.has(id) || this.#isNamed(blob);
  }

  #isNamed(blob: BlobId): boolean {
    const id = idBytesOf(blob);
    return this.#context.index.get(liveBlobKey(id)) !== undefined || this.#context.index.get(freedBlobKey(id)) !== undefined;
  }

  /** Resolves when no removal is under way. */
  async drain(): Promise<void> {
    while (this.#removing.size > 0) await Promise.all(this.#removing);
  }
}

function idOf(location: BlobLocation): string {
  return formatBlobId(decodeBlobLocation(location).blob);
}

function idBytesOf(blob: BlobId): Uint8Array {
  const id = new Uint8Array(blobIdBytes);
  const view = new DataView(id.buffer);
  view.setUint32(0, blob.epoch, true);
  view.setUint32(4, blob.counter, true);
  return id;
}
