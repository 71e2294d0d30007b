import { ok } from "node:assert";
import { expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import { computeDigest, type DigestName } from "../codec/digest.ts";
import { parseShardFileName } from "../format/blob-name.ts";
import type { OpenSet } from "../set/open-set.ts";
import { CrashWorld } from "../testing/crash-drive.ts";
import { initSetDrive, openTestSet } from "../testing/test-set.ts";
import type { Bucket } from "./bucket.ts";
import { createObjectStore, type ObjectStore } from "./object-store.ts";
import type { TopologyState } from "./topology.ts";

const drivesPerSet = 3;
const setCount = 2;
const keys = ["a", "b", "c", "d/1", "d/2"];

interface Opened {
  readonly store: ObjectStore;
  readonly bucket: Bucket;
  readonly sets: readonly OpenSet[];
}

/** All keys were in the first set and go to the second one; every third key stays. */
function topologyOf(sets: readonly OpenSet[]): TopologyState {
  const [from, to] = sets as readonly [OpenSet, OpenSet];
  return { sets, chooseSet: (_, keyBytes) => (keyBytes[0] === 0x63 ? from : to), previous: [() => from] };
}

async function open(world: CrashWorld, seed: number): Promise<Opened> {
  const sets: OpenSet[] = [];
  for (let at = 0; at < setCount; at++) {
    const drives = world.drives.slice(at * drivesPerSet, (at + 1) * drivesPerSet);
    sets.push(await openTestSet(drives, { profile: { data: 2, parity: 1 }, settings: { stripeBytes: 64 * KiB, packBytesMax: 64 * KiB } }));
  }
  const store = createObjectStore({
    ...topologyOf(sets),
    homeSet: sets[0] as OpenSet,
    clock: createManualClock(),
    random: createSeededRandom(seed),
    computeDigest: (name, bytes) => computeDigest(name as DigestName, bytes),
    settings: { inlineBytes: 700, etag: "md5", partBytesMin: 1, moveRecordsMax: seed % 2 === 0 ? 3 : undefined },
  });
  return { store, sets, bucket: store.bucket("things") };
}

/** What is known of the newest version of a key: the last one answered for, and those under way. */
class Ledger {
  readonly #acked = new Map<string, string | undefined>();
  readonly #pending = new Map<string, (string | undefined)[]>();

  async change(key: string, body: string | undefined, run: () => Promise<unknown>): Promise<void> {
    const pending = this.#pending.get(key) ?? [];
    this.#pending.set(key, [...pending, body]);
    await run();
    this.#acked.set(key, body);
    this.#pending.set(key, []);
  }

  check(key: string, found: string | undefined): void {
    const possible = [this.#acked.get(key), ...(this.#pending.get(key) ?? [])];
    ok(
      possible.includes(found),
      `${key}: found ${found?.slice(0, 20)}, possible are ${possible.map((body) => body?.slice(0, 20)).join(", ")}`,
    );
    this.#acked.set(key, found);
    this.#pending.set(key, []);
  }
}

/** Changes a key again and again. */
async function write(bucket: Bucket, ledger: Ledger, key: string, random: ReturnType<typeof createSeededRandom>): Promise<void> {
  for (let i = 0; i < 6; i++) {
    const body = `${key} ${random.below(1e9)} `.padEnd(random.below(1800), "x");
    const choice = random.below(6);
    if (choice === 0) await ledger.change(key, undefined, () => bucket.delete(key));
    else if (choice === 1) {
      const upload = await bucket.createUpload(key);
      await upload.uploadPart(1, body);
      await upload.uploadPart(2, "tail");
      await ledger.change(key, `${body}tail`, () => upload.complete());
    } else await ledger.change(key, body, () => bucket.put(key, body));
  }
}

async function bodyOf(bucket: Bucket, key: string): Promise<string | undefined> {
  try {
    return await (await bucket.get(key)).text();
  } catch (error) {
    if (isHoldfastError(error, "OBJECT_NOT_FOUND")) return undefined;
    throw error;
  }
}

async function check({ bucket }: Opened, ledger: Ledger): Promise<void> {
  const listed = new Set<string>();
  for await (const entry of bucket.list()) if (entry.key !== undefined) listed.add(entry.key);
  for (const key of keys) {
    const body = await bodyOf(bucket, key);
    ledger.check(key, body);
    ok(listed.has(key) === (body !== undefined), `${key} is listed when it is there`);
  }
  for await (const entry of bucket.listVersions()) {
    if (entry.key !== undefined && !entry.deleteMarker) await (await bucket.get(entry.key, { versionId: entry.versionId })).bytes();
  }
}

/** Deletes everything; gives the shard files that are left all the same. */
async function leftovers(world: CrashWorld, { bucket, store, sets }: Opened): Promise<string[]> {
  for (const upload of (await bucket.listUploads()).entries) {
    if (upload.key !== undefined) await bucket.upload(upload.key, upload.uploadId).abort();
  }
  for await (const entry of bucket.listVersions()) {
    if (entry.key !== undefined) await bucket.delete(entry.key, { versionId: entry.versionId });
  }
  await store.deleteBucket("things");
  expect(store.upkeep.holdsNothing(sets[1] as OpenSet)).toBe(true);
  await Promise.all(sets.map((set) => set.close()));
  return world.drives.flatMap(({ fileNames }) => fileNames.filter((name) => parseShardFileName(name) !== undefined));
}

/** Fresh drives with everything in the first set. */
async function begin(seed: number, versioning: "off" | "enabled", ledger: Ledger): Promise<CrashWorld> {
  const world = CrashWorld.create(drivesPerSet * setCount, seed);
  await Promise.all(world.drives.map((drive) => initSetDrive(drive)));
  const { store, sets, bucket } = await open(world, seed);
  await store.createBucket("things", { versioning });
  await store.upkeep.changeTopology({ sets, chooseSet: () => sets[0] as OpenSet, previous: [] });
  for (const key of keys) await ledger.change(key, `old ${key}`.padEnd(1000), () => bucket.put(key, `old ${key}`.padEnd(1000)));
  await Promise.all(sets.map((set) => set.close()));
  return world;
}

it.each(["off", "enabled"] as const)("every answered write survives crashes while keys move, with versioning %s", async (versioning) => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = createSeededRandom(seed);
    const ledger = new Ledger();
    let world = await begin(seed, versioning, ledger);
    for (let crashes = 0; crashes < 3; crashes++) {
      const opened = await open(world, seed * 8 + crashes);
      await check(opened, ledger);
      const cut = world.cutAfter(1 + random.below(250));
      const work = Promise.all([
        opened.store.upkeep.moveKeys(),
        ...keys.map((key) => write(opened.bucket, ledger, key, createSeededRandom(random.below(1e9)))),
      ]);
      // What a process without power would say later, nobody hears.
      work.catch(() => undefined);
      await Promise.race([cut, work]);
      world = world.crash(random.below(3) === 0 ? "process kill" : "power cut", seed * 16 + crashes);
    }
    const last = await open(world, seed);
    await check(last, ledger);
    expect(await last.store.upkeep.moveKeys()).toMatchObject({ keysDamaged: 0, keysStray: 0 });
    await check(last, ledger);
    expect(await leftovers(world, last)).toEqual([]);
  }
});
