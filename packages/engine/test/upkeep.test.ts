/** What an open store does for itself, on real directories: everything that is due, at once by `maintain`, or in the background. */
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Store, StoreEvent } from "../src/index.ts";
import { createSimulatedClock } from "../src/testing/simulated-clock.ts";
import { looseFiles, makeTemporaryStore, patterned, refusal, type TemporaryStore } from "../src/testing/temporary-store.ts";

const small = { erasure: { data: 4, parity: 2 }, inlineLimit: "4KiB", stripeSize: "64KiB", packSize: "64KiB", upkeep: false } as const;
const day = 86_400_000;

let place: TemporaryStore;
beforeEach(async () => {
  place = await makeTemporaryStore(6);
});
afterEach(() => place.remove());

async function fill(store: Store, names: string, count: number, bytes = 2000): Promise<void> {
  const bucket = store.bucket("things");
  await Promise.all(Array.from({ length: count }, (_, i) => bucket.put(`${names}${i}`, patterned(bytes + i, i + 1))));
}

async function expectFilled(store: Store, names: string, count: number, bytes = 2000): Promise<void> {
  for (let i = 0; i < count; i++) {
    const body = await (await store.bucket("things").get(`${names}${i}`)).bytes();
    expect(Buffer.compare(body, patterned(bytes + i, i + 1)), `${names}${i}`).toBe(0);
  }
}

/** Reads everything with each pair of drives away in turn. */
async function expectStandsTwoLosses(check: (store: Store) => Promise<void>): Promise<void> {
  for (const [a, b] of [
    [1, 2],
    [3, 4],
    [5, 6],
    [2, 5],
  ] as const) {
    for (const number of [a, b]) await rename(place.drive(number), `${place.drive(number)}-away`);
    const store = await place.open({ ...small, create: false });
    await check(store);
    await store.close();
    for (const number of [a, b]) await rename(`${place.drive(number)}-away`, place.drive(number));
  }
}

