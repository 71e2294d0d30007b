/**
 * Compaction: writes what is live in the emptiest packs of a set again, in new ones, and gives the old ones up.
 *
 *   1  measure: live bytes of every pack, from the index; choose victims (`plan-compaction.ts`)
 *   2  move every entry whose record or payload lies in a victim, through ordinary commits (`relog.ts`); write deletes again that are
 *      needed as long as an older pack is left (`carry-deletes.ts`)
 *   3  move what was committed meanwhile with a payload taken over from a victim, until there is nothing left
 *   4  what was moved is on stable storage, and the index durably behind it
 *   5  in a quiesced moment, with nothing left that refers to a victim: the victims' numbers are written to the list of retired packs
 *   6  reads under way end; the packs are removed, the oldest first
 *
 * The log without its victims then gives, from the beginning, the same map as the whole log: that is all recovery needs, so a crash before 5
 * leaves everything twice and after it leaves packs that the next opening removes. Whoever ends it anywhere loses only time. Readers look
 * an entry up and begin to read in one turn, so after 5 nobody begins to read a victim. The pack of the last committed batch is never
 * one: the end of the log must be found.
 */
import { abortedError, HoldfastError, isHoldfastError, throwIfAborted } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { carriedBytes, carryDeletes, remainderWithout } from "./carry-deletes.ts";
import type { ErasureProfile } from "./erasure-set.ts";
import { markKey } from "./index-entry.ts";
import { measurePacks } from "./measure-packs.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-set.ts";
import type { Pacer } from "./pace.ts";
import { packFacts } from "./pack-facts.ts";
import { type CompactionGoal, planCompaction } from "./plan-compaction.ts";
import { type FoundEntry, type RelogOptions, relog, relogKeys } from "./relog.ts";
import { removePack } from "./retired-packs.ts";
import { CommitWatch, Victims } from "./victims.ts";

export interface CompactionOptions extends Partial<CompactionGoal> {
  readonly pacer?: Pacer | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How a payload that is moved is coded; as it was when undefined. */
  readonly profileOf?: ((entry: FoundEntry) => ErasureProfile | undefined) | undefined;
  /** Told of every step. */
  readonly onProgress?: ((progress: CompactionProgress) => void) | undefined;
}

export interface CompactionProgress {
  readonly step: "measuring" | "moving" | "removing";
  readonly victims: number;
  readonly bytesMoved: number;
}

/** What a pass has done. Bytes are those on each drive. */
export interface CompactionReport {
  /** Packs given up. */
  readonly victims: readonly number[];
  readonly bytesFreed: number;
  /** Payloads and records written again, before coding. */
  readonly bytesMoved: number;
  /** Of all packs, before the pass. */
  readonly totalBytes: number;
  readonly liveBytes: number;
  readonly entries: number;
  /** Of all packs after the pass, as far as is known without measuring again. */
  readonly leftBytes: number;
  /** `leftBytes` over `liveBytes`; undefined when nothing is live. */
  readonly amplification: number | undefined;
}

const targetDefault = 1.5;
/** Below this no pass is worth its while; small packs make a small store. */
const slackBytesMax = 16 * MiB;
const slackPacks = 2;
/** Part of the free space of the fullest drive that a pass may fill before it gives back. */
const spacePart = 0.5;

/**
 * Runs one pass; only measures where the packs take no more than they may.
 * @throws ABORTED, STORE_CLOSED, WRITE_QUORUM_LOST, DRIVE_FULL, DRIVE_FAILED, LOG_DAMAGED
 */
export async function compactSet(set: OpenSet, options: CompactionOptions = {}): Promise<CompactionReport> {
  const { pacer, signal, onProgress } = options;
  onProgress?.({ step: "measuring", victims: 0, bytesMoved: 0 });
  const use = await measurePacks(set, { pacer, signal });
  const plan = await planCompaction(use, await goalOf(set, options), (pack) => deletesIn(set, pack, { pacer, signal }));
  const last = use.packs.at(-1)?.pack;
  const facts = plan.filter(({ pack }) => pack < set.activePack).map(async (pack) => (pack.pack === last ? packFacts(set, last) : pack));
  const victims = new Victims(await Promise.all(facts));
  const bytesMoved = facts.length === 0 ? 0 : await new Pass(set, victims, options).run();
  const gone = plan.filter(({ pack }) => victims.numbers.has(pack));
  const bytesFreed = gone.reduce((sum, { bytes }) => sum + bytes, 0);
  const leftBytes = use.totalBytes - bytesFreed + gone.reduce((sum, { liveBytes }) => sum + liveBytes, 0);
  const { totalBytes, liveBytes, entries } = use;
  const amplification = liveBytes === 0 ? undefined : leftBytes / liveBytes;
  return { victims: [...victims.numbers], bytesFreed, bytesMoved, totalBytes, liveBytes, entries, leftBytes, amplification };
}

/** What a set's packs may take when nothing else is said. */
export function compactionLimits(set: OpenSet, options: CompactionOptions): Pick<CompactionGoal, "target" | "slackBytes"> {
  const { target = targetDefault, slackBytes = Math.min(slackBytesMax, slackPacks * set.context.settings.packBytesMax) } = options;
  return { target, slackBytes };
}

async function goalOf(set: OpenSet, options: CompactionOptions): Promise<CompactionGoal> {
  const spaces = set.context.members.map(async ({ drive }) => (await drive?.space().catch(() => undefined))?.freeBytes);
  const freeBytes = Math.min(...(await Promise.all(spaces)).filter((free) => free !== undefined));
  return { ...compactionLimits(set, options), moveBytesMax: options.moveBytesMax ?? spacePart * freeBytes };
}

