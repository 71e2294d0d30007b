/**
 * Processes that are killed while they write. After each kill the store is opened again: every acknowledged change is there, byte for
 * byte; nothing that was deleted is back; of a change under way all or nothing; and nothing else is left on the drives. At times the
 * process is killed again while it opens the store, the index is gone too, or a drive is away for the first opening after the kill, which
 * must then see the same.
 *
 * `HOLDFAST_KILLS` sets the number of kills, `HOLDFAST_SEED` the seed of a run that is to be repeated (what happens is the same then, the
 * moments of the kills only roughly).
 */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { isHoldfastError } from "../src/base/errors.ts";
import { createSeededRandom } from "../src/base/random.ts";
import { KiB, MiB } from "../src/base/units.ts";
import type { Store } from "../src/engine.ts";
import { type CompiledScript, compileForChild } from "../src/testing/compile-for-child.ts";
import { ObjectLedger } from "../src/testing/object-ledger.ts";
import { RunningWriter } from "../src/testing/run-writer.ts";
import { filesBelow, makeTemporaryStore, type TemporaryStore } from "../src/testing/temporary-store.ts";
import { writerSettings } from "../src/testing/writer-protocol.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 200);
const killsOfStore = 20;
const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 1e6));

/** A store that is killed again and again. */
interface Life {
  readonly place: TemporaryStore;
  readonly ledger: ObjectLedger;
  /** Drives that were away, by their directory: they lack what was made good meanwhile. */
  readonly laggards: Set<string>;
}

let script: CompiledScript;
/** The writer whose turn comes next; it loads its code while the last one's traces are looked at. */
let next: RunningWriter | undefined;
let place: TemporaryStore | undefined;
beforeAll(async () => {
  script = await compileForChild("testing/writer-child.ts");
});
afterEach(async () => {
  await next?.kill();
  await place?.remove();
});
afterAll(() => script.remove());

it(`keeps what it has acknowledged over ${kills} kills (HOLDFAST_SEED=${seed})`, { timeout: 60_000 + kills * 2000 }, async () => {
  const random = createSeededRandom(seed);
  let acknowledged = 0;
  for (let done = 0; done < kills; done += killsOfStore) {
    place = await makeTemporaryStore(4);
    const life: Life = { place, ledger: new ObjectLedger(), laggards: new Set() };
    for (let kill = 0; kill < Math.min(killsOfStore, kills - done); kill++) {
      const from = random.below(4) === 0 ? "start" : "open";
      const when = from === "start" ? { lines: 0, afterMs: random.below(60) } : { lines: random.below(80), afterMs: random.below(10) };
      await writeAndKill(life, { seed: random.below(1e6), from, ...when });
      if (random.below(4) === 0) await rm(join(place.drive(1), "index"), { recursive: true, force: true });
      // A kill while another opening cleans up behind the last one leaves the same.
      const also = random.below(10);
      if (also === 0) await writeAndKill(life, { seed: 0, from: "start", lines: 0, afterMs: random.below(40), lanes: 0 });
      if (also === 1 && from === "open") await checkWithout(life, 1 + random.below(4));
      await check(life, { verify: kill % 4 === 3 });
    }
    acknowledged += life.ledger.acknowledged;
    await place.remove();
  }
  process.stdout.write(`${kills} kills, ${acknowledged} acknowledged changes, HOLDFAST_SEED=${seed}\n`);
  expect(acknowledged).toBeGreaterThan(kills);
});

/** Lets a process write, and kills it some time after it began to open the store, or had it open. */
async function writeAndKill(
  { place, ledger }: Life,
  options: { seed: number; from: "start" | "open"; lines: number; afterMs: number; lanes?: number },
): Promise<void> {
  const writer = next ?? new RunningWriter(script.path);
  next = new RunningWriter(script.path);
  try {
    // Now and then large objects are really large.
    const largeBytesMax = options.seed % 8 === 0 ? 3 * MiB : 200 * KiB;
    const settings = { ...writerSettings, drives: place.drives };
    writer.order({ settings, seed: options.seed, lanes: options.lanes ?? 6, largeBytesMax }, ledger);
    await writer.killAfter(options);
  } finally {
    await writer.kill();
  }
}

async function check({ place, ledger, laggards }: Life, options: { verify: boolean }): Promise<void> {
  const store = await place.open(writerSettings);
  // A kill may come before the child has made the bucket.
  if ((await store.buckets()).length === 0) await store.createBucket("things");
  const objects = await ledger.check(store);
  for await (const entry of uploadsOf(store)) await store.bucket("things").upload(entry.key, entry.uploadId).abort();
  // What a drive that was away lacks, or has too much, is put right in the background; here, now.
  if (laggards.size > 0) await store.rebuild();
  laggards.clear();
  if (options.verify) expect((await store.verify()).findings).toEqual([]);
  await store.close();
  for (const drive of place.drives) expect((await filesBelow(drive)).filter((name) => name.startsWith("incoming/"))).toEqual([]);
  const blobs = [...objects.values()].filter((size) => size > writerSettings.inlineLimit).length;
  expect((await blobNames(place)).size, "shard files are those of the objects there are").toBe(blobs);
}

/** The same with one drive less, which then comes back. What only that drive can tell is no error: the opening is refused. */
async function checkWithout({ place, ledger, laggards }: Life, number: number): Promise<void> {
  const aside = join(place.folder, "aside");
  await rename(place.drive(number), aside);
  try {
    const store = await place.open(writerSettings);
    laggards.add(place.drive(number));
    await ledger.check(store);
    await store.close();
  } catch (error) {
    if (!isHoldfastError(error, "TAIL_UNDECIDED")) throw error;
  } finally {
    await rename(aside, place.drive(number));
  }
}

async function* uploadsOf(store: Store): AsyncGenerator<{ key: string; uploadId: string }> {
  const { entries } = await store.bucket("things").listUploads();
  for (const entry of entries) if (entry.prefix === undefined) yield entry;
}

async function blobNames(place: TemporaryStore): Promise<Set<string>> {
  const names = new Set<string>();
  for (const drive of place.drives) for (const name of await filesBelow(drive)) if (name.startsWith("blobs/")) names.add(name);
  return names;
}
