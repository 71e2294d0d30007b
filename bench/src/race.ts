/**
 * Comparing things on a noisy machine: everything runs in turns, several rounds, and ratios are taken within a round, where both sides
 * have seen the same neighbours. What is reported are medians over the rounds.
 */
import { Bench, type FnReturnedObject } from "tinybench";

/** One side of a comparison. `run` does one iteration, or a slice of many and says how long one took. */
export interface Runner {
  readonly name: string;
  readonly run: () => unknown;
  readonly async: boolean;
}

export interface RaceOptions {
  readonly rounds: number;
  /** Time for each runner in each round. A runner that measures slices by itself runs one slice a round when this is 0. */
  readonly timeMs: number;
}

/** Milliseconds of one iteration, a value for each round, by runner. */
export type RaceTimes = ReadonlyMap<string, readonly number[]>;

/** Runs all in turns; the order changes from round to round. A first round, not counted, warms everything up. */
export async function race(runners: readonly Runner[], { rounds, timeMs }: RaceOptions): Promise<RaceTimes> {
  const times = new Map<string, number[]>(runners.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    const bench = new Bench({ time: timeMs, iterations: 1, warmup: false, throws: true });
    const shift = round % runners.length;
    for (const { name, run, async } of [...runners.slice(shift), ...runners.slice(0, shift)]) bench.add(name, run, { async });
    await bench.run();
    for (const task of bench.tasks) {
      if (task.result.state !== "completed") throw new Error(`${task.name} ended ${task.result.state}`);
      if (round > 0) times.get(task.name)?.push(task.result.latency.p50);
    }
  }
  return times;
}

/** The median time of a runner, milliseconds. */
export function medianMs(times: RaceTimes, name: string): number {
  return median(times.get(name) ?? []);
}

/** How many times faster `name` is than `base`: the median of the rounds' ratios. */
export function speedup(times: RaceTimes, name: string, base: string): number {
  const own = times.get(name) ?? [];
  const others = times.get(base) ?? [];
  return median(own.map((ms, round) => (others[round] ?? Number.NaN) / ms));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export interface SliceOptions {
  readonly inFlight: number;
  /** No operation begins after this time, but each lane does at least one. */
  readonly timeMs: number;
  /** One operation; `index` counts over the whole life of the bench. */
  readonly operation: (index: number) => unknown;
  /** Awaited at the end, on the clock: what was answered early becomes durable here. */
  readonly settle?: () => Promise<unknown>;
}

/** A runner that keeps operations in flight for a slice of time and answers with the time of one. */
export function slices(name: string, { inFlight, timeMs, operation, settle }: SliceOptions): Runner {
  let next = 0;
  return {
    name,
    async: true,
    async run(): Promise<FnReturnedObject> {
      const first = next;
      const start = performance.now();
      const lane = async (): Promise<void> => {
        do await operation(next++);
        while (performance.now() - start < timeMs);
      };
      await Promise.all(Array.from({ length: inFlight }, lane));
      await settle?.();
      const elapsed = performance.now() - start;
      return { overriddenDuration: elapsed / (next - first), overriddenIterationCost: elapsed };
    },
  };
}
