import { describe, expect, it } from "vitest";
import { codeOf, createMemoryObjectStore } from "../testing/memory-object-store.ts";

describe("buckets", () => {
  it("creates, lists and deletes them, over a reopen", async () => {
    const { store, reopen, clock } = createMemoryObjectStore();
    const createdAt = new Date(clock.nowMs());
    await store.createBucket("zoo", { erasure: { data: 4, parity: 2 } });
    await store.createBucket("abc", { versioning: "enabled" });
    const expected = [
      { name: "abc", createdAt, versioning: "enabled", erasure: undefined },
      { name: "zoo", createdAt, versioning: "off", erasure: { data: 4, parity: 2 } },
    ];
    expect(await store.buckets()).toEqual(expected);
    expect(await reopen().buckets()).toEqual(expected);
    await store.deleteBucket("zoo");
    expect(await reopen().buckets()).toEqual([expected[0]]);
    expect([await store.bucket("abc").exists(), await store.bucket("zoo").exists()]).toEqual([true, false]);
    expect(await store.bucket("abc").info()).toEqual(expected[0]);
  });

  it("never uses a bucket's id again", async () => {
    const { store, home, reopen } = createMemoryObjectStore();
    await store.createBucket("abc");
    await store.deleteBucket("abc");
    const again = await reopen().createBucket("abc");
    await again.put("k", "x");
    expect(home.get(Uint8Array.of(0x30, 0, 0, 0, 2, 0x6b))).toBeDefined();
  });

  it.each([
    [{ versioning: "on" }],
    [{ erasure: { data: 4 } }],
    [{ erasure: { data: 0, parity: 1 } }],
    [{ erasure: { data: 2, parity: 5 } }],
    [{ erasure: { data: 22, parity: 4 } }],
    [{ erasure: { data: 4, parity: 3 } }],
    [{ erasure: "4+2" }],
    [{ signal: 1 }],
  ])("refuses %j", async (options) => {
    expect(await codeOf(createMemoryObjectStore().store.createBucket("abc", options as never))).toBe("ARGUMENT_INVALID");
  });

  it("refuses a second of one name, also at the same time", async () => {
    const { store } = createMemoryObjectStore();
    const first = store.createBucket("abc");
    expect(await codeOf(store.createBucket("abc"))).toBe("BUCKET_EXISTS");
    await first;
    expect(await codeOf(store.createBucket("abc"))).toBe("BUCKET_EXISTS");
  });

  it("fails at use when there is none", async () => {
    const { store } = createMemoryObjectStore();
    const bucket = store.bucket("none");
    const calls: Promise<unknown>[] = [
      bucket.put("a", "x"),
      bucket.get("a"),
      bucket.head("a"),
      bucket.delete("a"),
      bucket.listPage(),
      bucket.list().next(),
      bucket.listVersions().next(),
      bucket.setVersioning("enabled"),
      bucket.info(),
      bucket.createUpload("a"),
      store.deleteBucket("none"),
    ];
    expect(new Set(await Promise.all(calls.map(codeOf)))).toEqual(new Set(["BUCKET_NOT_FOUND"]));
  });

  it("is kept while anything is in it", async () => {
    const { store } = createMemoryObjectStore({ setCount: 3 });
    const bucket = await store.createBucket("abc", { versioning: "enabled" });
    const put = await bucket.put("a", "x");
    expect(await codeOf(store.deleteBucket("abc"))).toBe("BUCKET_NOT_EMPTY");
    const marker = await bucket.delete("a");
    await bucket.delete("a", { versionId: put.versionId });
    expect(await codeOf(store.deleteBucket("abc"))).toBe("BUCKET_NOT_EMPTY");
    await bucket.delete("a", { versionId: marker.versionId });
    const upload = await bucket.createUpload("b");
    expect(await codeOf(store.deleteBucket("abc"))).toBe("BUCKET_NOT_EMPTY");
    await upload.abort();
    await store.deleteBucket("abc");
    expect(await codeOf(bucket.put("a", "x"))).toBe("BUCKET_NOT_FOUND");
  });

  it("lets a put and a deletion at the same time agree", async () => {
    const { store, sets } = createMemoryObjectStore({ setCount: 3 });
    for (let i = 0; i < 20; i++) {
      const bucket = await store.createBucket("abc");
      const puts = [bucket.put(`${i}`, "x"), bucket.put(`${i}/large`, new Uint8Array(5000))];
      const deleted = store.deleteBucket("abc").then(
        () => true,
        () => false,
      );
      const outcomes = await Promise.allSettled(i % 2 === 0 ? puts : [...puts, bucket.put("late", "x")]);
      if (await deleted) expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
      else {
        for await (const entry of bucket.list()) await bucket.delete(entry.key as string);
        await store.deleteBucket("abc");
      }
    }
    expect(sets.map((set) => set.looseBlobs + set.liveBlobs)).toEqual([0, 0, 0]);
  });

  it("discards a body that arrives after its bucket has gone", async () => {
    const { store, home } = createMemoryObjectStore();
    const bucket = await store.createBucket("abc");
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(5000);
      await store.deleteBucket("abc");
      await store.createBucket("abc");
      yield new Uint8Array(5000);
    };
    expect(await codeOf(bucket.put("a", body()))).toBe("BUCKET_NOT_FOUND");
    expect([home.liveBlobs, home.looseBlobs]).toEqual([0, 0]);
    expect((await store.bucket("abc").listPage()).entries).toEqual([]);
  });

  it("cannot be turned back to having no versions", async () => {
    const { store } = createMemoryObjectStore();
    const bucket = await store.createBucket("abc");
    expect(await codeOf(bucket.setVersioning("off" as never))).toBe("ARGUMENT_INVALID");
    await bucket.setVersioning("enabled");
    expect((await bucket.info()).versioning).toBe("enabled");
  });
});