/** Infinite for a pack that cannot be read now: it stays. */
async function deletesIn(
  set: OpenSet,
  pack: number,
  pacing: { pacer: Pacer | undefined; signal: AbortSignal | undefined },
): Promise<number> {
  // The pack being filled may be worth giving up as well; then it is another one's turn.
  if (pack === set.activePack) await set.rotatePack();
  try {
    return await carriedBytes(set, pack, pacing);
  } catch (error) {
    if (isHoldfastError(error, "LOG_DAMAGED")) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

class Pass {
  readonly #set: OpenSet;
  readonly #victims: Victims;
  readonly #options: CompactionOptions;
  readonly #watch: CommitWatch;
  /** Those that may get frames of this pass, with the visit of their drives. */
  readonly #writers: readonly { readonly member: Member; readonly visit: number }[];
  #bytesMoved = 0;

  constructor(set: OpenSet, victims: Victims, options: CompactionOptions) {
    this.#set = set;
    this.#victims = victims;
    this.#options = options;
    this.#watch = new CommitWatch(set, victims);
    this.#writers = set.context.members.filter((member) => member.writable).map((member) => ({ member, visit: member.visit }));
  }

  /** Bytes written again. Packs that cannot be emptied are no victims any more then. */
  async run(): Promise<number> {
    const { pacer, signal } = this.#options;
    try {
      await this.#relog((options) => relog(this.#set, options));
      for (let packs = 0; packs !== this.#victims.numbers.size; ) {
        packs = this.#victims.numbers.size;
        // What cannot be moved keeps its pack, and then deletes are needed that were not before.
        const { lowest, gaps } = await remainderWithout(this.#set, this.#victims.numbers);
        await carryDeletes(this.#set, this.#victims.numbers, lowest, { pacer, signal });
        while (packs === this.#victims.numbers.size && !(await this.#tryRetire(packs, gaps)));
      }
      return this.#bytesMoved;
    } finally {
      this.#watch.stop();
    }
  }

  async #relog(work: (options: RelogOptions) => Promise<{ bytes: number }>): Promise<void> {
    const { pacer, signal, profileOf, onProgress } = this.#options;
    const tell = (bytes: number): void => onProgress?.({ step: "moving", victims: this.#victims.numbers.size, bytesMoved: bytes });
    const done = await work({
      fateOf: (entry) => this.#victims.fateOf(entry),
      profileOf,
      pacer,
      signal,
      onUnreadable: (entry) => this.#spare(entry),
      onProgress: ({ bytes }) => tell(this.#bytesMoved + bytes),
    });
    this.#bytesMoved += done.bytes;
  }

  #spare({ payload, sequence }: FoundEntry): void {
    const packs = [payload?.pack, this.#victims.packWith(sequence)].filter((pack) => pack !== undefined);
    this.#victims.spare(new Set(packs));
  }

  /** True when the victims are retired and removed; false when there was something left in one, or they are not `packs` any more. */
  async #tryRetire(packs: number, gaps: readonly number[]): Promise<boolean> {
    const { context } = this.#set;
    while (!this.#watch.isClear) await this.#relog((options) => relogKeys(this.#set, this.#watch.take(), options));
    if (this.#victims.numbers.size !== packs) return false;
    if (!this.#watch.hasSeenBatch) await this.#set.commit({ decide: (transaction) => transaction.delete(markKey) });
    await this.#settleWrites();
    await context.index.flush();
    throwIfAborted(this.#options.signal);
    this.#options.onProgress?.({ step: "removing", victims: this.#victims.numbers.size, bytesMoved: this.#bytesMoved });
    return this.#set.exclusive(async () => {
      const retired = await this.#set.quiesce(async () => {
        if (!this.#watch.isClear) return false;
        if (context.settings.durability === "relaxed") await this.#settleWrites();
        await context.retired.retire(context, {
          packs: [...this.#victims.numbers, ...gaps],
          throughSequence: this.#victims.throughSequence,
        });
        return true;
      });
      if (retired) await this.#removePacks();
      return retired;
    });
  }

  /**
   * Waits for what was sent to the drives. Where callers are answered before that is durable, it has to be now: what an overwrite not yet
   * durable has replaced must not go before it.
   */
  async #settleWrites(): Promise<void> {
    const isRelaxed = this.#set.context.settings.durability === "relaxed";
    const waiting = this.#writers.filter(({ member }) => isRelaxed || member.state === "online");
    await this.#orAborted(Promise.all(waiting.map(({ member }) => member.drain())));
    if (!isRelaxed) return;
    const lost = this.#writers.find(({ member, visit }) => member.visit !== visit || member.state === "failed");
    if (lost === undefined) return;
    throw new HoldfastError("DRIVE_FAILED", `drive ${lost.member.id} went while packs were being compacted; nothing was given up`);
  }

  async #orAborted(work: Promise<unknown>): Promise<void> {
    const { signal } = this.#options;
    if (signal === undefined) return void (await work);
    let abort = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(abortedError(signal));
      signal.addEventListener("abort", abort, { once: true });
    });
    try {
      throwIfAborted(signal);
      await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #removePacks(): Promise<void> {
    const { members } = this.#set.context;
    for (const pack of [...this.#victims.numbers].sort((a, b) => a - b)) {
      await this.#set.unread(pack);
      const removals = members.map((member) => ({ member, removed: removePack(member, pack) }));
      // A drive that does not answer is not waited for: it removes the pack when it does, or when the set is opened again.
      await Promise.all(removals.filter(({ member }) => member.state === "online").map(({ removed }) => removed));
    }
  }
}
