import { getEventListeners } from "node:events";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { HoldfastError } from "../base/errors.ts";
import { codeOf, createMemoryObjectStore } from "../testing/memory-object-store.ts";
import type { Bucket } from "./bucket.ts";

const large = new Uint8Array(5000);

async function open(): Promise<ReturnType<typeof createMemoryObjectStore> & { bucket: Bucket }> {
  const memory = createMemoryObjectStore();
  return { ...memory, bucket: await memory.store.createBucket("photos") };
}

describe("keys", () => {
  it.each(["..", "/", "//a", "a\0b", "\0", "😀", "a\nb", " ", "é".repeat(512), "\uffff", "x".repeat(1024), "\u{10ffff}"])(
    "takes %j",
    async (key) => {
      const { bucket } = await open();
      await bucket.put(key, "x");
      expect((await bucket.get(key)).key).toBe(key);
      expect((await bucket.listPage()).entries).toMatchObject([{ key }]);
      await bucket.setVersioning("enabled");
      await bucket.delete(key);
      expect((await bucket.listVersionsPage()).entries).toMatchObject([
        { key, deleteMarker: true },
        { key, deleteMarker: false },
      ]);
    },
  );

  it.each(["", "x".repeat(1025), "é".repeat(513), "\ud800", "a\udc00b", 7, null, undefined])("refuses %j", async (key) => {
    const { bucket } = await open();
    const bad = key as string;
    const calls: Promise<unknown>[] = [bucket.put(bad, "x"), bucket.get(bad), bucket.head(bad), bucket.delete(bad), bucket.copy("a", bad)];
    expect(new Set(await Promise.all(calls.map(codeOf)))).toEqual(new Set(["KEY_INVALID"]));
  });
});

describe("bucket names", () => {
  it.each(["abc", "a-b.c1", "0".repeat(63), "my.bucket-1"])("takes %j", async (name) => {
    expect((await createMemoryObjectStore().store.createBucket(name)).name).toBe(name);
  });

  it.each([
    "ab",
    "a".repeat(64),
    "Abc",
    "a_b",
    "-abc",
    "abc-",
    ".abc",
    "a..b",
    "192.168.0.1",
    "xn--abc",
    "sthree-abc",
    "abc-s3alias",
    "abc--ol-s3",
    "a/b",
    "äbc",
    "",
    undefined,
  ])("refuses %j", async (name) => {
    expect(await codeOf(createMemoryObjectStore().store.createBucket(name as string))).toBe("BUCKET_NAME_INVALID");
  });
});

