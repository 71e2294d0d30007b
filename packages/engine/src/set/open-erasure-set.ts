/**
 * Opens a set: recovers its log, brings its index to the log's end, and answers for it until it is closed.
 */
import { HoldfastError } from "../base/errors.ts";
import type { Compute } from "../compute/compute.ts";
import { BlobStore } from "./blob-store.ts";
import { closedError } from "./closed-error.ts";
import { Committer } from "./committer.ts";
import { writeStates } from "./drive-state.ts";
import type {
  BlobLocation,
  BlobOptions,
  BlobReader,
  ErasureProfile,
  ErasureSet,
  KeyRange,
  PackedPayload,
  SetEntry,
  SetOperation,
  WrittenBlob,
} from "./erasure-set.ts";
import { decodeEntry } from "./index-entry.ts";
import type { MemberState } from "./member.ts";
import { openThreshold } from "./quorum.ts";
import { type ReadCounters, readPackedPayload } from "./read-packed.ts";
import { recoverLog } from "./recover-log.ts";
import { type ReplayProgress, replayLog } from "./replay-log.ts";
import { resealPacks } from "./reseal-packs.ts";
import { sealLongTail } from "./seal-pack.ts";
import type { SetContext } from "./set-context.ts";
import { SpaceGuard } from "./space-guard.ts";

export interface OpenSetOptions {
  readonly compute: Compute;
  /** Called while the index is being brought to the end of the log. */
  readonly onReplay?: ((progress: ReplayProgress) => void) | undefined;
}

/** A set that is open, with what only its owner may do. */
export interface OpenSet extends ErasureSet {
  status(): SetStatus;
  /** Commits what was placed, writes the clean end to every drive, closes the index. The drives stay open: they are their owner's. */
  close(): Promise<void>;
  readonly context: SetContext;
}

export interface SetStatus {
  readonly id: string;
  readonly profile: ErasureProfile;
  readonly epoch: number;
  readonly sequence: number;
  readonly pack: number;
  readonly writable: boolean;
  /** Why it takes no writes, when it takes none. */
  readonly reason: string | undefined;
  readonly reads: Readonly<ReadCounters>;
  readonly drives: readonly DriveStatus[];
}

export interface DriveStatus {
  readonly id: string;
  readonly location: string | undefined;
  readonly state: MemberState;
  readonly reason: string | undefined;
  readonly missedFrames: number;
  readonly readFaults: number;
}

/** @throws DRIVES_MISSING, TAIL_UNDECIDED, LOG_DAMAGED, INDEX_DAMAGED */
export async function openErasureSet(context: SetContext, options: OpenSetOptions): Promise<OpenSet> {
  const present = context.members.filter((member) => member.readable).length;
  const needed = openThreshold(context.members.length, context.profile);
  if (present < needed) {
    const missing = [...new Set(context.members.filter((member) => !member.readable).map((member) => member.reason ?? member.id))];
    throw new HoldfastError(
      "DRIVES_MISSING",
      `only ${present} of ${context.members.length} drives are there and ${needed} are needed; missing: ${missing.join("; ")}`,
      {
        details: { present, needed, missing },
      },
    );
  }
  const log = await recoverLog(context);
  const { tail, clean, unclean, readOnly } = log;
  await replayLog(context, log, options.onReplay);
  const space = new SpaceGuard(context);
  await space.refresh();
  const counters: ReadCounters = { healthy: 0, degraded: 0 };
  const blobs = new BlobStore(context, { compute: options.compute, space, counters, epoch: tail.epoch });
  const committer = new Committer(context, tail, { space, onCommitted: (batch) => blobs.noteCommitted(batch.changes) });
  if (readOnly !== undefined) committer.refuseWrites(readOnly);
  const set = new LocalErasureSet(context, { committer, blobs, counters });
  if (readOnly === undefined) {
    blobs.removeLeftovers();
    if (!clean) set.inBackground(() => resealPacks(context, log));
    set.inBackground(() => blobs.removeOrphans(unclean));
  }
  return set;
}

