/**
 * A member is one place of a set and the drive that fills it: its state, its open pack files and its write queue. Drives come and go; the
 * place stays.
 *
 * Writes of one member happen one after another, in the order they were queued: a frame is written only after the frame before it is
 * durable on this drive. Recovery stands on that order. Reads overlap everything.
 */
import { LRUCache } from "lru-cache";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import { invariant } from "../base/invariant.ts";
import type { Drive, DriveFile } from "../drive/drive.ts";
import { packFileName } from "../format/pack-name.ts";
import type { BlobLocation } from "./erasure-set.ts";

/** How a drive stands in its set. */
export type MemberState =
  /** Takes writes and reads. */
  | "online"
  /** Gives errors, or is slow beyond its peers: reads avoid it, and it is soon left behind by writes. */
  | "suspect"
  /** Refused writes for lack of space: reads go on, writes are tried again when it has space. */
  | "full"
  /** A write or sync failed: fenced off from writing until the store is opened again or the drive is replaced; still read. */
  | "failed"
  /** Not there. */
  | "offline"
  /** Takes writes and reads while what it lacks is being made. */
  | "rebuilding"
  /** Not there: in its place is a drive of another store, or one that was taken out of this one. */
  | "foreign";

/** A change of a drive's state, for logs and events. */
export interface MemberTransition {
  readonly member: Member;
  readonly from: MemberState;
  readonly to: MemberState;
  readonly reason: string | undefined;
}

/** Open pack files kept per drive; a file handle each. */
const openPacksMax = 64;
/** Frames queued for a drive that the rest of the set has left behind; beyond it the drive misses frames and is caught up later. */
const backlogFramesMax = 16;
/** The same for a suspect drive. */
const suspectBacklogFramesMax = 4;

interface Pending {
  readonly settled: Promise<unknown>;
  /** Lets go of it: the drive is gone, whatever it may still do. */
  readonly abandon: (error: HoldfastError) => void;
}

