/**
 * Power cuts at every step of short scripts on whole stores. `npm run test:crash` runs more of it, or one state again: it hands its options
 * over in `HOLDFAST_CRASH`.
 */
import { expect, it } from "vitest";
import { type Explored, exploreCrashes } from "../src/testing/crash-explorer.ts";
import type { CrashScenario } from "../src/testing/crash-scenario.ts";
import { crashScenarios } from "../src/testing/crash-scenarios.ts";
import { tally } from "../src/testing/tally.ts";

interface Asked {
  readonly seed?: number;
  /** Part of a scenario's name. */
  readonly scenario?: string;
  readonly images?: number;
  readonly cuts?: number;
  readonly point?: number;
  readonly image?: number;
  /** Goes on with further seeds until so many states or minutes are over. */
  readonly states?: number;
  readonly minutes?: number;
  /** Which of how many processes this is. */
  readonly shard?: readonly [number, number];
}

const asked: Asked = JSON.parse(process.env.HOLDFAST_CRASH ?? "{}");
const chosen = crashScenarios.filter(({ name }) => name.includes(asked.scenario ?? ""));
const goesOn = asked.states !== undefined || asked.minutes !== undefined;

function explore(scenario: CrashScenario, seed: number, isOver?: () => boolean): Promise<Explored> {
  const { point, image } = asked;
  return exploreCrashes(scenario, { seed, images: asked.images ?? 1, cutsInRecovery: asked.cuts ?? 1, point, image, isOver });
}

it.runIf(!goesOn).each(chosen.map((scenario) => [scenario.name, scenario] as const))(
  "power cuts at every step of: %s",
  { timeout: 300_000 },
  async (_, scenario) => {
    const { points, states } = await explore(scenario, asked.seed ?? 1);
    tally("crash points", points);
    tally("states after a power cut", states);
    expect(states).toBeGreaterThan(0);
  },
);

it.runIf(goesOn)("power cuts at every step of every scenario, seed after seed", { timeout: 2 ** 31 - 1 }, async () => {
  const [shard, shards] = asked.shard ?? [0, 1];
  const statesMax = (asked.states ?? Number.POSITIVE_INFINITY) / shards;
  const endMs = performance.now() + (asked.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
  let total = 0;
  const isOver = (): boolean => performance.now() >= endMs;
  for (let turn = shard; total < statesMax && !isOver(); turn += shards) {
    const scenario = chosen[turn % chosen.length] as CrashScenario;
    const { points, states } = await explore(scenario, (asked.seed ?? 1) + Math.floor(turn / chosen.length), isOver);
    total += states;
    tally("crash points", points);
    tally("states after a power cut", states);
  }
  expect(total).toBeGreaterThan(0);
});
