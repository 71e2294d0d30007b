import { describe, expect, it } from "vitest";
import { HoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import type { Pacer } from "../set/pace.ts";
import { codeOf } from "../testing/memory-object-store.ts";
import type { MemorySet } from "../testing/memory-set.ts";
import { failCommit, openMovingWorld } from "../testing/moving-world.ts";
import type { Bucket } from "./bucket.ts";

const big = new Uint8Array(3000).map((_, i) => i % 241);
const keys = Array.from({ length: 40 }, (_, i) => `dir${i % 3}/${i}`);

async function fill(bucket: Bucket): Promise<void> {
  for (const [i, key] of keys.entries()) {
    if (i % 10 === 9) {
      const upload = await bucket.createUpload(key, { metadata: { made: "of parts" } });
      await upload.uploadPart(1, big);
      await upload.uploadPart(2, "tail");
      await upload.complete();
    } else await bucket.put(key, i % 3 === 0 ? big : `body of ${key}`, { tags: { n: String(i) } });
  }
}

async function contents(bucket: Bucket): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const entry of bucket.listVersions()) {
    if (entry.key === undefined) continue;
    const { key, versionId } = entry;
    const body = entry.deleteMarker ? undefined : await (await bucket.get(key, { versionId })).text();
    found.push({ ...entry, body });
  }
  const listed: unknown[] = [];
  for await (const entry of bucket.list()) listed.push(entry);
  const { entries: uploads } = await bucket.listUploads();
  return [found, listed, uploads];
}

