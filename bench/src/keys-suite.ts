/** What the number of keys costs: one page of a listing, plain and with a delimiter, and opening a store that was closed cleanly. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { openStore, type Store } from "@holdfast/engine";
import { ClassicLevel } from "classic-level";
import { open as openLmdb } from "lmdb";
import { describeBusy, watchBusy } from "./busy.ts";
import { sixDrives } from "./contestants.ts";
import { median, medianMs, type RaceTimes, type Runner, race, slices, speedup } from "./race.ts";
import { formatNumber, formatRatio } from "./report.ts";
import type { SuiteContext } from "./suites.ts";

/** Small folders before and behind the huge one, for listings at the root. */
const sideFolders = 100;
const body = new Uint8Array(64);

/** One number of keys, in every store. */
interface Filled {
  readonly label: string;
  readonly keys: number;
  readonly directory: string;
  readonly store: Store;
  readonly lmdb: ReturnType<typeof openLmdb<Uint8Array, string>>;
  readonly level: ClassicLevel<string, Uint8Array>;
}

export async function keysSuite(context: SuiteContext): Promise<void> {
  const counts = context.smoke ? [500, 2000] : [10_000, 1_000_000];
  const pageKeys = context.smoke ? 100 : 1000;
  const all: Filled[] = [];
  try {
    for (const keys of counts) all.push(await fill(context, keys));
    await listings(context, all as [Filled, Filled], pageKeys);
  } finally {
    for (const filled of all) await Promise.all([filled.store.close(), filled.lmdb.close(), filled.level.close()]);
  }
  await openings(context, all);
}

async function fill({ directory: parent, report }: SuiteContext, keys: number): Promise<Filled> {
  const directory = path.join(parent, String(keys));
  await mkdir(directory);
  const store = await openStore(sixDrives(directory));
  const bucket = await store.createBucket("bench");
  const lmdb = openLmdb<Uint8Array, string>({ path: path.join(directory, "lmdb.mdb"), encoding: "binary" });
  const level = new ClassicLevel<string, Uint8Array>(path.join(directory, "level"), { valueEncoding: "view" });
  await level.open();
  let putMs = 0;
  for (let start = -sideFolders; start < keys; start += 2000) {
    const names = Array.from({ length: Math.min(2000, keys - start) }, (_, i) => keyOf(start + i));
    const begin = performance.now();
    await bucket.putMany(names.map((key) => ({ key, body })));
    putMs += performance.now() - begin;
    await lmdb.batch(() => names.forEach((key) => void lmdb.put(key, body)));
    await level.batch(names.map((key) => ({ type: "put", key, value: body })));
  }
  const label = keys.toLocaleString("en-US");
  report.text(
    `${label} objects of ${body.byteLength} bytes put with putMany (2,000 a call, one call at a time): ${formatNumber(((keys + sideFolders) / putMs) * 1000)} a second.`,
  );
  return { label, keys, directory, store, lmdb, level };
}

/** Negative numbers go to small folders of their own, half of them before the huge folder, half behind it. */
function keyOf(number: number): string {
  if (number >= 0) return `huge/${String(number).padStart(9, "0")}`;
  return `${number % 2 === 0 ? "a" : "z"}${String(-number).padStart(4, "0")}/x`;
}

async function listings({ report, smoke }: SuiteContext, [few, many]: readonly [Filled, Filled], pageKeys: number): Promise<void> {
  const kinds = [
    { kind: "holdfast, plain", list: listPlain },
    { kind: "holdfast, delimiter in the huge folder", list: listFolder },
    { kind: "holdfast, delimiter at the root", list: listRoot },
    { kind: "lmdb, plain", list: listLmdb },
    { kind: "classic-level, plain", list: listLevel },
  ];
  const options = { rounds: smoke ? 1 : 7, timeMs: smoke ? 1 : 150 };
  const runners: Runner[] = kinds.flatMap(({ kind, list }) =>
    [few, many].map((filled) =>
      slices(`${kind}, ${filled.label}`, {
        inFlight: 1,
        timeMs: options.timeMs,
        async operation(index) {
          const start = keyOf((index * 7919) % (filled.keys - pageKeys - 1));
          const listed = await list(filled, start, pageKeys);
          const expected = list === listRoot ? sideFolders + 1 : pageKeys;
          if (listed !== expected) throw new Error(`${kind} listed ${listed} of ${expected}`);
        },
      }),
    ),
  );
  const times = await race(runners, { rounds: options.rounds, timeMs: 0 });
  report.table(
    `One page of ${pageKeys.toLocaleString("en-US")} keys (at the root: ${sideFolders + 1} prefixes), milliseconds`,
    ["listing", `${few.label} keys`, `${many.label} keys`, "many / few"],
    kinds.map(({ kind }) => [
      kind,
      ...[few, many].map(({ label }) => formatNumber(medianMs(times, `${kind}, ${label}`))),
      formatRatio(growth(times, kind, few, many)),
    ]),
  );
  for (const { kind } of kinds.filter(({ kind }) => kind.startsWith("holdfast"))) {
    const value = growth(times, kind, few, many);
    report.goal({ name: `a page costs the same at ${few.label} and ${many.label} keys (${kind})`, value, atMost: 1.5, unit: "×" });
  }
}

function growth(times: RaceTimes, kind: string, few: Filled, many: Filled): number {
  return speedup(times, `${kind}, ${few.label}`, `${kind}, ${many.label}`);
}

async function listPlain({ store }: Filled, startAfter: string, maxKeys: number): Promise<number> {
  return (await store.bucket("bench").listPage({ startAfter, maxKeys })).entries.length;
}

async function listFolder({ store }: Filled, startAfter: string, maxKeys: number): Promise<number> {
  return (await store.bucket("bench").listPage({ prefix: "huge/", delimiter: "/", startAfter, maxKeys })).entries.length;
}

async function listRoot({ store }: Filled): Promise<number> {
  return (await store.bucket("bench").listPage({ delimiter: "/" })).entries.length;
}

async function listLmdb({ lmdb }: Filled, start: string, limit: number): Promise<number> {
  return Array.from(lmdb.getRange({ start, limit })).length;
}

async function listLevel({ level }: Filled, gt: string, limit: number): Promise<number> {
  return (await level.iterator({ gt, limit }).all()).length;
}

async function openings({ report, smoke }: SuiteContext, all: readonly Filled[]): Promise<void> {
  const rows: string[][] = [];
  for (const { label, keys, directory } of all) {
    const times: number[] = [];
    let busy = "";
    for (let round = 0; round < (smoke ? 1 : 7); round++) {
      const answer = watchBusy();
      const start = performance.now();
      const store = await openStore(sixDrives(directory));
      times.push(performance.now() - start);
      busy = describeBusy(answer());
      await store.close();
    }
    rows.push([label, formatNumber(median(times)), formatNumber(Math.max(...times))]);
    if (keys === 1_000_000)
      report.goal({
        name: "opening a cleanly closed store of 1,000,000 objects",
        value: median(times),
        atMost: 1000,
        unit: " ms",
        limit: busy,
      });
  }
  report.table("Opening a cleanly closed store, milliseconds", ["objects", "median", "longest"], rows);
}
