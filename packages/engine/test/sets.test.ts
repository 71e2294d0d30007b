/** Stores of several sets, drives with a place in the topology, default shapes, buckets with shapes of their own, several stores at once. */
import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { KiB } from "../src/base/units.ts";
import type { Store } from "../src/engine.ts";
import type { DriveSettings } from "../src/store/settings.ts";
import { filesBelow, makeTemporaryStore, patterned, refusal, type TemporaryStore } from "../src/testing/temporary-store.ts";

const places: TemporaryStore[] = [];
afterEach(async () => {
  for (const place of places.splice(0)) await place.remove();
});

async function makePlace(drives: number): Promise<TemporaryStore> {
  const place = await makeTemporaryStore(drives);
  places.push(place);
  return place;
}

async function keysOf(store: Store, options = {}): Promise<string[]> {
  const keys: string[] = [];
  for await (const entry of store.bucket("things").list(options)) keys.push(entry.key ?? (entry.prefix as string));
  return keys;
}

/** The directories of each set's drives. */
async function membersOf(store: Store): Promise<string[][]> {
  return (await store.status()).sets.map((set) => set.drives.map(({ location }) => location?.split("/").at(-1) ?? "missing"));
}

async function takeAway(place: TemporaryStore, names: readonly string[]): Promise<() => Promise<void>> {
  for (const name of names) await rename(join(place.folder, name), join(place.folder, `${name}-aside`));
  return async () => {
    for (const name of names) await rename(join(place.folder, `${name}-aside`), join(place.folder, name));
  };
}

describe("twelve drives, 4+2", () => {
  const names = Array.from({ length: 300 }, (_, i) => `folder-${i % 7}/${String(i).padStart(4, "0")}`);

  async function makeTwelve(): Promise<{ place: TemporaryStore; store: Store }> {
    const place = await makePlace(12);
    const store = await place.open({ erasure: { data: 4, parity: 2 } });
    const bucket = await store.createBucket("things");
    await bucket.putMany(names.map((key, i) => ({ key, body: `body ${i}` })));
    for (let i = 0; i < 6; i++) await bucket.put(`large-${i}`, patterned(300 * KiB, i + 1));
    return { place, store };
  }

  it("make two sets of six, share the objects, and list them as one", async () => {
    const { store } = await makeTwelve();
    const { sets, writable } = await store.status();
    expect(sets.map((set) => [set.profile, set.drives.length])).toEqual([
      [{ data: 4, parity: 2 }, 6],
      [{ data: 4, parity: 2 }, 6],
    ]);
    expect(writable).toBe(true);
    expect(sets.every((set) => set.sequence > 0)).toBe(true);
    const expected = [...names, ...Array.from({ length: 6 }, (_, i) => `large-${i}`)].sort();
    expect(await keysOf(store)).toEqual(expected);
    expect(await keysOf(store, { delimiter: "/" })).toEqual([
      ...Array.from({ length: 7 }, (_, i) => `folder-${i}/`),
      ...expected.filter((name) => name.startsWith("large")),
    ]);
    const pages: string[] = [];
    let token: string | undefined;
    do {
      const page = await store.bucket("things").listPage({ prefix: "folder-3/", maxKeys: 7, continuationToken: token });
      pages.push(...page.entries.map((entry) => entry.key as string));
      token = page.continuationToken;
    } while (token !== undefined);
    expect(pages).toEqual(expected.filter((name) => name.startsWith("folder-3/")));
    expect((await store.verify()).sets).toBe(2);
  });

  it("stand the loss of two drives in each set, and not of three in one", async () => {
    const { place, store } = await makeTwelve();
    const [first, second] = (await membersOf(store)) as [string[], string[]];
    await store.close();
    const bringBack = await takeAway(place, [...first.slice(1, 3), ...second.slice(0, 2)]);
    const degraded = await place.open();
    for (const [i, key] of names.entries()) expect(await (await degraded.bucket("things").get(key)).text()).toBe(`body ${i}`);
    for (let i = 0; i < 6; i++)
      expect(Buffer.compare(await (await degraded.bucket("things").get(`large-${i}`)).bytes(), patterned(300 * KiB, i + 1))).toBe(0);
    expect(await keysOf(degraded)).toHaveLength(names.length + 6);
    await degraded.close();
    const third = await takeAway(place, [second[5] as string]);
    await refusal(place.open(), "DRIVES_MISSING", "only 3 of 6");
    await third();
    await bringBack();
    const whole = await place.open();
    expect(await keysOf(whole)).toHaveLength(names.length + 6);
  });
});

