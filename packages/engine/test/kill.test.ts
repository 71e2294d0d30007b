/**
 * Processes that are killed while they write. After each kill the store is opened again: every acknowledged change is there, byte for
 * byte; of a change under way all or nothing; and nothing else is left on the drives. At times the index is gone too, or a drive is away
 * for the first opening after the kill, which must then see the same.
 *
 * `HOLDFAST_KILLS` sets the number of kills, `HOLDFAST_SEED` the seed of a run that is to be repeated (what happens is the same then, the
 * moments of the kills only roughly).
 */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../src/base/clock.ts";
import { isHoldfastError } from "../src/base/errors.ts";
import { createSeededRandom } from "../src/base/random.ts";
import type { Store } from "../src/engine.ts";
import { type CompiledScript, compileForChild } from "../src/testing/compile-for-child.ts";
import { type ChildOperation, killSettings } from "../src/testing/kill-child.ts";
import { startChild } from "../src/testing/run-child.ts";
import { filesBelow, makeTemporaryStore, patterned, type TemporaryStore } from "../src/testing/temporary-store.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 25);
const killsOfStore = 5;
const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 1e6));

type Body = readonly [seed: number, size: number] | null;

/** What is known of a store: acknowledged bodies, and changes that were under way at the kill. */
interface Known {
  /** Drives that were away once, by their directory: they lack what was made good meanwhile. */
  readonly laggards: Set<string>;
  readonly bodies: Map<string, Body>;
  readonly underWay: Map<number, ChildOperation>;
  acknowledged: number;
}

let script: CompiledScript;
beforeAll(async () => {
  script = await compileForChild("testing/kill-child.ts");
});
afterAll(() => script.remove());

it(`keeps what it has acknowledged over ${kills} kills (HOLDFAST_SEED=${seed})`, { timeout: 60_000 + kills * 5000 }, async () => {
  process.stdout.write(`${kills} kills, HOLDFAST_SEED=${seed}\n`);
  const random = createSeededRandom(seed);
  let acknowledged = 0;
  for (let done = 0; done < kills; done += killsOfStore) {
    const place = await makeTemporaryStore(4);
    const known: Known = { laggards: new Set(), bodies: new Map(), underWay: new Map(), acknowledged: 0 };
    for (let kill = 0; kill < Math.min(killsOfStore, kills - done); kill++) {
      const from = random.below(4) === 0 ? "start" : "open";
      await writeAndKill(place, known, { seed: random.below(1e9), from, afterMs: random.below(from === "start" ? 100 : 300) });
      if (random.below(4) === 0) await rm(join(place.drive(1), "index"), { recursive: true, force: true });
      if (from === "open" && random.below(3) === 0) await checkWithout(place, known, 1 + random.below(4));
      await check(place, known);
    }
    acknowledged += known.acknowledged;
    await place.remove();
  }
  expect(acknowledged).toBeGreaterThan(kills);
});

/** Lets a process write, and kills it some time after it began to open the store, or had it open. */
async function writeAndKill(
  place: TemporaryStore,
  known: Known,
  options: { seed: number; from: "start" | "open"; afterMs: number },
): Promise<void> {
  const child = startChild(script.path, [JSON.stringify({ ...killSettings, drives: place.drives }), String(options.seed)]);
  for (let line = await child.nextLine(); line !== options.from; line = await child.nextLine()) {
    if (line === undefined) throw new Error(`the child did not open the store: ${(await child.ended()).stderr}`);
  }
  const killed = systemClock.sleep(options.afterMs).then(() => child.kill());
  for await (const line of child.lines) {
    if (line.startsWith("{")) note(known, JSON.parse(line) as ChildOperation);
    else if (line !== "open") acknowledge(known, Number(line));
  }
  await killed;
  const { stderr } = await child.ended();
  expect(stderr).toBe("");
}

function note(known: Known, operation: ChildOperation): void {
  known.underWay.set(operation.number, operation);
}

