/** Drives that are full, read-only or out of reach, on real file systems. */
import { open, rm } from "node:fs/promises";
import { afterEach, describe, expect, it } from "vitest";
import { isHoldfastError } from "../src/base/errors.ts";
import { KiB, MiB } from "../src/base/units.ts";
import type { Store } from "../src/engine.ts";
import { mountSmall, type SmallMount, whyNoMounts } from "../src/testing/small-mount.ts";
import { filesBelow, looseFiles, makeTemporaryStore, patterned, refusal, type TemporaryStore } from "../src/testing/temporary-store.ts";

const whyNot = await whyNoMounts();
if (whyNot !== undefined) it(`full and read-only drives are not tried here: ${whyNot}`, () => {});

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function mountDrives(count: number, sizeBytes: number): Promise<SmallMount[]> {
  const mounts: SmallMount[] = [];
  for (let i = 0; i < count; i++) {
    const mount = await mountSmall(sizeBytes);
    cleanUps.push(() => mount.remove());
    mounts.push(mount);
  }
  return mounts;
}

/** A place whose stores are opened on these mounts. */
async function placeOn(mounts: readonly SmallMount[]): Promise<Pick<TemporaryStore, "open">> {
  const place = await makeTemporaryStore(0);
  cleanUps.push(() => place.remove());
  const drives = mounts.map((mount) => mount.path);
  return { open: (settings = {}, components = {}) => place.open({ drives, ...settings }, components) };
}

/** Puts until the store stays full (it refuses a little early and looks again); returns the keys that were taken. */
async function fill(store: Store, sizeBytes: number): Promise<string[]> {
  const bucket = store.bucket("things");
  const taken: string[] = [];
  let refusals = 0;
  for (let i = 0; refusals < 5; i++) {
    try {
      await bucket.put(`fill-${i}`, patterned(sizeBytes, i));
      taken.push(`fill-${i}`);
      refusals = 0;
    } catch (error) {
      if (!isHoldfastError(error, "DRIVE_FULL")) throw error;
      expect(error.kind).toBe("exhausted");
      expect(error.message).toContain("delete objects");
      refusals++;
      await store.status();
    }
  }
  return taken;
}

async function expectKept(store: Store, keys: readonly string[], sizeBytes: number): Promise<void> {
  for (const key of keys) {
    const got = await (await store.bucket("things").get(key)).bytes();
    expect(Buffer.compare(got, patterned(sizeBytes, Number(key.split("-")[1]))), key).toBe(0);
  }
}

describe.runIf(whyNot === undefined)("full drives", () => {
  it.each([
    ["large", 700 * KiB, {}],
    ["large, with no reserve,", 700 * KiB, { reserve: 0 }],
    ["small", 20 * KiB, {}],
  ])("refuse %s objects cleanly, can be read and deleted from, and take what fits again", async (_, sizeBytes, settings) => {
    const mounts = await mountDrives(3, 12 * MiB);
    const place = await placeOn(mounts);
    const paths = mounts.map((mount) => mount.path);
    const store = await place.open(settings);
    await store.createBucket("things");
    const taken = await fill(store, sizeBytes);
    expect(taken.length).toBeGreaterThan(5);
    await expectKept(store, taken, sizeBytes);
    const files = (await looseFiles(paths)).length;
    await refusal(store.bucket("things").put("one more", patterned(sizeBytes)), "DRIVE_FULL");
    expect((await looseFiles(paths)).length).toBe(files);
    await refusal(store.bucket("things").head("one more"), "OBJECT_NOT_FOUND");
    const half = taken.splice(0, taken.length / 2);
    for (const key of half) await store.bucket("things").delete(key);
    expect((await store.status()).writable).toBe(true);
    await store.close();
    const again = await place.open(settings);
    await expectKept(again, taken, sizeBytes);
    for (const key of half) await refusal(again.bucket("things").get(key), "OBJECT_NOT_FOUND");
    // Space of small objects comes back only when their packs are compacted; that of large ones with the deletion.
    if (sizeBytes > 256 * KiB) await again.bucket("things").put("fits again", patterned(sizeBytes));
    expect((await again.verify()).faults).toBe(0);
  });

  it("that somebody else has filled to the last byte are still opened, read and deleted from", async () => {
    const mounts = await mountDrives(3, 12 * MiB);
    const place = await placeOn(mounts);
    const store = await place.open();
    const bucket = await store.createBucket("things");
    await bucket.put("fill-1", patterned(900 * KiB, 1));
    await bucket.put("fill-2", patterned(10 * KiB, 2));
    await store.close();
    for (const mount of mounts) await fillFileSystem(mount.path);
    const again = await place.open();
    await expectKept(again, ["fill-1"], 900 * KiB);
    await expectKept(again, ["fill-2"], 10 * KiB);
    const error = await again
      .bucket("things")
      .put("x", "y")
      .catch((reason: unknown) => reason);
    expect(isHoldfastError(error, "DRIVE_FULL", "WRITE_QUORUM_LOST"), String(error)).toBe(true);
    await again.close();
    for (const mount of mounts) await freeFileSystem(mount.path);
    const free = await place.open();
    await free.bucket("things").put("x", "y");
    await expectKept(free, ["fill-1"], 900 * KiB);
    expect((await free.verify()).faults).toBe(0);
  });

  it("refuse a new store, with nothing left on any drive", async () => {
    const mounts = await mountDrives(3, 1 * MiB);
    await fillFileSystem((mounts[2] as SmallMount).path);
    const place = await placeOn(mounts);
    await refusal(place.open(), "DRIVE_FULL", (mounts[2] as SmallMount).path);
    for (const mount of mounts.slice(0, 2)) expect(await filesBelow(mount.path)).toEqual([]);
  });

  it("of which one is full: the others take the writes that fit them", async () => {
    const mounts = [...(await mountDrives(1, 4 * MiB)), ...(await mountDrives(4, 24 * MiB))];
    const place = await placeOn(mounts);
    const store = await place.open({ erasure: { data: 3, parity: 2 } });
    await store.createBucket("things");
    const taken = await fill(store, 300 * KiB);
    await expectKept(store, taken, 300 * KiB);
    expect((await store.status()).writable).toBe(true);
    for (const key of taken.splice(0, 5)) await store.bucket("things").delete(key);
    await store.close();
    const again = await place.open();
    await expectKept(again, taken, 300 * KiB);
    await again.bucket("things").put("fits again", patterned(300 * KiB));
  });
});

