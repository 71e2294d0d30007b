/**
 * Random histories of whole stores under faults against the reference. `HOLDFAST_HISTORIES` is their number, `HOLDFAST_HISTORY` the seed of
 * one to run again.
 */
import { expect, it } from "vitest";
import { History, type HistoryCounts } from "../src/testing/history.ts";
import { tally } from "../src/testing/tally.ts";

const operations = 500;
const groups = 8;
const count = Number(process.env.HOLDFAST_HISTORIES ?? 200);
const only = process.env.HOLDFAST_HISTORY;
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];

async function runHistory(seed: number): Promise<HistoryCounts> {
  const history = new History(seed);
  try {
    await history.run(operations);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\nreplay: HOLDFAST_HISTORY=${seed} npx vitest run test/histories.test.ts (in packages/engine)`, {
      cause: error,
    });
  }
  return history.counts;
}

it.each(Array.from({ length: groups }, (_, group) => [group + 1, seeds.filter((seed) => seed % groups === group)] as const))(
  "histories agree with the reference, part %i",
  { timeout: 120_000 + count * 5000 },
  async (_, own) => {
    const total: HistoryCounts = { operations: 0, refused: 0, restarts: 0, powerCuts: 0, faults: 0 };
    for (const seed of own) {
      const counts = await runHistory(seed);
      for (const name of Object.keys(total) as (keyof HistoryCounts)[]) total[name] += counts[name];
    }
    tally("histories", own.length);
    tally("operations in histories", total.operations);
    tally("faults in histories", total.faults);
    tally("restarts in histories", total.restarts);
    expect(total.refused).toBeLessThanOrEqual(total.operations / 2);
  },
);
