/**
 * When a set is compacted. Only a pass over the index tells how much is garbage, so it is measured when enough has happened that the bound
 * may have been passed: by bytes appended (each may be an overwrite), by deletes, and now and then when anything at all has changed, because a few deletes
 * may have been of the largest objects. What measuring costs is held against how often it is done.
 */
import type { Batch } from "../set/batch.ts";
import { type CompactionOptions, type CompactionReport, compactionLimits, compactSet } from "../set/compact-set.ts";
import type { OpenSet } from "../set/open-set.ts";
import { allowedBytes } from "../set/plan-compaction.ts";

/** Deletes that are worth a look, beside this part of all entries. */
const deletesMin = 1000;
const deletesPart = 1 / 8;
/** Part of the room left below the bound that may be appended before a look, and of the slack when there is hardly any room. */
const roomPart = 1 / 2;
const slackPart = 1 / 4;
/** A look at whatever has changed: after this long, and after this many times what the last one took. */
const lookEveryMs = 60_000;
const quietTimes = 100;
/** No look at all sooner than this many times what the last one took. */
const restTimes = 10;

/** What has happened to a set since it was measured last. */
class Ledger {
  /** Undefined before the first time. */
  #last: { readonly atMs: number; readonly tookMs: number; readonly report: CompactionReport } | undefined;
  #appendedBytes = 0;
  #changes = 0;
  #deletes = 0;
  running: Promise<CompactionReport> | undefined;

  note({ changes, payloadBytes, recordsBytesBound, profile }: Batch): void {
    this.#appendedBytes += payloadBytes / profile.data + 2 * recordsBytesBound;
    this.#changes += changes.length;
    for (const { entry } of changes) if (entry === undefined) this.#deletes++;
  }

  /** A pass begins: what happens from now on is not in what it measures. Gives what to call at its end. */
  begin(nowMs: number): (nowMs: number, report: CompactionReport | undefined) => void {
    const before = { appendedBytes: this.#appendedBytes, changes: this.#changes, deletes: this.#deletes };
    this.#appendedBytes = 0;
    this.#changes = 0;
    this.#deletes = 0;
    return (endedMs, report) => {
      if (report === undefined) {
        this.#appendedBytes += before.appendedBytes;
        this.#changes += before.changes;
        this.#deletes += before.deletes;
        return;
      }
      // What the pass has written itself is no garbage.
      const movedBytes = report.leftBytes - (report.totalBytes - report.bytesFreed);
      this.#appendedBytes = Math.max(0, this.#appendedBytes - movedBytes);
      this.#last = { atMs: endedMs, tookMs: endedMs - nowMs, report };
    };
  }

  isDue(nowMs: number, limits: { readonly target: number; readonly slackBytes: number }): boolean {
    if (this.#last === undefined) return true;
    const { atMs, tookMs, report } = this.#last;
    const restedMs = nowMs - atMs;
    const room = allowedBytes(report.liveBytes, limits) - report.leftBytes;
    // It was short of space, or packs could not be read: more is done when it did something.
    if (room < 0 && report.victims.length > 0) return true;
    if (this.#changes === 0 || restedMs < restTimes * tookMs) return false;
    const enough = this.#appendedBytes >= Math.max(roomPart * room, slackPart * limits.slackBytes);
    const manyDeletes = this.#deletes >= Math.max(deletesMin, deletesPart * report.entries);
    return enough || manyDeletes || restedMs >= Math.max(lookEveryMs, quietTimes * tookMs);
  }
}

const ledgers = new WeakMap<OpenSet, Ledger>();

/** Begins to note what happens to a set, if that has not begun. */
function ledgerOf(set: OpenSet): Ledger {
  let ledger = ledgers.get(set);
  if (ledger === undefined) {
    const made = new Ledger();
    ledger = made;
    ledgers.set(set, made);
    set.context.hooks.onCommitted.add((batch) => made.note(batch));
  }
  return ledger;
}

/** Whether enough has happened that a set's packs may take more than they may. True for a set that was not measured since it was opened. */
export function needsCompaction(set: OpenSet, options: Pick<CompactionOptions, "target" | "slackBytes"> = {}): boolean {
  const ledger = ledgerOf(set);
  return ledger.running === undefined && ledger.isDue(set.context.clock.monotonicMs(), compactionLimits(set, options));
}

/** Runs one pass over a set, or waits for the one under way. @throws as `compactSet` does */
export function runCompaction(set: OpenSet, options: CompactionOptions = {}): Promise<CompactionReport> {
  const ledger = ledgerOf(set);
  ledger.running ??= pass(set, ledger, options).finally(() => {
    ledger.running = undefined;
  });
  return ledger.running;
}

async function pass(set: OpenSet, ledger: Ledger, options: CompactionOptions): Promise<CompactionReport> {
  const { clock } = set.context;
  const end = ledger.begin(clock.monotonicMs());
  let report: CompactionReport | undefined;
  try {
    report = await compactSet(set, options);
    return report;
  } finally {
    end(clock.monotonicMs(), report);
  }
}
