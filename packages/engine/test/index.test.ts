/** The index of a store: where it lies, when it is trusted, and that it is made again from the packs when it is gone, old or wrong. */
import { cp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSeededRandom } from "../src/base/random.ts";
import { KiB } from "../src/base/units.ts";
import type { RecoveryProgress, Store } from "../src/engine.ts";
import type { StoreSettings } from "../src/store/settings.ts";
import { makeTemporaryStore, refusal, type TemporaryStore } from "../src/testing/temporary-store.ts";

const packs = { packSize: "64KiB" } as const;
let place: TemporaryStore;
beforeEach(async () => {
  place = await makeTemporaryStore(3);
});
afterEach(() => place.remove());

/** Opens the store; counts the packs that had to be read to bring the index up to date. */
async function open(settings: StoreSettings = {}): Promise<{ store: Store; replayed: number }> {
  const steps: RecoveryProgress[] = [];
  const store = await place.open({ ...packs, ...settings }, { onRecovery: (progress) => steps.push(progress) });
  return { store, replayed: steps.at(-1)?.packs ?? 0 };
}

/** Fills several packs. */
async function fill(store: Store, from: number, to: number): Promise<void> {
  const random = createSeededRandom(from);
  const bucket = store.bucket("things");
  for (let i = from; i < to; i += 20) {
    await bucket.putMany(Array.from({ length: 20 }, (_, j) => ({ key: `k${String(i + j).padStart(6, "0")}`, body: random.bytes(2000) })));
  }
}

async function make(count = 200, settings: StoreSettings = {}): Promise<void> {
  const { store } = await open(settings);
  await store.createBucket("things");
  await fill(store, 0, count);
  await store.close();
}

async function expectObjects(store: Store, count: number): Promise<void> {
  let listed = 0;
  for await (const entry of store.bucket("things").list()) expect(entry.key).toBe(`k${String(listed++).padStart(6, "0")}`);
  expect(listed).toBe(count);
  expect((await (await store.bucket("things").get("k000007")).bytes()).byteLength).toBe(2000);
}

function indexOf(drive: number): string {
  return join(place.drive(drive), "index");
}

async function changeCheckpoint(drive: number, change: Record<string, unknown>): Promise<void> {
  const path = join(indexOf(drive), "checkpoint.json");
  await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, "utf8")) as object), ...change }));
}

describe("an index", () => {
  it("lies on the first drive, and a clean end leaves nothing to replay", async () => {
    await make();
    expect(await readdir(indexOf(1))).toEqual(expect.arrayContaining(["checkpoint.json", "index.lmdb"]));
    await expect(readdir(indexOf(2))).rejects.toMatchObject({ code: "ENOENT" });
    const { store, replayed } = await open();
    expect(replayed).toBe(0);
    await expectObjects(store, 200);
  });

  it.each([
    ["was deleted", () => rm(indexOf(1), { recursive: true })],
    ["has lost its checkpoint", () => rm(join(indexOf(1), "checkpoint.json"))],
    ["has a checkpoint that can't be read", () => writeFile(join(indexOf(1), "checkpoint.json"), "{")],
    ["was written by another release", () => changeCheckpoint(1, { version: 1 })],
    ["was open when the machine lost its power", () => changeCheckpoint(1, { closed: undefined, bootId: "another boot" })],
    ["was open on a machine that does not name its boots", () => changeCheckpoint(1, { closed: undefined, bootId: undefined })],
    ["is another set's", () => changeCheckpoint(1, { setId: "0".repeat(32) })],
    ["is cut short", () => truncate(join(indexOf(1), "index.lmdb"), 8192)],
    ["is no index", () => writeFile(join(indexOf(1), "index.lmdb"), "hello".repeat(5000))],
  ])("that %s is made from all packs", async (_, damage) => {
    await make();
    await damage();
    const rebuilt = await open();
    expect(rebuilt.replayed).toBeGreaterThan(3);
    await expectObjects(rebuilt.store, 200);
    await fill(rebuilt.store, 200, 220);
    await rebuilt.store.close();
    const again = await open();
    expect(again.replayed).toBe(0);
    await expectObjects(again.store, 220);
  });

  it("that was open in a process that crashed is brought to the end, not made again", async () => {
    await make();
    await cp(indexOf(1), join(place.folder, "old"), { recursive: true });
    const { store } = await open();
    await fill(store, 200, 240);
    await store.close();
    await rm(indexOf(1), { recursive: true });
    await rename(join(place.folder, "old"), indexOf(1));
    await changeCheckpoint(1, { closed: undefined });
    const behind = await open();
    expect(behind.replayed).toBeGreaterThan(0);
    expect(behind.replayed).toBeLessThan(3);
    await expectObjects(behind.store, 240);
  });

  it("lies on the next drive while the first is away, and the old one catches up when that is back", async () => {
    await make();
    await rename(place.drive(1), join(place.folder, "away"));
    const second = await open();
    await expectObjects(second.store, 200);
    expect(second.replayed).toBeGreaterThan(3);
    await fill(second.store, 200, 260);
    await second.store.bucket("things").delete("k000259");
    await second.store.close();
    expect(await readdir(indexOf(2))).toContain("index.lmdb");
    await rename(join(place.folder, "away"), place.drive(1));
    const back = await open();
    expect(back.replayed).toBeGreaterThan(0);
    await expectObjects(back.store, 259);
    await refusal(back.store.bucket("things").get("k000259"), "OBJECT_NOT_FOUND");
    await back.store.close();
    await rename(place.drive(1), join(place.folder, "away"));
    const stale = await open();
    await expectObjects(stale.store, 259);
  });

  it("lies where the settings say, one for each set", async () => {
    const directory = join(place.folder, "fast", "index");
    await make(200, { indexDirectory: directory });
    await expect(readdir(indexOf(1))).rejects.toMatchObject({ code: "ENOENT" });
    const [set] = await readdir(directory);
    expect(set).toMatch(/^[0-9a-f]{32}$/);
    const there = await open({ indexDirectory: directory });
    expect(there.replayed).toBe(0);
    await expectObjects(there.store, 200);
    await there.store.close();
    const elsewhere = await open();
    expect(elsewhere.replayed).toBeGreaterThan(3);
    await expectObjects(elsewhere.store, 200);
    await elsewhere.store.close();
    await writeFile(join(place.folder, "file"), "");
    await refusal(place.open({ indexDirectory: join(place.folder, "file") }), "SETTINGS_INVALID", "indexDirectory", "name a directory");
    await (await place.open()).close();
  });

  it("keeps large objects and what was given up", async () => {
    const { store } = await open();
    const bucket = await store.createBucket("things");
    for (let i = 0; i < 5; i++) await bucket.put(`large-${i}`, createSeededRandom(i).bytes(300 * KiB));
    await bucket.delete("large-2");
    await bucket.put("large-3", "small now");
    await store.close();
    await rm(indexOf(1), { recursive: true });
    const rebuilt = await open();
    expect(rebuilt.replayed).toBeGreaterThan(0);
    const again = rebuilt.store.bucket("things");
    expect(Buffer.compare(await (await again.get("large-4")).bytes(), createSeededRandom(4).bytes(300 * KiB))).toBe(0);
    expect(await (await again.get("large-3")).text()).toBe("small now");
    await refusal(again.get("large-2"), "OBJECT_NOT_FOUND");
    const report = await rebuilt.store.verify();
    expect(report.faults).toBe(0);
  });
});
