/**
 * The upkeep of an open store: its tasks in the order of their importance, done in the background by the keeper or on demand.
 */
import { type Clock, keepAlive } from "../base/clock.ts";
import { throwIfAborted } from "../base/errors.ts";
import type { ObjectUpkeep } from "../object/object-upkeep.ts";
import type { RecodePacked, ReprotectProgress } from "../object/reprotect.ts";
import { isMisplacedBlob } from "../set/blob-facts.ts";
import type { CompactionReport } from "../set/compact-set.ts";
import type { ErasureProfile } from "../set/erasure-set.ts";
import type { CheckFinding } from "../set/finding.ts";
import { type HealProgress, healSet, needsHealing } from "../set/heal-set.ts";
import type { OpenSet } from "../set/open-set.ts";
import { type Pacer, unhurried } from "../set/pace.ts";
import { recodeSet } from "../set/recode-set.ts";
import type { ResolvedUpkeep } from "../store/settings.ts";
import type { StoreDrives } from "../store/store-drives.ts";
import type { DriveWatcher } from "../store/watch-drives.ts";
import { needsCompaction, runCompaction } from "../upkeep/compaction.ts";
import type { EventLog } from "../upkeep/events.ts";
import { Keeper, type UpkeepTask } from "../upkeep/keeper.ts";
import { Bandwidth, createPacer } from "../upkeep/pacer.ts";
import { ReadRepair } from "../upkeep/read-repair.ts";
import { needsRecode, noteNarrow, recode } from "../upkeep/recode.ts";
import { scrubTurn } from "../upkeep/scrub.ts";
import type { DriveChanges } from "./change-drives.ts";

export interface StoreUpkeepParts {
  readonly drives: StoreDrives;
  readonly watcher: DriveWatcher;
  readonly objects: ObjectUpkeep;
  readonly changes: () => DriveChanges;
  readonly clock: Clock;
  readonly settings: ResolvedUpkeep;
  readonly events: EventLog;
}

/** How far the making of what drives lack is, over all sets. */
export type RebuildProgress = HealProgress;

/** What a rebuild has done. */
export interface RebuildReport {
  /** Drives that hold everything now and did not before. */
  readonly healed: readonly string[];
  /** Drives that are there and still lack something. */
  readonly left: readonly string[];
  /** Things that could not be made. */
  readonly problems: number;
  readonly writtenBytes: number;
}

export interface RebuildOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RebuildProgress) => void) | undefined;
}

export interface ReprotectStoreOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ReprotectProgress) => void) | undefined;
}

/** How long the background rests between two rounds when nothing happens. */
const workEveryMs = 5000;
/** What waits for drives, or cannot be made at all, is tried again so often. */
const retryEveryMs = 30_000;
/** Abandoned uploads are looked for so often. */
const collectEveryMs = 3_600_000;
/** Work on a scrub before other upkeep gets its turn. */
const scrubTurnMs = 5000;
/** A job in the background works half of its time at most. */
const backgroundDuty = 0.5;

