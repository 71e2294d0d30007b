/**
 * Concurrent clients on few keys, with conditions, listings, power cuts and drives away: every history is explained by calls that happened
 * one after another. `HOLDFAST_HISTORIES` sets how many, `HOLDFAST_HISTORY` replays the one of a seed.
 */
import { expect, it } from "vitest";
import { checkLinearizability, formatOperation } from "../src/testing/linearizability.ts";
import { runRegisterTrial, type TrialShape } from "../src/testing/register-trial.ts";
import { tally } from "../src/testing/tally.ts";

const histories = Number(process.env.HOLDFAST_HISTORIES ?? 60);
const replayed = process.env.HOLDFAST_HISTORY;

const shapes: readonly TrialShape[] = [
  { data: 4, parity: 2 },
  { data: 2, parity: 1 },
  { data: 2, parity: 2 },
  { data: 1, parity: 1 },
  { data: 1, parity: 0 },
];

async function judge(seed: number): Promise<{ calls: number; crashes: number; unanswered: number; states: number }> {
  const replay = `replay with HOLDFAST_HISTORY=${seed} npx vitest run test/linearizability.test.ts`;
  try {
    const { operations, crashes, unanswered } = await runRegisterTrial(seed, shapes[seed % shapes.length] as TrialShape);
    const verdict = checkLinearizability(operations);
    if (!verdict.linearizable && replayed !== undefined) {
      for (const operation of operations) if (operation.key === verdict.key) process.stderr.write(`${formatOperation(operation)}\n`);
    }
    if (!verdict.linearizable) throw new Error(`key ${verdict.key}: ${verdict.why}`);
    return { calls: operations.length, crashes, unanswered, states: verdict.states };
  } catch (error) {
    throw new Error(`${replay}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

it("histories of concurrent clients with crashes are linearizable", { timeout: 60_000 + histories * 2000 }, async () => {
  const totals = { histories: 0, calls: 0, crashes: 0, unanswered: 0, states: 0 };
  const seeds = replayed === undefined ? Array.from({ length: histories }, (_, i) => i + 1) : [Number(replayed)];
  for (const seed of seeds) {
    const report = await judge(seed);
    totals.histories++;
    for (const name of ["calls", "crashes", "unanswered", "states"] as const) totals[name] += report[name];
  }
  process.stdout.write(`linearizability: ${JSON.stringify(totals)}\n`);
  tally("linearizable histories", totals.histories);
  if (replayed === undefined) {
    expect(totals.crashes).toBeGreaterThan(histories);
    expect(totals.unanswered).toBeGreaterThan(histories);
  }
});