describe.runIf(whyNot === undefined)("a full file system of the index", () => {
  it("refuses changes, or takes them, but never ends the process; nothing acknowledged is lost", async () => {
    const [mount] = (await mountDrives(1, 256 * KiB)) as [SmallMount];
    const place = await makeTemporaryStore(3);
    cleanUps.push(() => place.remove());
    const settings = { indexDirectory: `${mount.path}/index` };
    const store = await place.open(settings);
    const bucket = await store.createBucket("things");
    const taken: string[] = [];
    let refused = 0;
    for (let i = 0; i < 4000 && refused < 3; i++) {
      const key = `${"long ".repeat(150)}-${i}`;
      const fault = await bucket.put(key, patterned(10, i)).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (fault === undefined) taken.push(key);
      else expect(isHoldfastError(fault), String(fault)).toBe(true);
      if (fault !== undefined) refused++;
    }
    expect({ refused, some: taken.length > 10 }).toEqual({ refused: 3, some: true });
    await store.close().catch((error: unknown) => expect(isHoldfastError(error), String(error)).toBe(true));
    const again = await place.open();
    await expectKept(again, taken, 10);
    expect((await again.verify()).faults).toBe(0);
  });
});

describe.runIf(whyNot === undefined)("read-only drives", () => {
  it("do not keep a store from opening, up to its parity", async () => {
    const mounts = await mountDrives(3, 12 * MiB);
    const place = await placeOn(mounts);
    const store = await place.open();
    await (await store.createBucket("things")).put("fill-1", patterned(900 * KiB, 1));
    await store.close();
    await (mounts[0] as SmallMount).remount("ro");
    const degraded = await place.open();
    await expectKept(degraded, ["fill-1"], 900 * KiB);
    await degraded.bucket("things").put("fill-2", patterned(900 * KiB, 2));
    const drive = (await degraded.status()).sets[0]?.drives.find(({ location }) => location === mounts[0]?.path);
    expect(drive).toMatchObject({ state: "failed", reason: expect.stringContaining("mount it for writing") });
    await degraded.close();
    for (const mount of mounts) await mount.remount("ro");
    const readOnly = await place.open();
    await expectKept(readOnly, ["fill-1", "fill-2"], 900 * KiB);
    const status = await readOnly.status();
    expect(status.writable).toBe(false);
    expect(status.sets[0]?.reason).toContain("bring drives back");
    await refusal(readOnly.bucket("things").put("x", "y"), "WRITE_QUORUM_LOST");
    await refusal(readOnly.bucket("things").delete("fill-1"), "WRITE_QUORUM_LOST");
    await readOnly.close();
    for (const mount of mounts) await mount.remount("rw");
    const again = await place.open();
    await expectKept(again, ["fill-1", "fill-2"], 900 * KiB);
    await again.bucket("things").put("x", "y");
  });

  it("refuse a new store", async () => {
    const mounts = await mountDrives(3, 1 * MiB);
    await (mounts[1] as SmallMount).remount("ro");
    const place = await placeOn(mounts);
    await refusal(place.open(), "DRIVE_UNWRITABLE", (mounts[1] as SmallMount).path, "mount it for writing");
    expect(await filesBelow((mounts[0] as SmallMount).path)).toEqual([]);
    await (mounts[1] as SmallMount).remount("rw");
    await (await place.open()).close();
  });
});

/** Takes all space there is, down to single bytes. */
async function fillFileSystem(path: string): Promise<void> {
  const file = await open(`${path}/.filler`, "w");
  try {
    for (let size = 1 * MiB; size >= 1; size = Math.floor(size / 8)) {
      for (;;) {
        const wrote = await file.write(new Uint8Array(size)).then(
          ({ bytesWritten }) => bytesWritten,
          () => 0,
        );
        if (wrote < size) break;
      }
    }
  } finally {
    await file.close();
  }
}

async function freeFileSystem(path: string): Promise<void> {
  await rm(`${path}/.filler`);
}