export class StoreUpkeep {
  readonly #parts: StoreUpkeepParts;
  readonly #keeper: Keeper;
  readonly #bandwidths = new WeakMap<OpenSet, Bandwidth>();
  readonly #repairs = new WeakMap<OpenSet, ReadRepair>();
  #progress: RebuildProgress | undefined;
  /** Callers who wait for a round. */
  #awaited = 0;
  /** What could not be done to its end, and when it was tried. */
  readonly #futile = new Map<string | OpenSet, number>();
  #collectedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: StoreUpkeepParts) {
    this.#parts = parts;
    const { clock, settings, watcher, events } = parts;
    this.#keeper = new Keeper({
      clock,
      watch: () => {
        for (const set of parts.drives.sets) set.health.look();
        return watcher.look();
      },
      tasks: this.#tasks(),
      watchEveryMs: settings.watchEveryMs,
      workEveryMs,
      onTrouble: (task, error) => events.tell({ type: "trouble", task, message: error instanceof Error ? error.message : String(error) }),
    });
  }

  /** The rebuild under way. */
  get progress(): RebuildProgress | undefined {
    return this.#progress;
  }

  start(): void {
    if (this.#parts.settings.enabled) this.#keeper.start();
  }

  nudge(): void {
    this.#keeper.nudge();
  }

  /** Something has changed: what could not be done may be possible now. */
  retry(): void {
    this.#futile.clear();
    this.nudge();
  }

  stop(): Promise<void> {
    return this.#keeper.stop();
  }

  /** Looks at the drives, then does everything that is due, as fast as it goes. */
  async maintain(signal: AbortSignal): Promise<void> {
    await this.waitFor(async () => {
      await this.#parts.watcher.look();
      await this.#keeper.round(signal);
      throwIfAborted(signal);
    });
  }

  /** Somebody waits for `work`: until it is over upkeep hurries and the process stays alive. */
  async waitFor<T>(work: () => Promise<T>): Promise<T> {
    const letGo = keepAlive();
    this.#awaited++;
    try {
      return await work();
    } finally {
      this.#awaited--;
      letGo();
    }
  }

  /** Makes what drives lack, as fast as it goes. */
  rebuild(options: RebuildOptions = {}): Promise<RebuildReport> {
    return this.waitFor(async () => {
      await this.#parts.watcher.look();
      return this.#keeper.alone(() => this.#healAll(options));
    });
  }

  async #healAll(options: RebuildOptions): Promise<RebuildReport> {
    const report = { healed: [] as string[], left: [] as string[], problems: 0, writtenBytes: 0 };
    for (const set of this.#parts.drives.sets) {
      const one = await this.#heal(set, options);
      report.healed.push(...one.healed);
      report.left.push(...one.left);
      report.problems += one.problems;
      report.writtenBytes += one.writtenBytes;
    }
    return report;
  }

  /** Compacts every set now. */
  compact(options: { readonly signal?: AbortSignal | undefined; readonly target?: number } = {}): Promise<CompactionReport[]> {
    return this.waitFor(async () => {
      const reports: CompactionReport[] = [];
      for (const set of this.#parts.drives.sets) reports.push(await this.#compact(set, options));
      return reports;
    });
  }

  /** Looks after a set from now on. */
  adopt(set: OpenSet): void {
    if (this.#repairs.has(set)) return;
    const { events, watcher } = this.#parts;
    const { hooks, members, id: setId } = set.context;
    this.#repairs.set(set, new ReadRepair(set, () => this.nudge()));
    hooks.onDriveState = ({ member, from, to, reason }) => {
      events.tell({ type: "drive", setId, driveId: member.id, location: member.drive?.location, from, to, reason });
      if (to !== "online") noteNarrow(set);
      if (to === "failed" || to === "suspect") void watcher.look();
      this.retry();
    };
    this.#tellOfIndex(set);
    for (const { id: driveId, drive, state, reason, isWhole, hasLeft } of members) {
      if (hasLeft) continue;
      if (!isWhole) noteNarrow(set);
      if (state !== "online") events.tell({ type: "drive", setId, driveId, location: drive?.location, from: "online", to: state, reason });
    }
  }

  #tellOfIndex({ context: { hooks, index, id: setId } }: OpenSet): void {
    const { events } = this.#parts;
    hooks.onIndex = (happening) => {
      events.tell({ type: "index", setId, ...happening });
      this.retry();
    };
    const found = index.renewal?.found;
    if (found === undefined) return;
    events.tell({ type: "index", setId, phase: "damaged", reason: found.message });
    events.tell({ type: "index", setId, phase: "renewed", reason: undefined });
  }

  /** Codes what a bucket has another way. */
  reprotect(bucket: string, erasure: ErasureProfile, options: ReprotectStoreOptions = {}): Promise<ReprotectProgress> {
    const { signal, onProgress } = options;
    const recodePacked: RecodePacked = (set, wanted, recoding) => recodeSet(set as OpenSet, wanted, recoding);
    return this.waitFor(() =>
      this.#parts.objects.reprotect(bucket, erasure, { pacer: this.#pacer(undefined), signal, onProgress, recodePacked }),
    );
  }

  #tasks(): UpkeepTask[] {
    return [
      { name: "repair", run: (signal) => this.#eachSet((set) => this.#repairRead(set, signal)) },
      { name: "rebuild", run: (signal) => this.#eachSet((set) => this.#healInBackground(set, signal)) },
      { name: "moving", run: (signal) => this.#goOnMoving(signal) },
      { name: "placement", run: (signal) => this.#eachSet((set) => this.#recode(set, signal)) },
      { name: "compaction", run: (signal) => this.#eachSet((set) => this.#compactInBackground(set, signal)) },
      { name: "uploads", run: (signal) => this.#collectUploads(signal) },
      { name: "scrub", run: (signal) => this.#eachSet((set) => this.#scrub(set, signal)) },
    ];
  }

  async #repairRead(set: OpenSet, signal: AbortSignal): Promise<boolean> {
    const onFinding = ({ place, repaired }: CheckFinding): void =>
      this.#parts.events.tell({ type: "repair", setId: set.id, place, repaired });
    await this.#repairs.get(set)?.run({ pacer: this.#pacer(set), signal, onFinding });
    return false;
  }

  /** Moving and emptying may have to wait for drives or people: not every round looks through everything again. */
  async #goOnMoving(signal: AbortSignal): Promise<boolean> {
    if (this.#isFutile("moving")) return false;
    const done = await this.#parts.changes().goOn(this.#pacer(undefined), signal);
    if (!done) this.#noteFutile("moving");
    return done;
  }

  /** True soon after something was tried that could not be done, while nothing has changed since and nobody waits for it. */
  #isFutile(work: string | OpenSet): boolean {
    const triedMs = this.#futile.get(work);
    return this.#awaited === 0 && triedMs !== undefined && this.#parts.clock.monotonicMs() - triedMs < retryEveryMs;
  }

  #noteFutile(work: string | OpenSet): void {
    this.#futile.set(work, this.#parts.clock.monotonicMs());
  }

  async #recode(set: OpenSet, signal: AbortSignal): Promise<boolean> {
    if (!needsRecode(set)) return false;
    const { objects } = this.#parts;
    const wanted = objects.wantedProfile;
    await recode(set, {
      wanted,
      rewriteBlobs: (one, options) => objects.rewriteBlobs(one, isMisplacedBlob(one, wanted), options),
      pacer: this.#pacer(set),
      signal,
    });
    return false;
  }

  async #collectUploads(signal: AbortSignal): Promise<boolean> {
    const { clock, settings, objects, events } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (settings.abandonedUploadsMs === 0 || nowMs - this.#collectedMs < collectEveryMs) return false;
    const { uploads } = await objects.collectUploads({
      idleSinceMs: clock.nowMs() - settings.abandonedUploadsMs,
      pacer: this.#pacer(undefined),
      signal,
    });
    this.#collectedMs = nowMs;
    if (uploads > 0) events.tell({ type: "uploads", aborted: uploads });
    return false;
  }

  async #scrub(set: OpenSet, signal: AbortSignal): Promise<boolean> {
    const { scrubEveryMs: everyMs } = this.#parts.settings;
    if (everyMs === 0 || !set.status().writable || needsHealing(set)) return false;
    const state = await scrubTurn(set, { everyMs, budgetMs: scrubTurnMs, pacer: this.#pacer(set), signal });
    if (state?.finishedMs === undefined) return false;
    const { faults, repaired, unrepairable } = state;
    this.#parts.events.tell({ type: "scrub", setId: set.id, faults, repaired, unrepairable });
    return false;
  }

  /** True when one of the sets had something done. */
  async #eachSet(work: (set: OpenSet) => Promise<boolean>): Promise<boolean> {
    const done = await Promise.all([...this.#parts.drives.sets].map(work));
    return done.some((something) => something);
  }

  async #healInBackground(set: OpenSet, signal: AbortSignal): Promise<boolean> {
    if (!needsHealing(set) || this.#isFutile(set)) return false;
    const { healed, left } = await this.#heal(set, { signal });
    if (left.length > 0 && healed.length === 0) this.#noteFutile(set);
    return healed.length > 0;
  }

  async #heal(set: OpenSet, options: RebuildOptions): Promise<RebuildReport> {
    const { events } = this.#parts;
    const nothing = { healed: [], left: [], problems: 0, writtenBytes: 0 };
    if (!needsHealing(set)) return nothing;
    const counts = { problems: 0, writtenBytes: 0 };
    events.tell({ type: "rebuild", setId: set.id, phase: "started", repaired: 0, failed: 0, bytes: 0 });
    const healing = healSet(set, { pacer: this.#pacer(set), signal: options.signal });
    try {
      for (;;) {
        const step = await healing.next();
        if (step.done === true) {
          const ids = (ordinals: readonly number[]): string[] => ordinals.map((ordinal) => set.context.members[ordinal]?.id ?? "");
          const report = { healed: ids(step.value.healed), left: ids(step.value.left), ...counts };
          const phase = report.left.length === 0 ? "finished" : "incomplete";
          const { writtenBytes: bytes, problems: failed } = counts;
          events.tell({ type: "rebuild", setId: set.id, phase, repaired: report.healed.length, failed, bytes });
          return report;
        }
        counts.problems += step.value.problems.length;
        counts.writtenBytes += step.value.writtenBytes;
        this.#progress = step.value.progress;
        options.onProgress?.(step.value.progress);
      }
    } finally {
      this.#progress = undefined;
    }
  }

  async #compactInBackground(set: OpenSet, signal: AbortSignal): Promise<boolean> {
    const target = this.#parts.settings.spaceAmplification;
    if (needsHealing(set) || !set.status().writable || !needsCompaction(set, { target })) return false;
    const { victims } = await this.#compact(set, { signal, target });
    return victims.length > 0;
  }

  async #compact(set: OpenSet, options: Parameters<typeof runCompaction>[1]): Promise<CompactionReport> {
    const wanted = this.#parts.objects.wantedProfile;
    const report = await runCompaction(set, { pacer: this.#pacer(set), profileOf: ({ key }) => wanted(key) ?? set.profile, ...options });
    const { victims, bytesFreed, bytesMoved } = report;
    if (victims.length > 0) this.#parts.events.tell({ type: "compaction", setId: set.id, packs: victims.length, bytesFreed, bytesMoved });
    return report;
  }

  /** A pacer for a set's work: slow enough to be in nobody's way, and as fast as it goes while somebody waits. */
  #pacer(set: OpenSet | undefined): Pacer {
    const { clock, settings, drives } = this.#parts;
    const owner = set ?? drives.sets[0];
    let bandwidth = owner === undefined ? undefined : this.#bandwidths.get(owner);
    if (bandwidth === undefined) {
      bandwidth = new Bandwidth(clock, settings.rateBytes);
      if (owner !== undefined) this.#bandwidths.set(owner, bandwidth);
    }
    const paced = createPacer({ clock, bandwidth, duty: backgroundDuty });
    return { spend: (bytes, signal) => (this.#awaited > 0 ? unhurried : paced).spend(bytes, signal) };
  }
}