describe("drives with a place", () => {
  it("are spread so that a whole zone may be lost", async () => {
    const place = await makePlace(6);
    const drives: DriveSettings[] = place.drives.map((path, i) => ({ path, zone: `zone-${Math.floor(i / 2)}` }));
    const store = await place.open({ drives, erasure: { data: 2, parity: 1 } });
    const sets = await membersOf(store);
    expect(sets).toHaveLength(2);
    for (const set of sets) expect(set.map((name) => Math.floor((Number(name.slice(1)) - 1) / 2)).sort()).toEqual([0, 1, 2]);
    const bucket = await store.createBucket("things");
    for (let i = 0; i < 20; i++) await bucket.put(`k${i}`, `body ${i}`);
    await store.close();
    const bringBack = await takeAway(place, ["d3", "d4"]);
    const degraded = await place.open({ drives });
    for (let i = 0; i < 20; i++) expect(await (await degraded.bucket("things").get(`k${i}`)).text()).toBe(`body ${i}`);
    await degraded.bucket("things").put("more", "also without the zone");
    await degraded.close();
    await bringBack();
    expect(await keysOf(await place.open())).toHaveLength(21);
  });

  it("are spread over nodes", async () => {
    const place = await makePlace(8);
    const drives = place.drives.map((path, i) => ({ path, node: `node-${i % 4}` }));
    const store = await place.open({ drives, erasure: { data: 2, parity: 2 } });
    for (const set of await membersOf(store)) expect(set.map((name) => (Number(name.slice(1)) - 1) % 4).sort()).toEqual([0, 1, 2, 3]);
  });
});

describe("shapes", () => {
  it.each([
    [1, 1, 0],
    [2, 1, 1],
    [3, 2, 1],
    [4, 2, 2],
    [5, 3, 2],
    [6, 4, 2],
    [9, 6, 3],
  ])("%d drives make %d+%d when nothing is said", async (count, data, parity) => {
    const place = await makePlace(count);
    const store = await place.open();
    expect((await store.status()).sets.map((set) => set.profile)).toEqual([{ data, parity }]);
    await (await store.createBucket("things")).put("a", patterned(300 * KiB));
    expect((await store.verify()).faults).toBe(0);
  });

  it("of a bucket are its own, for small objects and large ones", async () => {
    const place = await makePlace(6);
    const store = await place.open({ erasure: { data: 4, parity: 2 } });
    const thick = await store.createBucket("thick", { erasure: { data: 1, parity: 3 } });
    await store.createBucket("things");
    await thick.put("large", patterned(400 * KiB, 1));
    await thick.put("small", "three copies and one more");
    await store.bucket("things").put("large", patterned(400 * KiB, 2));
    const sizes: number[] = [];
    for (const drive of place.drives) {
      for (const name of await filesBelow(drive))
        if (name.startsWith("blobs/")) sizes.push(Math.round((await stat(join(drive, name))).size / (100 * KiB)));
    }
    expect(sizes.sort()).toEqual([1, 1, 1, 1, 1, 1, 4, 4, 4, 4]);
    await refusal(store.createBucket("wide", { erasure: { data: 5, parity: 2 } }), "ARGUMENT_INVALID", "5+2", "6");
    await store.close();
    const bringBack = await takeAway(place, ["d1", "d4"]);
    const degraded = await place.open();
    expect((await degraded.bucket("thick").info()).erasure).toEqual({ data: 1, parity: 3 });
    expect(await (await degraded.bucket("thick").get("small")).text()).toBe("three copies and one more");
    expect(Buffer.compare(await (await degraded.bucket("thick").get("large")).bytes(), patterned(400 * KiB, 1))).toBe(0);
    await degraded.close();
    await bringBack();
  });
});

it("several stores live in one process without noticing each other", async () => {
  const stores = await Promise.all(
    Array.from({ length: 4 }, async (_, i) => {
      const place = await makePlace(i + 1);
      const store = await place.open();
      return { place, bucket: await store.createBucket("things"), store };
    }),
  );
  await Promise.all(stores.flatMap(({ bucket }, i) => Array.from({ length: 30 }, (_, j) => bucket.put(`k${j}`, `${i} ${j}`))));
  await stores[1]?.store.close();
  for (const [i, { place, store }] of stores.entries()) {
    const open = i === 1 ? await place.open() : store;
    expect(await (await open.bucket("things").get("k7")).text()).toBe(`${i} 7`);
    expect(await keysOf(open)).toHaveLength(30);
  }
});