export class Member {
  readonly ordinal: number;
  /** Whether the drive counts for opening the set and as a witness: one that was put in a lost one's place does when it holds everything. */
  fresh = false;
  /** Everything on the drive has to be looked at: it was away, or the last end was unclean. */
  unchecked = false;
  /** It was sent every frame of the packs from this one on; in earlier ones it may have holes that nobody in this session knows of. */
  wholeFrom = 0;
  /** Packs in which it lacks frames that were committed. */
  readonly lacking = new Set<number>();
  /** Blobs that were committed without its shard, by their names. */
  readonly lackingBlobs = new Map<string, BlobLocation>();
  /** New stripes leave it out: it is being emptied. */
  draining = false;
  /** Its drive has left for good and none will come: nothing is stored there, and it is counted nowhere. */
  hasLeft = false;
  /** Frames it did not get since the set was opened. */
  missedFrames = 0;
  /** Reads that failed or gave wrong bytes since the set was opened. */
  readFaults = 0;
  /** A write or sync failed on the drive in this session: what its reads give may lie only in the page cache. */
  distrusted = false;
  /** Told of every change of state. */
  onTransition: (transition: MemberTransition) => void = () => undefined;
  #id: DriveId;
  #drive: Drive | undefined;
  #state: MemberState;
  #reason: string | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  readonly #pending = new Set<Pending>();
  /** Counts the drives that came: work queued for one is not done on the next. */
  #coming = 0;
  /** Settles when the last drive that left has answered everything it was asked. */
  #leaving: Promise<unknown> | undefined;
  /** When the oldest write under way was begun; see `stalledSince`. */
  #busySinceMs: number | undefined;
  readonly #packs = new LRUCache<number, Promise<DriveFile>>({
    max: openPacksMax,
    dispose: (file) => void file.then((open) => open.close()).catch(() => undefined),
  });

  constructor(place: { ordinal: number; id: DriveId; drive: Drive | undefined; reason?: string | undefined }) {
    this.ordinal = place.ordinal;
    this.#id = place.id;
    this.#drive = place.drive;
    this.#state = place.drive === undefined ? "offline" : "online";
    this.#reason = place.reason;
  }

  get id(): DriveId {
    return this.#id;
  }

  /** Undefined while none is there. */
  get drive(): Drive | undefined {
    return this.#drive;
  }

  get state(): MemberState {
    return this.#state;
  }

  /** Another number for every drive that comes here: work that spans several calls asks whether it is still the same. */
  get visit(): number {
    return this.#coming;
  }

  /** Why it is not online. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** True when a new frame or shard may be sent to it. */
  get writable(): boolean {
    if (this.#state === "suspect") return this.#pending.size < suspectBacklogFramesMax;
    return (this.#state === "online" || this.#state === "rebuilding") && this.#pending.size < backlogFramesMax;
  }

  /** True when a frame without payload may be sent to it: a drive that is full still takes deletes as long as those fit. */
  get takesRecords(): boolean {
    return this.writable || (this.#state === "full" && this.#pending.size < backlogFramesMax);
  }

  /** True when its small files and repairs may be written. */
  get takesRepairs(): boolean {
    return this.#drive !== undefined && this.#state !== "failed";
  }

  /** True when its bytes may be asked for. */
  get readable(): boolean {
    return this.#drive !== undefined;
  }

  /** True when it counts for opening the set and as a witness. */
  get votes(): boolean {
    return this.#drive !== undefined && !this.fresh;
  }

  /** True when it is known to hold everything it should. */
  get isWhole(): boolean {
    return this.#drive !== undefined && !this.fresh && !this.unchecked && this.lacking.size === 0 && this.lackingBlobs.size === 0;
  }

  /** True when it lacks something, as far as is known; after an unclean end a drive that was there throughout is only looked through. */
  get isIncomplete(): boolean {
    return (
      !this.isWhole &&
      !(this.unchecked && !this.fresh && this.#state === "online" && this.lacking.size === 0 && this.lackingBlobs.size === 0)
    );
  }

  /** Changes the state; the same state with another reason is no change. */
  transition(to: MemberState, reason: string | undefined): void {
    const from = this.#state;
    this.#reason = reason;
    if (from === to) return;
    this.#state = to;
    if (to === "failed") this.distrusted = true;
    this.onTransition({ member: this, from, to, reason });
  }

  /**
   * Runs `work` after everything queued before it; a failure of one piece of work does not stop the next. When the drive goes away, what
   * is queued is refused at once, also what the drive never answers.
   */
  enqueue<T>(work: (drive: Drive) => Promise<T>): Promise<T> {
    const drive = this.#drive;
    if (drive === undefined) return Promise.reject(this.missingError());
    const coming = this.#coming;
    const done = this.#queue.then(() => {
      if (coming !== this.#coming) throw this.missingError();
      this.#busySinceMs = undefined;
      return work(drive);
    });
    this.#queue = done.catch(() => undefined);
    let abandon: (error: HoldfastError) => void = () => undefined;
    const answer = new Promise<T>((resolve, reject) => {
      abandon = reject;
      done.then(resolve, reject);
    });
    const settled = answer.then(
      () => void this.#pending.delete(pending),
      () => void this.#pending.delete(pending),
    );
    const pending: Pending = { settled, abandon };
    this.#pending.add(pending);
    return answer;
  }

  /** Resolves when everything queued so far has settled, or its drive is gone. */
  async drain(): Promise<void> {
    await Promise.all([...this.#pending].map(({ settled }) => settled));
  }

  /** How long the write under way has taken, as far as was looked: it counts from the first look at it, and is 0 when there is none. */
  stalledMs(nowMs: number): number {
    if (this.#pending.size === 0) return 0;
    this.#busySinceMs ??= nowMs;
    return nowMs - this.#busySinceMs;
  }

  /** Takes note of a failed write: fences the drive off unless it is only full. */
  noteWriteFailure(error: unknown): void {
    if (this.#drive === undefined || this.#state === "failed") return;
    this.transition(isHoldfastError(error, "DRIVE_FULL") ? "full" : "failed", error instanceof Error ? error.message : String(error));
  }

  /** The drive has room again. */
  noteSpace(): void {
    if (this.#state === "full") this.transition(this.isWhole ? "online" : "rebuilding", undefined);
  }

  /** Takes note of committed frames in a pack that it did not get; of a drive that is away everything is looked at when it returns. */
  noteLacking(pack: number): void {
    if (this.#drive !== undefined) this.lacking.add(pack);
  }

  /** Fills the place with a drive. Nothing is written to it: that is `join-member.ts`. */
  attach(drive: Drive, options: { readonly id: DriveId; readonly fresh: boolean; readonly wholeFrom: number }): void {
    invariant(this.#drive === undefined && this.#leaving === undefined, "a place is empty before a drive is put there");
    this.#drive = drive;
    this.#id = options.id;
    this.fresh = options.fresh;
    this.wholeFrom = options.wholeFrom;
    this.unchecked = true;
    this.#queue = Promise.resolve();
  }

  /** Empties the place. What the drive was asked is refused at once; `left` resolves when it has answered all of it. */
  detach(to: "offline" | "foreign", reason: string): void {
    if (this.#drive === undefined) {
      this.transition(to, reason);
      return;
    }
    this.#drive = undefined;
    this.#coming++;
    this.#busySinceMs = undefined;
    this.#packs.clear();
    this.lacking.clear();
    this.lackingBlobs.clear();
    const leaving = this.#queue.then(() => {
      if (this.#leaving === leaving) this.#leaving = undefined;
    });
    this.#leaving = leaving;
    this.transition(to, reason);
    for (const { abandon } of [...this.#pending]) abandon(this.missingError());
  }

  /** True while a drive that left has not answered everything it was asked: until then none can take its place. */
  get isLeaving(): boolean {
    return this.#leaving !== undefined;
  }

  /** Resolves when a drive that left has answered everything it was asked. */
  async left(): Promise<void> {
    await this.#leaving;
  }

  /** The open file of a pack; `create` makes it when it is not there. */
  packFile(pack: number, options: { create: boolean }): Promise<DriveFile> {
    if (this.#drive === undefined) return Promise.reject(this.missingError());
    const known = this.#packs.get(pack);
    if (known !== undefined && !options.create) return known;
    // Who wants to create the file must not share the fate of a reader that has just found it missing.
    if (known !== undefined) return known.catch(() => this.packFile(pack, options));
    const opened = this.#drive.open(packFileName(pack), options);
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
    return new HoldfastError("DRIVES_MISSING", `drive ${this.#id} is not there${this.#reason === undefined ? "" : `: ${this.#reason}`}`);
  }

  /** Closes its files; the drive is its owner's. */
  async close(): Promise<void> {
    await this.drain();
    const files = [...this.#packs.values()];
    this.#packs.clear();
    await Promise.all(files.map((file) => file.then((open) => open.close()).catch(() => undefined)));
  }
}
