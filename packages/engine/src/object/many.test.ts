import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { HoldfastError } from "../base/errors.ts";
import { codeOf, createMemoryObjectStore } from "../testing/memory-object-store.ts";

const large = new Uint8Array(5000);

describe("putMany", () => {
  it("puts entries of every kind and answers in order", async () => {
    const { store, home } = createMemoryObjectStore();
    const bucket = await store.createBucket("photos");
    await bucket.put("taken", "old");
    const stream = Readable.from(["never read"]);
    const results = await bucket.putMany([
      { key: "a", body: "1", contentType: "text/plain" },
      { key: "large", body: large },
      { key: "taken", body: "new", ifNoneMatch: "*" },
      { key: "", body: "x" },
      { key: "stream", body: Readable.from(["st", "ream"]) },
      { key: "", body: stream },
      { key: "empty", body: "" },
      { key: "bad", body: "x", checksums: { crc32: "00000000" } },
      null as never,
    ]);
    expect(results.map((result) => (result.ok ? result.size : result.error.code))).toEqual([
      1,
      5000,
      "PRECONDITION_FAILED",
      "KEY_INVALID",
      6,
      "KEY_INVALID",
      0,
      "CHECKSUM_MISMATCH",
      "ARGUMENT_INVALID",
    ]);
    expect(stream.destroyed).toBe(true);
    expect((await bucket.head("a")).contentType).toBe("text/plain");
    expect(await (await bucket.get("stream")).text()).toBe("stream");
    expect([home.liveBlobs, home.looseBlobs]).toEqual([1, 0]);
  });

  it("commits once per set, and more often when there is more than fits", async () => {
    const { store, sets } = createMemoryObjectStore({ setCount: 2 });
    const bucket = await store.createBucket("photos");
    let commits = 0;
    for (const set of sets) {
      const commit = set.commit.bind(set);
      set.commit = (operation, options) => {
        commits++;
        return commit(operation, options);
      };
    }
    await bucket.putMany(Array.from({ length: 1000 }, (_, i) => ({ key: `${i}`, body: "x" })));
    expect(commits).toBe(2);
    await bucket.deleteMany(Array.from({ length: 1000 }, (_, i) => `${i}`));
    expect(commits).toBe(4);
    await bucket.putMany(Array.from({ length: 5000 }, (_, i) => ({ key: `${i}`, body: "x" })));
    expect(commits).toBeGreaterThan(6);
    let count = 0;
    for await (const _ of bucket.list()) count++;
    expect(count).toBe(5000);
  });

  it("gives every version of a key put twice its own id", async () => {
    const { store } = createMemoryObjectStore();
    const bucket = await store.createBucket("photos", { versioning: "enabled" });
    const results = await bucket.putMany([
      { key: "a", body: "1" },
      { key: "a", body: "2" },
      { key: "b", body: "3" },
    ]);
    expect(new Set(results.slice(0, 2).map((result) => result.ok && result.versionId)).size).toBe(2);
    expect(await (await bucket.get("a")).text()).toBe("2");
  });

  it("reports a failed commit for every entry of it", async () => {
    const { store, home } = createMemoryObjectStore();
    const bucket = await store.createBucket("photos");
    home.failNextCommit(new HoldfastError("DRIVE_FULL", "no space"));
    const results = await bucket.putMany([
      { key: "a", body: "1" },
      { key: "b", body: "2" },
    ]);
    expect(results.map((result) => !result.ok && result.error.code)).toEqual(["DRIVE_FULL", "DRIVE_FULL"]);
  });

  it("throws for faults of the whole call", async () => {
    const { store } = createMemoryObjectStore();
    const bucket = await store.createBucket("photos");
    expect(await codeOf(bucket.putMany("abc" as never))).toBe("ARGUMENT_INVALID");
    expect(await codeOf(store.bucket("none").putMany([]))).toBe("BUCKET_NOT_FOUND");
    expect(await codeOf(bucket.putMany([], { signal: AbortSignal.abort() }))).toBe("ABORTED");
    expect(await bucket.putMany([])).toEqual([]);
  });
});

describe("deleteMany", () => {
  it("deletes keys, versions and conditionally", async () => {
    const { store } = createMemoryObjectStore();
    const bucket = await store.createBucket("photos");
    await bucket.putMany(["a", "b", "c"].map((key) => ({ key, body: key })));
    const results = await bucket.deleteMany([
      "a",
      "missing",
      { key: "b", ifMatch: "x" },
      { key: "c", versionId: "null" },
      "",
      { key: "c", versionId: "?" },
      7 as never,
    ]);
    expect(results.map((result) => (result.ok ? result.key : result.error.code))).toEqual([
      "a",
      "missing",
      "PRECONDITION_FAILED",
      "c",
      "KEY_INVALID",
      "VERSION_ID_INVALID",
      "ARGUMENT_INVALID",
    ]);
    expect((await bucket.listPage()).entries).toMatchObject([{ key: "b" }]);
  });

  it("removes all versions of a key in one commit", async () => {
    const { store } = createMemoryObjectStore();
    const bucket = await store.createBucket("photos", { versioning: "enabled" });
    const puts = [await bucket.put("a", "1"), await bucket.put("a", large), await bucket.put("a", "3")];
    await bucket.deleteMany(puts.map(({ key, versionId }) => ({ key, versionId })));
    expect((await bucket.listVersionsPage()).entries).toEqual([]);
    await store.deleteBucket("photos");
  });
});