class LocalErasureSet implements OpenSet {
  readonly context: SetContext;
  readonly #committer: Committer;
  readonly #blobs: BlobStore;
  readonly #counters: ReadCounters;
  #reads = 0;
  #onReadsDone: () => void = () => undefined;
  #background: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(context: SetContext, parts: { committer: Committer; blobs: BlobStore; counters: ReadCounters }) {
    this.context = context;
    this.#committer = parts.committer;
    this.#blobs = parts.blobs;
    this.#counters = parts.counters;
  }

  get id(): SetContext["id"] {
    return this.context.id;
  }

  get profile(): ErasureProfile {
    return this.context.profile;
  }

  get driveCount(): number {
    return this.context.members.length;
  }

  /** Runs upkeep of opening beside the set's work; `close` waits for it. What fails is done at the next opening. */
  inBackground(work: () => Promise<void>): void {
    this.#background = this.#background.then(work).catch(() => undefined);
  }

  get(key: Uint8Array): SetEntry | undefined {
    this.#checkOpen();
    const bytes = this.context.index.get(key);
    return bytes === undefined ? undefined : decodeEntry(bytes);
  }

  scan(range: KeyRange, visit: (key: Uint8Array, entry: () => SetEntry) => boolean | Uint8Array): void {
    this.#checkOpen();
    this.context.index.scan(range, (key, value) => visit(key, () => decodeEntry(value)));
  }

  commit<T>(operation: SetOperation<T>, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    return this.#committer.commit(operation, options.signal);
  }

  async readPacked(payload: PackedPayload): Promise<Uint8Array> {
    this.#checkOpen();
    this.#reads++;
    try {
      return await readPackedPayload(this.context, payload, this.#counters);
    } finally {
      this.#reads--;
      if (this.#reads === 0) this.#onReadsDone();
    }
  }

  async writeBlob(source: AsyncIterable<Uint8Array>, options: BlobOptions): Promise<WrittenBlob> {
    this.#checkOpen();
    const { refusal } = this.#committer;
    if (refusal !== undefined) throw refusal;
    return this.#blobs.write(source, options);
  }

  async discardBlob(blob: BlobLocation): Promise<void> {
    await this.#blobs.discard(blob);
  }

  openBlob(blob: BlobLocation): BlobReader {
    this.#checkOpen();
    return this.#blobs.open(blob);
  }

  status(): SetStatus {
    const { members, profile, id } = this.context;
    const { tail, refusal } = this.#committer;
    const drives = members.map((member) => ({
      id: member.id,
      location: member.drive?.location,
      state: member.state,
      reason: member.reason,
      missedFrames: member.missedFrames,
      readFaults: member.readFaults,
    }));
    const log = { epoch: tail.epoch, sequence: tail.committedSequence, pack: tail.pack };
    return { id, profile, ...log, writable: refusal === undefined, reason: refusal?.message, reads: { ...this.#counters }, drives };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { context } = this;
    const committer = this.#committer;
    await this.#blobs.endWrites();
    await committer.drain();
    await committer.sealed();
    await this.#blobs.discardUnnamed();
    await this.#blobs.drain();
    await this.#background;
    await this.#readsDone();
    await Promise.all(context.members.map((member) => member.drain()));
    if (committer.refusal === undefined) {
      await sealLongTail(context, committer.tail);
      const { epoch, firstSequence, committedSequence, pack, position } = committer.tail;
      await writeStates(context, { epoch, firstSequence, clean: { lastSequence: committedSequence, pack, position } });
    }
    await context.index.flush();
    await context.index.close();
    await Promise.all(context.members.map((member) => member.close()));
  }

  /** Resolves when no read of a packed payload is under way; new ones are refused by now. */
  #readsDone(): Promise<void> {
    if (this.#reads === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onReadsDone = resolve;
    });
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }
}
