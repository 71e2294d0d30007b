/**
 * A member is one drive of a set as the set knows it: its place, its state, its open pack files and its write queue.
 *
 * Writes of one member happen one after another, in the order they were queued: a frame is written only after the frame before it is
 * durable on this drive. Recovery stands on that order. Reads overlap everything.
 */
import { LRUCache } from "lru-cache";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import type { Drive, DriveFile } from "../drive/drive.ts";
import { packFileName } from "../format/pack-name.ts";

/** How a drive stands in its set. */
export type MemberState =
  /** Takes writes and reads. */
  | "online"
  /** Not there at open. */
  | "missing"
  /** A write or sync failed: fenced off from writing, still read. */
  | "failed"
  /** Refused writes for lack of space: reads go on, writes are tried again when it has space. */
  | "full";

/** Open pack files kept per drive; a file handle each. */
const openPacksMax = 64;
/** Frames queued for a drive that the rest of the set has left behind; beyond it the drive misses frames and is caught up later. */
const backlogFramesMax = 16;

export class Member {
  readonly ordinal: number;
  readonly id: DriveId;
  readonly drive: Drive | undefined;
  state: MemberState;
  /** Why it is not online. */
  reason: string | undefined;
  /** Frames it did not get since the set was opened. */
  missedFrames = 0;
  /** Reads that failed or gave wrong bytes since the set was opened. */
  readFaults = 0;
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  readonly #packs = new LRUCache<number, Promise<DriveFile>>({
    max: openPacksMax,
    dispose: (file) => void file.then((open) => open.close()).catch(() => undefined),
  });

  constructor(place: { ordinal: number; id: DriveId; drive: Drive | undefined; reason?: string | undefined }) {
    this.ordinal = place.ordinal;
    this.id = place.id;
    this.drive = place.drive;
    this.state = place.drive === undefined ? "missing" : "online";
    this.reason = place.reason;
  }

  /** True when a new frame or shard may be sent to it. */
  get writable(): boolean {
    return this.state === "online" && this.#queued < backlogFramesMax;
  }

  /** True when a frame without payload may be sent to it: a drive that is full still takes deletes as long as those fit. */
  get takesRecords(): boolean {
    return this.writable || (this.state === "full" && this.#queued < backlogFramesMax);
  }

  /** True when its bytes may be asked for. */
  get readable(): boolean {
    return this.drive !== undefined;
  }

  /** Runs `work` after everything queued before it; a failure of one piece of work does not stop the next. */
  enqueue<T>(work: (drive: Drive) => Promise<T>): Promise<T> {
    const drive = this.drive;
    if (drive === undefined) return Promise.reject(this.missingError());
    this.#queued++;
    const result = this.#queue.then(() => work(drive));
    this.#queue = result.then(
      () => this.#settle(),
      () => this.#settle(),
    );
    return result;
  }

  #settle(): void {
    this.#queued--;
  }

  /** Resolves when everything queued so far has settled. */
  drain(): Promise<void> {
    return this.#queue;
  }

  /** Takes note of a failed write: fences the drive off unless it is only full. */
  noteWriteFailure(error: unknown): void {
    if (this.state === "failed" || this.state === "missing") return;
    this.state = isHoldfastError(error, "DRIVE_FULL") ? "full" : "failed";
    this.reason = error instanceof Error ? error.message : String(error);
  }

  /** The open file of a pack; `create` makes it when it is not there. */
  packFile(pack: number, options: { create: boolean }): Promise<DriveFile> {
    if (this.drive === undefined) return Promise.reject(this.missingError());
    const known = this.#packs.get(pack);
    if (known !== undefined && !options.create) return known;
    // Who wants to create the file must not share the fate of a reader that has just found it missing.
    if (known !== undefined) return known.catch(() => this.packFile(pack, options));
    const opened = this.drive.open(packFileName(pack), options);
    this.#packs.set(pack, opened);
    opened.catch(() => {
      if (this.#packs.peek(pack) === opened) this.#packs.delete(pack);
    });
    return opened;
  }

  /**
   * Runs `work` on the open file of a pack. Files are closed when many others are used; one that was closed between being looked up and
   * being used is opened again.
   */
  async withPack<T>(pack: number, options: { create: boolean }, work: (file: DriveFile) => Promise<T>): Promise<T> {
    try {
      return await work(await this.packFile(pack, options));
    } catch (error) {
      if (!isHoldfastError(error, "STORE_CLOSED")) throw error;
      return work(await this.packFile(pack, options));
    }
  }

  /** Closes the file of a pack that is about to be removed. */
  forgetPack(pack: number): void {
    this.#packs.delete(pack);
  }

  missingError(): HoldfastError {
    return new HoldfastError("DRIVES_MISSING", `drive ${this.id} is not there${this.reason === undefined ? "" : `: ${this.reason}`}`);
  }

  /** Closes its files; the drive is its owner's. */
  async close(): Promise<void> {
    await this.drain();
    const files = [...this.#packs.values()];
    this.#packs.clear();
    await Promise.all(files.map((file) => file.then((open) => open.close()).catch(() => undefined)));
  }
}
