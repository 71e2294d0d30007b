/**
 * Opens a set: recovers its log, brings its index to the log's end, and answers for it until it is closed.
 */
import { setMaxListeners } from "node:events";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Compute } from "../compute/compute.ts";
import { packOf } from "../format/packed-location.ts";
import { BlobStore } from "./blob-store.ts";
import { closedError } from "./closed-error.ts";
import { Committer } from "./committer.ts";
import { DriveHealth } from "./drive-health.ts";
import { hasRebuildMark, removeRebuildMark, writeStates } from "./drive-state.ts";
import type {
  BlobLocation,
  BlobOptions,
  BlobReader,
  CommitOptions,
  ErasureProfile,
  KeyRange,
  OnRead,
  PackedPayload,
  SetEntry,
  SetOperation,
  WrittenBlob,
} from "./erasure-set.ts";
import { healSet } from "./heal-set.ts";
import { decodeEntry } from "./index-entry.ts";
import { type JoiningDrive, joinMember } from "./join-member.ts";
import { Member } from "./member.ts";
import type { OpenSet, SetStatus } from "./open-set.ts";
import { unhurried } from "./pace.ts";
import { framesOf, type KnownPack } from "./pack-entries.ts";
import { countedDrives, openThreshold } from "./quorum.ts";
import { ReadFaults } from "./read-faults.ts";
import { readPackedPayload } from "./read-packed.ts";
import type { ReadTools } from "./read-tools.ts";
import { type RecoveredLog, recoverLog } from "./recover-log.ts";
import { renewIndex } from "./renew-index.ts";
import { type ReplayProgress, replayLog } from "./replay-log.ts";
import { sealLongTail } from "./seal-pack.ts";
import type { SetContext } from "./set-context.ts";
import { SpaceGuard } from "./space-guard.ts";

export interface OpenSetOptions {
  readonly compute: Compute;
  /** Called while the index is being brought to the end of the log. */
  readonly onReplay?: ((progress: ReplayProgress) => void) | undefined;
}

/** @throws DRIVES_MISSING, TAIL_UNDECIDED, LOG_DAMAGED, INDEX_DAMAGED */
export async function openErasureSet(context: SetContext, options: OpenSetOptions): Promise<OpenSet> {
  await Promise.all(
    context.members.map(async (member) => {
      member.onTransition = (transition) => context.hooks.onDriveState?.(transition);
      if (member.drive === undefined || !(await hasRebuildMark(member.drive))) return;
      member.fresh = true;
      member.transition("rebuilding", "an empty drive: what belongs on it is being made");
    }),
  );
  const present = context.members.filter((member) => member.votes).length;
  const needed = openThreshold(countedDrives(context.members), context.profile);
  if (present < needed) {
    const missing = [
      ...new Set(context.members.filter((member) => !member.votes && !member.hasLeft).map((member) => member.reason ?? member.id)),
    ];
    throw new HoldfastError(
      "DRIVES_MISSING",
      `only ${present} of ${countedDrives(context.members)} drives are there and ${needed} are needed; missing: ${missing.join("; ")}`,
      {
        details: { present, needed, missing },
      },
    );
  }
  const log = await recoverLog(context);
  const { tail, unclean, readOnly } = log;
  for (const member of unclean) member.wholeFrom = tail.position === 0 ? tail.pack : tail.pack + 1;
  await replayLog(context, log, options.onReplay);
  // The pack being filled may have frames that a drive which was away has not: it is not sealed there before they are made.
  if (tail.position > 0) for (const member of context.members) if (member.unchecked) member.noteLacking(tail.pack);
  const space = new SpaceGuard(context);
  await space.refresh();
  const reads: ReadTools = {
    counters: { healthy: 0, degraded: 0, hedged: 0 },
    health: new DriveHealth(context),
    faults: new ReadFaults(context),
  };
  const blobs = new BlobStore(context, { compute: options.compute, space, reads, epoch: tail.epoch });
  context.hooks.onCommitted.add((batch) => blobs.noteCommitted(batch.changes));
  const committer = new Committer(context, tail, { space });
  if (readOnly !== undefined) committer.refuseWrites(readOnly);
  const set = new LocalErasureSet(context, { committer, blobs, reads, log });
  const { renewal } = context.index;
  if (renewal !== undefined) renewal.onDamage = (error) => set.noteIndexDamage(error);
  if (readOnly === undefined) {
    set.removeLeftovers();
    set.inBackground(() => context.retired.settle(context));
    // Drives that were away are the owner's to heal, when it wants to; after an unclean end there is little to do, and it always ends.
    const here = new Set(unclean.filter((member) => member.state === "online"));
    if (here.size > 0) set.inBackground(() => heal(set, (member) => here.has(member)));
  }
  return set;
}

