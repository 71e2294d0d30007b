/**
 * Random histories of whole stores under faults against the reference, as tests. `HOLDFAST_HISTORIES` is the number of all, `HOLDFAST_HISTORY`
 * the seed of one to run again.
 */
import { expect, it } from "vitest";
import { drivesOfHistory, History, type HistoryCounts } from "./history.ts";
import { tally } from "./tally.ts";

const operations = 500;
const groups = 4;
const count = Number(process.env.HOLDFAST_HISTORIES ?? 200);
const only = process.env.HOLDFAST_HISTORY;

/** Defines the tests for stores with between `min` and `max` drives: two files of tests run side by side. */
export function defineHistories({ min, max }: { readonly min: number; readonly max: number }): void {
  const seeds = (only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)]).filter((seed) => {
    return drivesOfHistory(seed) >= min && drivesOfHistory(seed) <= max;
  });
  const parts = Array.from({ length: groups }, (_, group) => seeds.filter((_, i) => i % groups === group)).filter((own) => own.length > 0);
  it.each(parts.map((own, i) => [i + 1, own] as const))(
    `histories of stores of ${min} to ${max} drives agree with the reference, part %i`,
    { timeout: 120_000 + count * 5000 },
    (_, own) => runHistories(own),
  );
}

async function runHistories(seeds: readonly number[]): Promise<void> {
  const total: HistoryCounts = { operations: 0, refused: 0, restarts: 0, powerCuts: 0, faults: 0, recuperations: 0, packsCompacted: 0 };
  for (const seed of seeds) {
    const counts = await runHistory(seed);
    for (const name of Object.keys(total) as (keyof HistoryCounts)[]) total[name] += counts[name];
  }
  tally("histories", seeds.length);
  tally("operations in histories", total.operations);
  tally("faults in histories", total.faults);
  tally("restarts in histories", total.restarts);
  tally("times that everything was whole again", total.recuperations);
  tally("packs compacted in histories", total.packsCompacted);
  expect(total.refused).toBeLessThanOrEqual(total.operations / 2);
}

async function runHistory(seed: number): Promise<HistoryCounts> {
  const history = new History(seed);
  try {
    await history.run(operations);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const file = drivesOfHistory(seed) > 4 ? "histories-wide" : "histories";
    throw new Error(`${message}\nreplay: HOLDFAST_HISTORY=${seed} npx vitest run test/${file}.test.ts (in packages/engine)`, {
      cause: error,
    });
  }
  return history.counts;
}
