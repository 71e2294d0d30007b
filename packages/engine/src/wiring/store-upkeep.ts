/**
 * The upkeep of an open store: its tasks in the order of their importance, done in the background by the keeper or on demand.
 */
import type { Clock } from "../base/clock.ts";
import { throwIfAborted } from "../base/errors.ts";
import type { ObjectUpkeep } from "../object/object-upkeep.ts";
import type { CompactionReport } from "../set/compact-set.ts";
import { type HealProgress, healSet, needsHealing } from "../set/heal-set.ts";
import type { OpenSet } from "../set/open-erasure-set.ts";
import type { Pacer } from "../set/pace.ts";
import type { ResolvedUpkeep } from "../store/settings.ts";
import type { StoreDrives } from "../store/store-drives.ts";
import type { DriveWatcher } from "../store/watch-drives.ts";
import { needsCompaction, runCompaction } from "../upkeep/compaction.ts";
import type { EventLog } from "../upkeep/events.ts";
import { Keeper, type UpkeepTask } from "../upkeep/keeper.ts";
import { Bandwidth, createPacer } from "../upkeep/pacer.ts";

export interface StoreUpkeepParts {
  readonly drives: StoreDrives;
  readonly watcher: DriveWatcher;
  readonly objects: ObjectUpkeep;
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

/** How long the background rests between two rounds when nothing happens. */
const workEveryMs = 5000;
/** A job in the background works half of its time at most. */
const backgroundDuty = 0.5;

export class StoreUpkeep {
  readonly #parts: StoreUpkeepParts;
  readonly #keeper: Keeper;
  readonly #bandwidths = new WeakMap<OpenSet, Bandwidth>();
  #progress: RebuildProgress | undefined;

  constructor(parts: StoreUpkeepParts) {
    this.#parts = parts;
    const { clock, settings, watcher, events } = parts;
    this.#keeper = new Keeper({
      clock,
      watch: () => watcher.look(),
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

  stop(): Promise<void> {
    return this.#keeper.stop();
  }

  /** Looks at the drives, then does everything that is due. */
  async maintain(signal: AbortSignal): Promise<void> {
    await this.#parts.watcher.look();
    await this.#keeper.round(signal);
    throwIfAborted(signal);
  }

  /** Makes what drives lack, as fast as it goes. */
  async rebuild(options: RebuildOptions = {}): Promise<RebuildReport> {
    await this.#parts.watcher.look();
    const report = { healed: [] as string[], left: [] as string[], problems: 0, writtenBytes: 0 };
    for (const set of this.#parts.drives.sets) {
      const one = await this.#heal(set, this.#hurried(), options);
      report.healed.push(...one.healed);
      report.left.push(...one.left);
      report.problems += one.problems;
      report.writtenBytes += one.writtenBytes;
    }
    return report;
  }

  /** Compacts every set now. */
  async compact(options: { readonly signal?: AbortSignal | undefined; readonly target?: number } = {}): Promise<CompactionReport[]> {
    const reports: CompactionReport[] = [];
    for (const set of this.#parts.drives.sets) reports.push(await this.#compact(set, { pacer: this.#hurried(), ...options }));
    return reports;
  }

  #tasks(): UpkeepTask[] {
    return [
      { name: "rebuild", run: (signal) => this.#eachSet((set) => this.#healInBackground(set, signal)) },
      { name: "compaction", run: (signal) => this.#eachSet((set) => this.#compactInBackground(set, signal)) },
    ];
  }

  /** True when one of the sets had something done. */
  async #eachSet(work: (set: OpenSet) => Promise<boolean>): Promise<boolean> {
    const done = await Promise.all([...this.#parts.drives.sets].map(work));
    return done.some((something) => something);
  }

  async #healInBackground(set: OpenSet, signal: AbortSignal): Promise<boolean> {
    if (!needsHealing(set)) return false;
    const { healed } = await this.#heal(set, this.#background(set), { signal });
    return healed.length > 0;
  }

  async #heal(set: OpenSet, pacer: Pacer, options: RebuildOptions): Promise<RebuildReport> {
    const { events } = this.#parts;
    const nothing = { healed: [], left: [], problems: 0, writtenBytes: 0 };
    if (!needsHealing(set)) return nothing;
    const counts = { problems: 0, writtenBytes: 0 };
    events.tell({ type: "rebuild", setId: set.id, phase: "started", repaired: 0, failed: 0, bytes: 0 });
    const healing = healSet(set, { pacer, signal: options.signal });
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
    const { victims } = await this.#compact(set, { pacer: this.#background(set), signal, target });
    return victims.length > 0;
  }

  async #compact(set: OpenSet, options: Parameters<typeof runCompaction>[1]): Promise<CompactionReport> {
    const report = await runCompaction(set, options);
    const { victims, bytesFreed, bytesMoved } = report;
    if (victims.length > 0) this.#parts.events.tell({ type: "compaction", setId: set.id, packs: victims.length, bytesFreed, bytesMoved });
    return report;
  }

  /** A pacer for work nobody waits for. */
  #background(set: OpenSet): Pacer {
    const { clock, settings } = this.#parts;
    let bandwidth = this.#bandwidths.get(set);
    if (bandwidth === undefined) {
      bandwidth = new Bandwidth(clock, settings.rateBytes);
      this.#bandwidths.set(set, bandwidth);
    }
    return createPacer({ clock, bandwidth, duty: backgroundDuty });
  }

  /** A pacer for work somebody has asked for. */
  #hurried(): Pacer {
    return createPacer({ clock: this.#parts.clock });
  }
}