describe("moving keys", () => {
  it("moves everything to where it is mapped, with versions, tags, parts and uploads, and leaves nothing behind", async () => {
    const { bucket, store, sets, mapping, remap, forget } = await openMovingWorld();
    await fill(bucket);
    await bucket.setVersioning("enabled");
    await fill(bucket);
    await bucket.delete(keys[3] as string);
    await bucket.setVersioning("suspended");
    await bucket.put(keys[4] as string, "null version");
    const upload = await bucket.createUpload("film");
    const first = await upload.uploadPart(1, big);
    const second = await upload.uploadPart(2, "small");
    const before = await contents(bucket);
    await remap(mapping([1, 2]));
    expect(await contents(bucket)).toEqual(before);
    const seen: number[] = [];
    const report = await store.upkeep.moveKeys({ onProgress: ({ keysMoved }) => seen.push(keysMoved) });
    expect(report).toMatchObject({ keysTotal: 41, keysMoved: 41, keysDamaged: 0, keysStray: 0 });
    expect(seen.at(-1)).toBe(41);
    expect(await contents(bucket)).toEqual(before);
    await forget();
    expect(await contents(bucket)).toEqual(before);
    expect([sets[0]?.liveBlobs, sets[0]?.size]).toEqual([0, 2]);
    await upload.complete([first, second]);
    expect(await (await bucket.get("film")).bytes()).toHaveLength(3005);
    expect(sets.map((set) => set.looseBlobs + set.openReaders)).toEqual([0, 0, 0]);
    for await (const entry of bucket.listVersions()) {
      if (entry.key !== undefined) await bucket.delete(entry.key, { versionId: entry.versionId });
    }
    expect(sets.map((set) => set.liveBlobs)).toEqual([0, 0, 0]);
  });

  it("gives versions made after a move ids above all earlier ones, also of deleted versions", async () => {
    const { bucket, store, mapping, remap } = await openMovingWorld();
    await bucket.setVersioning("enabled");
    for (let i = 0; i < 50; i++) await bucket.put("other", "x");
    const old = await bucket.put("a", "1");
    await bucket.delete("a", { versionId: old.versionId });
    const kept = await bucket.put("b", "1");
    await remap(mapping([1]));
    await store.upkeep.moveKeys();
    const newer = [await bucket.put("a", "2"), await bucket.put("b", "2")].map((put) => put.versionId as string);
    expect(newer.every((id) => id > (kept.versionId as string))).toBe(true);
  });

  it("moves a key before it is changed, and decides on conditions against what it was", async () => {
    const { bucket, sets, mapping, remap } = await openMovingWorld();
    const put = await bucket.put("a", big);
    await bucket.put("b", "b");
    await remap(mapping([1]));
    expect(await codeOf(bucket.put("a", "x", { ifNoneMatch: "*" }))).toBe("PRECONDITION_FAILED");
    expect([sets[0]?.liveBlobs, sets[1]?.liveBlobs]).toEqual([0, 1]);
    await bucket.put("a", "x", { ifMatch: put.etag });
    expect(await (await bucket.get("a")).text()).toBe("x");
    expect(
      await bucket.putMany([
        { key: "b", body: "1" },
        { key: "c", body: "2" },
        { key: "b", body: "3" },
      ]),
    ).toMatchObject([{ ok: true }, { ok: true }, { ok: true }]);
    expect(await (await bucket.get("b")).text()).toBe("3");
    await bucket.deleteMany(["a", "b"]);
    expect((await bucket.listPage()).entries.map(({ key }) => key)).toEqual(["c"]);
    expect([sets[0]?.size, sets[0]?.liveBlobs]).toEqual([2, 0]);
  });

  it("commits many entries where they are mapped when the mapping is changed in between", async () => {
    const { bucket, sets, mapping, remap } = await openMovingWorld();
    await bucket.put("b", "old");
    const changing = remap(mapping([1]));
    const putting = bucket.putMany(["a", "b", "a"].map((key, i) => ({ key, body: `${i}` })));
    await Promise.all([changing, putting]);
    expect([await (await bucket.get("a")).text(), await (await bucket.get("b")).text()]).toEqual(["2", "1"]);
    expect(sets[0]?.size).toBe(2);
  });

  it("copies a large body that was begun under the earlier mapping", async () => {
    const { bucket, sets, mapping, remap } = await openMovingWorld();
    let go = (): void => undefined;
    const gone = new Promise<void>((resolve) => (go = resolve));
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield big;
      await gone;
      yield big;
    }
    const putting = bucket.put("a", slow());
    const upload = await bucket.createUpload("b");
    const part = upload.uploadPart(1, slow());
    await new Promise((resolve) => setTimeout(resolve, 5));
    await remap(mapping([1]));
    go();
    await Promise.all([putting, part]);
    await upload.complete();
    for (const key of ["a", "b"]) expect(await (await bucket.get(key)).bytes()).toHaveLength(6000);
    expect(sets.map((set) => [set.liveBlobs, set.looseBlobs])).toEqual([
      [0, 0],
      [2, 0],
      [0, 0],
    ]);
  });

  it("moves a key with more versions and parts than one commit takes, and shows it whole when that is left half-way", async () => {
    const { bucket, store, sets, mapping, remap } = await openMovingWorld({ inlineBytes: 64 * 1024 });
    await bucket.setVersioning("enabled");
    const body = new Uint8Array(60_000).fill(7);
    for (let i = 0; i < 45; i++) await bucket.put("a", body);
    const upload = await bucket.createUpload("a");
    await Promise.all(Array.from({ length: 4300 }, (_, i) => upload.uploadPart(i + 1, "part")));
    const before = await contents(bucket);
    await remap(mapping([1]));
    for (const stopAfterBytes of [100_000, 2_400_000, 2_717_000]) {
      const stop = new AbortController();
      let bytes = 0;
      const pacer: Pacer = {
        async spend(more) {
          bytes += more;
          if (bytes > stopAfterBytes) stop.abort();
        },
      };
      expect(await codeOf(store.upkeep.moveKeys({ signal: stop.signal, pacer }))).toBe("ABORTED");
      expect(await contents(bucket)).toEqual(before);
      expect((await upload.listParts({ startAfter: 4200 })).parts).toHaveLength(100);
    }
    expect(sets[1]?.size).toBeGreaterThan(4000);
    await bucket.put("a", "newest");
    expect([sets[0]?.size, (await contents(bucket))[0]]).toEqual([2, [expect.objectContaining({ body: "newest" }), ...older(before[0])]]);
    await remap(mapping([0]));
    await store.upkeep.moveKeys();
    expect((await contents(bucket))[0]).toHaveLength(46);
    expect(sets[1]?.size).toBe(1);
    await upload.complete([{ partNumber: 1 }]);
    expect(await (await bucket.get("a")).text()).toBe("part");
  });

  it.each([0, 1, 2, 3])("shows a key whole when clearing it ended after %d commits and it is mapped back", async (failing) => {
    const { bucket, store, sets, mapping, remap } = await openMovingWorld({ moveRecordsMax: 2 });
    await bucket.setVersioning("enabled");
    for (let i = 0; i < 6; i++) await bucket.put("a", `version ${i}`);
    const before = await contents(bucket);
    await remap(mapping([1]));
    failCommit(sets[0] as MemorySet, failing);
    expect(await codeOf(store.upkeep.moveKeys())).toBe("WRITE_QUORUM_LOST");
    expect(await contents(bucket)).toEqual(before);
    await remap(mapping([0]));
    expect(await contents(bucket)).toEqual(before);
    await store.upkeep.moveKeys();
    expect(await contents(bucket)).toEqual(before);
    expect(sets[1]?.size).toBe(1);
  });

  it.each([0, 1, 2, 3])("deletes a key where it is when copying it ended after %d commits", async (failing) => {
    const { bucket, store, sets, mapping, remap } = await openMovingWorld({ moveRecordsMax: 2, partBytesMin: 1 });
    const upload = await bucket.createUpload("a");
    for (let number = 1; number <= 6; number++) await upload.uploadPart(number, `part ${number}`);
    await upload.complete();
    await remap(mapping([1]));
    failCommit(sets[1] as MemorySet, failing);
    await bucket.delete("a");
    expect(await codeOf(bucket.get("a"))).toBe("OBJECT_NOT_FOUND");
    expect([(await bucket.listPage()).entries, sets[0]?.size]).toEqual([[], 2]);
    await store.upkeep.moveKeys();
    expect(await codeOf(bucket.get("a"))).toBe("OBJECT_NOT_FOUND");
    expect(sets[1]?.size).toBe(1);
  });

  it("turns round half-way without losing what was written since", async () => {
    const { bucket, store, sets, mapping, remap } = await openMovingWorld();
    await fill(bucket);
    await remap(mapping([1]));
    await bucket.put(keys[0] as string, "newer");
    const moving = store.upkeep.moveKeys();
    await new Promise((resolve) => setImmediate(resolve));
    await remap(mapping([0]));
    await moving;
    await store.upkeep.moveKeys();
    expect(await (await bucket.get(keys[0] as string)).text()).toBe("newer");
    expect((await bucket.listPage()).entries).toHaveLength(keys.length);
    expect(sets[1]?.size).toBe(1);
  });

  it("lets what cannot be moved be read, deleted and replaced where it is", async () => {
    const { bucket, store, sets, mapping, remap } = await openMovingWorld();
    await bucket.put("damaged", big);
    await bucket.put("sound", "s");
    const [from] = sets;
    const openBlob = from?.openBlob.bind(from) as NonNullable<typeof from>["openBlob"];
    if (from !== undefined) {
      from.openBlob = (blob) => ({
        ...openBlob(blob),
        // biome-ignore lint/correctness/useYield: it fails before its first piece.
        async *read() {
          throw new HoldfastError("OBJECT_DAMAGED", "too few shards");
        },
      });
    }
    await remap(mapping([1]));
    expect(await store.upkeep.moveKeys()).toMatchObject({ keysMoved: 1, keysDamaged: 1 });
    expect(await codeOf((await bucket.get("damaged")).bytes())).toBe("OBJECT_DAMAGED");
    expect(await bucket.head("damaged")).toMatchObject({ size: 3000 });
    await bucket.delete("damaged");
    expect(await codeOf(bucket.get("damaged"))).toBe("OBJECT_NOT_FOUND");
    await bucket.put("damaged", "new");
    expect(await store.upkeep.moveKeys()).toMatchObject({ keysDamaged: 0 });
    expect([sets[0]?.size, sets[0]?.liveBlobs, sets[1]?.looseBlobs]).toEqual([2, 0, 0]);
  });

  it("keeps the key where it is when the other set takes no writes", async () => {
    const { bucket, sets, mapping, remap } = await openMovingWorld();
    await bucket.put("a", "1");
    await remap(mapping([1]));
    sets[1]?.failNextCommit(new HoldfastError("WRITE_QUORUM_LOST", "too few drives"));
    await bucket.put("a", "2");
    expect([await (await bucket.get("a")).text(), sets[0]?.size]).toEqual(["2", 3]);
    sets[1]?.failNextCommit(new HoldfastError("WRITE_QUORUM_LOST", "undecided", { details: { indeterminate: true } }));
    expect(await codeOf(bucket.put("a", "3"))).toBe("WRITE_QUORUM_LOST");
    await bucket.put("a", "4");
    expect([await (await bucket.get("a")).text(), sets[0]?.size]).toEqual(["4", 2]);
  });

  it("keeps every answer of clients that write side by side while keys move to and fro", async () => {
    const { bucket, store, sets, mapping, remap, forget } = await openMovingWorld();
    const random = createSeededRandom(11);
    let isOver = false;
    const counters = Array.from({ length: 6 }, async (_, client) => {
      let count = 0;
      while (!isOver) {
        const key = `counter${client % 3}`;
        const got = await bucket.get(key).catch(() => undefined);
        const next = `${Number((await got?.text()) ?? "0") + 1}`.padEnd(random.below(3) * 1200 + 8);
        const condition = got === undefined ? { ifNoneMatch: "*" } : { ifMatch: got.etag };
        const put = await bucket.put(key, next, condition).catch((error: unknown) => error);
        if (!(put instanceof Error)) count++;
        else expect(["PRECONDITION_FAILED", "OBJECT_NOT_FOUND"]).toContain((put as HoldfastError).code);
      }
      return count;
    });
    for (let round = 0; round < 30; round++) {
      await remap(mapping([0, 1, 2], round));
      const { keysDamaged } = await store.upkeep.moveKeys();
      expect(keysDamaged).toBe(0);
      if (round % 3 === 2) await forget();
    }
    isOver = true;
    const counts = await Promise.all(counters);
    for (const i of [0, 1, 2]) {
      expect(Number(await (await bucket.get(`counter${i}`)).text())).toBe((counts[i] as number) + (counts[i + 3] as number));
    }
    expect(sets.map((set) => set.looseBlobs + set.openReaders)).toEqual([0, 0, 0]);
    expect(sets.reduce((sum, set) => sum + set.liveBlobs, 0)).toBeLessThanOrEqual(3);
  });
});

function older(versions: unknown): unknown[] {
  return (versions as object[]).map((version) => ({ ...version, isLatest: false }));
}