async function heal(set: OpenSet, only: (member: Member) => boolean): Promise<void> {
  const steps = healSet(set, { pacer: unhurried, only });
  while ((await steps.next()).done !== true);
}

/** A read of a packed payload under way. */
interface PackedRead {
  readonly pack: number;
  readonly settled: Promise<unknown>;
}

class LocalErasureSet implements OpenSet {
  readonly context: SetContext;
  readonly #committer: Committer;
  readonly #blobs: BlobStore;
  readonly #readTools: ReadTools;
  /** The pack that the opening found unfinished and left as it was. */
  readonly #foundLast: KnownPack | undefined;
  readonly #reads = new Set<PackedRead>();
  #background: Promise<void> = Promise.resolve();
  #renewing: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  #upkeep: Promise<unknown> = Promise.resolve();
  #isUpkeepOver = false;
  #closing: Promise<void> | undefined;

  constructor(context: SetContext, parts: { committer: Committer; blobs: BlobStore; reads: ReadTools; log: RecoveredLog }) {
    this.context = context;
    this.#committer = parts.committer;
    this.#blobs = parts.blobs;
    this.#readTools = parts.reads;
    const { lastPack, tail } = parts.log;
    this.#foundLast = lastPack.pack < tail.pack ? lastPack : undefined;
    // Every piece of upkeep listens to it; the warning at ten listeners is meant for leaks.
    setMaxListeners(0, this.#stopping.signal);
  }

  get id(): SetContext["id"] {
    return this.context.id;
  }

  get profile(): ErasureProfile {
    return this.context.profile;
  }

  get driveCount(): number {
    return countedDrives(this.context.members);
  }

  get health(): DriveHealth {
    return this.#readTools.health;
  }

  get activePack(): number {
    return this.#committer.tail.pack;
  }

  inBackground(work: (signal: AbortSignal) => Promise<void>): void {
    const { signal } = this.#stopping;
    this.#background = this.#background.then(() => work(signal)).catch(() => undefined);
  }

  /** The index is made anew from the packs; until that is done reads fail, and writes go to the log alone. */
  noteIndexDamage(damage: HoldfastError): void {
    const { hooks, index } = this.context;
    hooks.onIndex?.({ phase: "damaged", reason: damage.message });
    this.#renewing = this.#renewing.then(async () => {
      try {
        // A check of the index may have replaced it meanwhile.
        if (index.renewal?.damage !== undefined) await renewIndex(this, { signal: this.#stopping.signal });
        hooks.onIndex?.({ phase: "renewed", reason: undefined });
        this.removeLeftovers();
      } catch (error) {
        if (!isHoldfastError(error, "ABORTED", "STORE_CLOSED")) hooks.onIndex?.({ phase: "failed", reason: (error as Error).message });
      }
    });
  }

  /** Where the index is found damaged, this is done when it has been made anew. */
  removeLeftovers(): void {
    try {
      this.#blobs.removeLeftovers();
    } catch (error) {
      if (!isHoldfastError(error, "INDEX_DAMAGED")) throw error;
    }
  }

  async attach(ordinal: number, joining: JoiningDrive): Promise<void> {
    this.#checkOpen();
    await joinMember(this.context, this.#committer, this.#member(ordinal), joining);
    // What was given up while the drive was away still lies on it.
    this.inBackground(() => this.context.retired.settle(this.context));
    this.#blobs.removeLeftovers();
  }

  detach(ordinal: number, why: { readonly state: "offline" | "foreign"; readonly reason: string }): void {
    this.#member(ordinal).detach(why.state, why.reason);
  }

  async extend(joining: Omit<JoiningDrive, "fresh">): Promise<number> {
    this.#checkOpen();
    const ordinal = this.context.members.length;
    const member = new Member({ ordinal, id: joining.id, drive: undefined, reason: "it is joining" });
    member.onTransition = (transition) => this.context.hooks.onDriveState?.(transition);
    this.context.members.push(member);
    await joinMember(this.context, this.#committer, member, { ...joining, fresh: true });
    return ordinal;
  }

  async completeMember(ordinal: number): Promise<boolean> {
    const member = this.#member(ordinal);
    const { drive } = member;
    if (drive === undefined || member.unchecked || member.lacking.size > 0 || member.lackingBlobs.size > 0) return false;
    if (member.fresh) await member.enqueue(removeRebuildMark);
    if (member.drive !== drive) return false;
    member.fresh = false;
    if (!member.isWhole) return false;
    if (member.state === "rebuilding") member.transition("online", undefined);
    return true;
  }

  rotatePack(): Promise<void> {
    this.#checkOpen();
    let sealed: Promise<void> = Promise.resolve();
    const rotated = this.#committer.quiesce(async () => {
      sealed = this.#committer.startNextPack();
    });
    return rotated.then(() => sealed);
  }

  quiesce<T>(work: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    return this.#committer.quiesce(work);
  }

  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#upkeep.then(() => {
      // What opening has begun is finished also while the set is being closed.
      if (this.#isUpkeepOver) throw closedError();
      return work();
    });
    this.#upkeep = done.catch(() => undefined);
    return done;
  }

  async unread(pack: number): Promise<void> {
    await Promise.all([...this.#reads].filter((read) => read.pack === pack).map((read) => read.settled));
  }

  async framesOf(pack: number): Promise<KnownPack> {
    await this.#committer.sealed();
    const { epoch, firstSequence, committedSequence } = this.#committer.tail;
    // What was taken back in this session does not count, and what is committed must not be missed behind damage.
    const bounds = { epoch, firstSequence, belowSequence: committedSequence + 1 };
    return framesOf(this.context, { lastPack: this.#foundLast, bounds }, pack);
  }

  async removeOrphans(ordinal: number): Promise<void> {
    this.#blobs.removeLeftovers();
    const { drive } = this.#member(ordinal);
    if (drive !== undefined) await this.#blobs.removeOrphans(drive);
  }

  #member(ordinal: number): Member {
    const member = this.context.members[ordinal];
    invariant(member !== undefined, "a set has a member of this number");
    return member;
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

  commit<T>(operation: SetOperation<T>, options: CommitOptions = {}): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    return this.#committer.commit(operation, options);
  }

  async readPacked(payload: PackedPayload, onRead?: OnRead): Promise<Uint8Array> {
    this.#checkOpen();
    const reading = readPackedPayload(this.context, payload, this.#readTools, onRead);
    const read = { pack: packOf(payload), settled: reading.catch(() => undefined) };
    this.#reads.add(read);
    try {
      return await reading;
    } finally {
      this.#reads.delete(read);
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

  openBlob(blob: BlobLocation, onRead?: OnRead): BlobReader {
    this.#checkOpen();
    return this.#blobs.open(blob, onRead);
  }

  status(): SetStatus {
    const { members, profile, id } = this.context;
    const { tail, refusal } = this.#committer;
    const counted = members.filter((member) => !member.hasLeft);
    const drives = counted.map((member) => ({
      ordinal: member.ordinal,
      id: member.id,
      location: member.drive?.location,
      state: member.state,
      reason: member.reason,
      missedFrames: member.missedFrames,
      readFaults: member.readFaults,
      whole: !member.isIncomplete,
      checked: !member.unchecked,
      votes: member.votes,
    }));
    const log = { epoch: tail.epoch, sequence: tail.committedSequence, pack: tail.pack };
    const redundancy = profile.parity - counted.filter((member) => member.isIncomplete || member.state === "failed").length;
    return {
      id,
      profile,
      ...log,
      writable: refusal === undefined,
      reason: refusal?.message,
      reads: { ...this.#readTools.counters },
      redundancy,
      drives,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { context } = this;
    const committer = this.#committer;
    this.#stopping.abort(closedError());
    await this.#renewing;
    await this.#blobs.endWrites();
    await committer.settled();
    await committer.drain();
    await committer.sealed();
    await this.#blobs.discardUnnamed();
    await this.#background;
    this.#isUpkeepOver = true;
    await this.#upkeep;
    await this.#blobs.drain();
    await Promise.all([...this.#reads].map((read) => read.settled));
    await Promise.all(context.members.map((member) => member.drain()));
    if (committer.refusal === undefined) {
      await sealLongTail(context, committer.tail);
      const { epoch, firstSequence, committedSequence, pack, position } = committer.tail;
      await writeStates(context, { epoch, firstSequence, clean: { lastSequence: committedSequence, pack, position } });
    }
    // A drive that answers late may change its state yet: nobody is told any more.
    context.hooks.onDriveState = undefined;
    await context.index.flush().catch((error: unknown) => {
      // The next opening makes it anew.
      if (!isHoldfastError(error, "INDEX_DAMAGED")) throw error;
    });
    await context.index.close();
    await Promise.all(context.members.map((member) => member.close()));
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }
}