describe("bodies", () => {
  it.each([
    ["longer than declared", Readable.from([Buffer.alloc(10)]), { contentLength: 9 }, "BODY_LENGTH_MISMATCH"],
    ["shorter than declared", Readable.from([Buffer.alloc(10)]), { contentLength: 11 }, "BODY_LENGTH_MISMATCH"],
    ["large and longer than declared", Readable.from([large]), { contentLength: 4999 }, "BODY_LENGTH_MISMATCH"],
    ["large and shorter than declared", Readable.from([large]), { contentLength: 5001 }, "BODY_LENGTH_MISMATCH"],
    ["bytes of another length", Buffer.alloc(3), { contentLength: 4 }, "BODY_LENGTH_MISMATCH"],
    ["with a bad declared length", "abc", { contentLength: -1 }, "ARGUMENT_INVALID"],
    ["with a wrong MD5", "abc", { contentMd5: "0".repeat(32) }, "CHECKSUM_MISMATCH"],
    ["large with a wrong checksum", large, { checksums: { sha256: "0".repeat(64) } }, "CHECKSUM_MISMATCH"],
    ["with a malformed checksum", "abc", { checksums: { sha256: "00" } }, "CHECKSUM_INVALID"],
    ["with an unknown checksum", "abc", { checksums: { sha3: "00" } }, "CHECKSUM_INVALID"],
    ["of numbers", [1, 2, 3], {}, "BODY_INVALID"],
    ["undefined", undefined, {}, "BODY_INVALID"],
    ["null", null, {}, "BODY_INVALID"],
    ["a number", 7, {}, "BODY_INVALID"],
    ["a plain object", {}, {}, "BODY_INVALID"],
    ["a destroyed stream", Readable.from(["a"]).destroy(), {}, "BODY_INVALID"],
    ["with bad metadata", "abc", { metadata: { "a b": "c" } }, "METADATA_INVALID"],
    ["with metadata that breaks lines", "abc", { metadata: { a: "b\nc" } }, "METADATA_INVALID"],
    ["with metadata names equal but for case", "abc", { metadata: { a: "1", A: "2" } }, "METADATA_INVALID"],
    ["with too much metadata", "abc", { metadata: { a: "é".repeat(5000) } }, "METADATA_INVALID"],
    ["with a bad content type", "abc", { contentType: 7 }, "METADATA_INVALID"],
    ["with too many tags", "abc", { tags: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`t${i}`, ""])) }, "TAGS_INVALID"],
    ["with a bad tag", "abc", { tags: { "a*": "" } }, "TAGS_INVALID"],
    ["with an empty tag name", "abc", { tags: { "": "" } }, "TAGS_INVALID"],
    ["with a bad condition", "abc", { ifMatch: 7 }, "ARGUMENT_INVALID"],
    ["with a bad date", "abc", { ifUnmodifiedSince: new Date(Number.NaN) }, "ARGUMENT_INVALID"],
    ["with a bad signal", "abc", { signal: {} }, "ARGUMENT_INVALID"],
    ["with options of the wrong type", "abc", "image/png", "ARGUMENT_INVALID"],
  ])("refuses a body %s", async (_, body, options, code) => {
    const { bucket, home } = await open();
    const entries = home.size;
    expect(await codeOf(bucket.put("a", body as never, options as never))).toBe(code);
    expect([home.size, home.liveBlobs, home.looseBlobs]).toEqual([entries, 0, 0]);
  });

  it("passes a source's error on as the cause and ends the source", async () => {
    const { bucket, home } = await open();
    const cause = new Error("cable pulled");
    let ended = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield large;
        throw cause;
      } finally {
        ended = true;
      }
    }
    const error = await bucket.put("a", source()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "BODY_INVALID", cause });
    expect([ended, home.liveBlobs, home.looseBlobs]).toEqual([true, 0, 0]);
    expect(await codeOf(bucket.head("a"))).toBe("OBJECT_NOT_FOUND");
  });

  it("destroys a stream it refuses before reading it", async () => {
    const { bucket } = await open();
    const stream = Readable.from([large]);
    expect(await codeOf(bucket.put("", stream))).toBe("KEY_INVALID");
    expect(stream.destroyed).toBe(true);
    let cancelled = false;
    const web = new ReadableStream<Uint8Array>({
      cancel: () => {
        cancelled = true;
      },
    });
    expect(await codeOf(bucket.put("", web))).toBe("KEY_INVALID");
    expect(cancelled).toBe(true);
  });

  it("stops at once when its signal fires, also in a source that never answers", async () => {
    const { bucket, home } = await open();
    const controller = new AbortController();
    const stuck = new Readable({ read() {} });
    stuck.push(large);
    const put = bucket.put("a", stuck, { signal: controller.signal });
    setImmediate(() => controller.abort(new Error("enough")));
    expect(await codeOf(put)).toBe("ABORTED");
    expect([stuck.destroyed, home.liveBlobs, home.looseBlobs]).toEqual([true, 0, 0]);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    expect(await codeOf(bucket.put("a", "x", { signal: controller.signal }))).toBe("ABORTED");
    expect(await codeOf(bucket.head("a"))).toBe("OBJECT_NOT_FOUND");
  });

  it("discards its blob when the commit fails, and keeps it when only a reopen can tell", async () => {
    const { bucket, home } = await open();
    home.failNextCommit(new HoldfastError("WRITE_QUORUM_LOST", "too few drives"));
    expect(await codeOf(bucket.put("a", large))).toBe("WRITE_QUORUM_LOST");
    expect(home.looseBlobs).toBe(0);
    home.failNextCommit(new HoldfastError("WRITE_QUORUM_LOST", "too few drives", { details: { indeterminate: true } }));
    expect(await codeOf(bucket.put("a", large))).toBe("WRITE_QUORUM_LOST");
    expect(home.looseBlobs).toBe(1);
  });
});
