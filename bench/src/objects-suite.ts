/**
 * Puts and gets of objects from 1 KiB to 256 MiB, next to lmdb, classic-level and files, all durable. Bytes are random, so that
 * LevelDB's compression has nothing to win, and keys come in no order, as names do.
 */
import { randomFillSync } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { describeBusy, watchBusy } from "./busy.ts";
import { type Contestant, type ContestantMaker, classicLevel, holdfast, lmdb, plainFiles, withContestants } from "./contestants.ts";
import { medianMs, type RaceTimes, race, slices, speedup } from "./race.ts";
import { formatNumber, formatRatio } from "./report.ts";
import type { SuiteContext } from "./suites.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** One size and number in flight. */
interface Scenario {
  readonly bytes: number;
  readonly inFlight: number;
  /** Keys that are put over and over; fresh ones each time when undefined. */
  readonly keys?: number;
}

const contenders: readonly ContestantMaker[] = [
  holdfast("holdfast 4+2"),
  holdfast("holdfast 4+2, fast etag", { etag: "fast" }),
  lmdb("lmdb"),
  lmdb("lmdb, synced", { overlappingSync: false }),
  classicLevel("classic-level"),
  plainFiles("files"),
];

export async function smallObjectsSuite(context: SuiteContext): Promise<void> {
  for (const bytes of [KiB, 16 * KiB, 256 * KiB]) {
    for (const inFlight of context.smoke ? [4] : [1, 64, 256]) {
      await compare(context, { bytes, inFlight }, { rounds: context.smoke ? 1 : 5, timeMs: context.smoke ? 5 : 300 });
    }
  }
}

export async function largeObjectsSuite(context: SuiteContext): Promise<void> {
  const scenarios: Scenario[] = context.smoke
    ? [{ bytes: 2 * MiB, inFlight: 2, keys: 2 }]
    : [
        { bytes: 16 * MiB, inFlight: 1, keys: 4 },
        { bytes: 16 * MiB, inFlight: 4, keys: 8 },
        { bytes: 256 * MiB, inFlight: 1, keys: 1 },
      ];
  for (const scenario of scenarios) await compare(context, scenario, { rounds: context.smoke ? 1 : 3, timeMs: context.smoke ? 1 : 600 });
}

async function compare(context: SuiteContext, scenario: Scenario, options: { rounds: number; timeMs: number }): Promise<void> {
  const directory = path.join(context.directory, `${scenario.bytes}-${scenario.inFlight}`);
  await mkdir(directory);
  try {
    await withContestants(directory, contenders, async (all) => {
      const { puts, keys, busy } = await racePuts(all, scenario, options);
      const gets = await raceGets(all, scenario, { ...options, keys });
      print(context, scenario, all, { puts, gets });
      if (scenario.bytes === KiB && scenario.inFlight === 256) printGoals(context, puts, busy);
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Multiplying by an odd number shuffles the numbers below 2^32, so no key comes twice. */
function keyOf(index: number): string {
  return `photos/2026/${(Math.imul(index, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0")}.jpg`;
}

async function racePuts(all: readonly Contestant[], scenario: Scenario, options: { rounds: number; timeMs: number }) {
  const value = randomFillSync(new Uint8Array(scenario.bytes));
  const keys = new Map<string, number>();
  let stopWatching: (() => string) | undefined;
  let busy = "";
  const runners = all.map((contestant, place) => {
    const slice = slices(contestant.name, {
      inFlight: scenario.inFlight,
      timeMs: options.timeMs,
      operation: (index) => {
        const number = index % (scenario.keys ?? Number.POSITIVE_INFINITY);
        keys.set(contestant.name, Math.max(keys.get(contestant.name) ?? 0, number + 1));
        return contestant.put(keyOf(number), value);
      },
      settle: () => contestant.settle(),
    });
    if (place > 0) return slice;
    // The first contestant is the one whose limits are of interest.
    const run = async (): Promise<unknown> => {
      const answer = watchBusy();
      stopWatching = () => describeBusy(answer());
      const result = await slice.run();
      busy = stopWatching();
      return result;
    };
    return { ...slice, run };
  });
  return { puts: await race(runners, { rounds: options.rounds, timeMs: 0 }), keys, busy };
}

async function raceGets(
  all: readonly Contestant[],
  scenario: Scenario,
  options: { rounds: number; timeMs: number; keys: ReadonlyMap<string, number> },
): Promise<RaceTimes> {
  const runners = all.map((contestant) => {
    const count = options.keys.get(contestant.name) as number;
    return slices(contestant.name, {
      inFlight: scenario.inFlight,
      timeMs: options.timeMs,
      async operation(index) {
        const bytes = await contestant.get(keyOf((index * 7919) % count));
        if (bytes?.byteLength !== scenario.bytes)
          throw new Error(`${contestant.name} gave ${bytes?.byteLength} bytes of ${scenario.bytes}`);
      },
    });
  });
  return race(runners, { rounds: options.rounds, timeMs: 0 });
}

function print(
  { report }: SuiteContext,
  { bytes, inFlight }: Scenario,
  all: readonly Contestant[],
  times: { puts: RaceTimes; gets: RaceTimes },
): void {
  const size = bytes >= MiB ? `${bytes / MiB} MiB` : `${bytes / KiB} KiB`;
  const first = (all[0] as Contestant).name;
  const cells = (raceTimes: RaceTimes, name: string): string[] => {
    const perSecond = 1000 / medianMs(raceTimes, name);
    return [
      formatNumber(perSecond),
      formatNumber((perSecond * bytes) / MiB),
      name === first ? "" : formatRatio(speedup(raceTimes, first, name)),
    ];
  };
  report.table(
    `${size}, ${inFlight} in flight`,
    ["store", "puts/s", "MiB/s", `${first} / this`, "gets/s", "MiB/s", `${first} / this`],
    all.map(({ name }) => [name, ...cells(times.puts, name), ...cells(times.gets, name)]),
  );
}

function printGoals({ report }: SuiteContext, puts: RaceTimes, limit: string): void {
  const own = "holdfast 4+2";
  const facts = { unit: "×", limit };
  report.goal({
    name: "durable 1 KiB puts, 256 in flight, over lmdb as it opens by default",
    value: speedup(puts, own, "lmdb"),
    atLeast: 1,
    ...facts,
  });
  report.goal({ name: "the same over lmdb that answers after its sync", value: speedup(puts, own, "lmdb, synced"), atLeast: 1, ...facts });
  report.goal({ name: "the same over files with fsync", value: speedup(puts, own, "files"), atLeast: 10, ...facts });
}