function acknowledge(known: Known, number: number): void {
  const operation = known.underWay.get(number);
  if (operation === undefined) throw new Error(`operation ${number} was acknowledged before it began`);
  for (const [key, body] of operation.changes) known.bodies.set(key, body);
  known.underWay.delete(number);
  known.acknowledged++;
}

async function check(place: TemporaryStore, known: Known): Promise<void> {
  const store = await place.open(killSettings);
  // A kill may come before the child has made the bucket.
  if ((await store.buckets()).length === 0) await store.createBucket("things");
  const expected = await checkBodies(store, known);
  for await (const entry of uploadsOf(store)) await store.bucket("things").upload(entry.key, entry.uploadId).abort();
  const drives = (await store.status()).sets.flatMap((set) => set.drives);
  const laggards = drives.filter(({ location }) => known.laggards.has(location as string)).map(({ id }) => id);
  const report = await store.verify();
  expect(report.findings.filter((finding) => !finding.repairable || !laggards.includes(finding.drive))).toEqual([]);
  await store.close();
  for (const drive of place.drives) expect((await filesBelow(drive)).filter((name) => name.startsWith("incoming/"))).toEqual([]);
  const blobs = expected.filter(([, size]) => size > killSettings.inlineLimit).length;
  expect((await blobNames(place)).size, "shard files are those of the objects there are").toBe(blobs);
}

/** The same with one drive less, which then comes back. What only that drive can tell is no error: the opening is refused. */
async function checkWithout(place: TemporaryStore, known: Known, number: number): Promise<void> {
  const aside = join(place.folder, "aside");
  await rename(place.drive(number), aside);
  try {
    const store = await place.open(killSettings);
    known.laggards.add(place.drive(number));
    await checkBodies(store, known);
    await store.close();
  } catch (error) {
    if (!isHoldfastError(error, "TAIL_UNDECIDED")) throw error;
  } finally {
    await rename(aside, place.drive(number));
  }
}

/** Compares all objects with what is known; returns their keys and sizes. */
async function checkBodies(store: Store, known: Known): Promise<[key: string, size: number][]> {
  await settleUnderWay(store, known);
  const keys: string[] = [];
  for await (const entry of store.bucket("things").list()) if (entry.key !== undefined) keys.push(entry.key);
  const expected = [...known.bodies].flatMap(([key, body]) => (body === null ? [] : [{ key, body }]));
  expect(keys.sort()).toEqual(expected.map(({ key }) => key).sort());
  for (const { key, body } of expected) expect(await holds(store, key, body), `${key} has the bytes that were acknowledged`).toBe(true);
  return expected.map(({ key, body }) => [key, body[1]]);
}

/** Each change under way at the kill has happened or not, as a whole; from now on it stays so. */
async function settleUnderWay(store: Store, known: Known): Promise<void> {
  for (const { changes } of known.underWay.values()) {
    const happened = await Promise.all(changes.map(([key, body]) => holds(store, key, body)));
    const not = await Promise.all(changes.map(([key]) => holds(store, key, known.bodies.get(key) ?? null)));
    const all = happened.every((yes) => yes);
    expect(all || not.every((yes) => yes), `all or nothing of ${JSON.stringify(changes)} has happened: ${happened}, ${not}`).toBe(true);
    if (all) for (const [key, body] of changes) known.bodies.set(key, body);
  }
  known.underWay.clear();
}

/** Whether a key has this body; null stands for no object. */
async function holds(store: Store, key: string, body: Body): Promise<boolean> {
  try {
    const bytes = await (await store.bucket("things").get(key)).bytes();
    return body !== null && Buffer.compare(bytes, patterned(body[1], body[0])) === 0;
  } catch (error) {
    if (isHoldfastError(error, "OBJECT_NOT_FOUND", "BUCKET_NOT_FOUND")) return body === null;
    throw error;
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