describe("maintaining a store", () => {
  it("rebuilds an empty directory in a lost drive's place without a restart, and tells of it", async () => {
    const events: StoreEvent[] = [];
    const store = await place.open(small, { onEvent: (event) => events.push(event) });
    await store.createBucket("things");
    await fill(store, "packed", 30);
    await fill(store, "blob", 5, 200_000);
    await rm(place.drive(3), { recursive: true });
    await store.maintain();
    expect((await store.status()).sets[0]).toMatchObject({ redundancy: 1, writable: true });
    await fill(store, "without", 30);
    await mkdir(place.drive(3));
    await store.maintain();
    const [set] = (await store.status()).sets;
    expect(set?.redundancy).toBe(2);
    expect(set?.drives.map(({ state, whole, votes }) => ({ state, whole, votes }))).toEqual(
      Array.from({ length: 6 }, () => ({ state: "online", whole: true, votes: true })),
    );
    const told = events.filter((event) => event.type === "drive").map(({ from, to }) => `${from} > ${to}`);
    expect(told).toEqual(["online > offline", "offline > rebuilding", "rebuilding > online"]);
    expect(events.filter((event) => event.type === "rebuild").map(({ phase }) => phase)).toEqual(["started", "finished"]);
    expect((await store.status()).events).toEqual(events);
    await store.close();
    await expectStandsTwoLosses(async (open) => {
      await expectFilled(open, "packed", 30);
      await expectFilled(open, "blob", 5, 200_000);
      await expectFilled(open, "without", 30);
    });
  });

  it("codes in full width again what was written while drives were away", async () => {
    let store = await place.open(small);
    await store.createBucket("things");
    await store.close();
    for (const number of [5, 6]) await rename(place.drive(number), `${place.drive(number)}-away`);
    store = await place.open({ ...small, create: false });
    await fill(store, "packed", 40);
    await fill(store, "blob", 4, 150_000);
    await store.close();
    for (const number of [5, 6]) await rename(`${place.drive(number)}-away`, place.drive(number));
    const shardsOf = async (number: number): Promise<number> =>
      (await looseFiles([place.drive(number)])).filter((name) => name.endsWith(".shard")).length;
    store = await place.open({ ...small, create: false });
    expect(await shardsOf(6)).toBe(0);
    await store.maintain();
    expect((await store.status()).events.filter(({ type }) => type === "trouble")).toEqual([]);
    await store.close();
    expect(await Promise.all([1, 2, 3, 4, 5, 6].map(shardsOf))).toEqual([4, 4, 4, 4, 4, 4]);
    await expectStandsTwoLosses(async (open) => {
      await expectFilled(open, "packed", 40);
      await expectFilled(open, "blob", 4, 150_000);
    });
  });

  it("gives the space of deleted and overwritten objects back", async () => {
    const store = await place.open(small);
    await store.createBucket("things");
    for (let round = 0; round < 6; round++) await fill(store, "a", 100, 3000);
    await fill(store, "gone", 100, 3000);
    await store.bucket("things").deleteMany(Array.from({ length: 100 }, (_, i) => `gone${i}`));
    const before = await packBytes(place.drive(1));
    const report = await store.compact();
    expect(report.packs).toBeGreaterThan(3);
    expect(await packBytes(place.drive(1))).toBeLessThan(before / 2);
    await expectFilled(store, "a", 100, 3000);
    await store.close();
    for (const drive of place.drives) await rm(join(drive, "index"), { recursive: true, force: true });
    const again = await place.open({ ...small, create: false });
    await expectFilled(again, "a", 100, 3000);
    for (let i = 0; i < 100; i++) await refusal(again.bucket("things").head(`gone${i}`), "OBJECT_NOT_FOUND");
  });

  it("repairs what a get found wrong", async () => {
    const store = await place.open(small);
    await store.createBucket("things");
    await fill(store, "blob", 1, 200_000);
    const [shard] = (await looseFiles([place.drive(1)])).filter((name) => name.endsWith(".shard"));
    const file = await open(shard as string, "r+");
    await file.write(Buffer.alloc(64, 0xee), 0, 64, 1000);
    await file.close();
    await expectFilled(store, "blob", 1, 200_000);
    await store.maintain();
    expect((await store.status()).events).toContainEqual(expect.objectContaining({ type: "repair", repaired: true }));
    expect(await store.verify({ repair: false })).toMatchObject({ faults: 0 });
  });

  it("aborts uploads nobody went on with, and scrubs when it is time", async () => {
    const clock = createSimulatedClock();
    const store = await place.open({ ...small, upkeep: { abandonedUploads: "2d", scrubEvery: "14d" } }, { clock });
    const bucket = await store.createBucket("things");
    const upload = await bucket.createUpload("film");
    await upload.uploadPart(1, patterned(100_000));
    await store.maintain();
    expect((await upload.listParts()).parts).toHaveLength(1);
    const scrubs = async (): Promise<number> => (await store.status()).events.filter(({ type }) => type === "scrub").length;
    expect(await scrubs()).toBe(1);
    clock.advance(3 * day);
    await store.maintain();
    await refusal(upload.listParts(), "UPLOAD_NOT_FOUND");
    expect(await scrubs()).toBe(1);
    clock.advance(12 * day);
    await store.maintain();
    expect(await scrubs()).toBe(2);
    await store.close();
    expect((await looseFiles(place.drives)).filter((name) => name.endsWith(".shard"))).toEqual([]);
  });

  it("goes on in the background by itself, and ends with closing", async () => {
    const clock = createSimulatedClock();
    const store = await place.open({ ...small, upkeep: { watchEvery: "1s" } }, { clock });
    await store.createBucket("things");
    await fill(store, "a", 20);
    await rm(place.drive(2), { recursive: true });
    const until = async (state: string): Promise<void> => {
      while ((await store.status()).sets[0]?.drives[1]?.state !== state) {
        clock.advance(1000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await until("offline");
    await mkdir(place.drive(2));
    await until("online");
    await store.close();
    await refusal(store.maintain(), "STORE_CLOSED");
    await expectStandsTwoLosses((open) => expectFilled(open, "a", 20));
  });
});

async function packBytes(drive: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(join(drive, "packs"))) {
    const file = await open(join(drive, "packs", name), "r");
    bytes += (await file.stat()).size;
    await file.close();
  }
  return bytes;
}
