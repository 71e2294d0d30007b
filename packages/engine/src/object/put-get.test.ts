import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { codeOf, createMemoryObjectStore } from "../testing/memory-object-store.ts";
import type { Bucket } from "./bucket.ts";

const small = "hello";
const large = new Uint8Array(5000).map((_, i) => i % 251);

async function open(
  options: Parameters<typeof createMemoryObjectStore>[0] = {},
): Promise<ReturnType<typeof createMemoryObjectStore> & { bucket: Bucket }> {
  const memory = createMemoryObjectStore(options);
  return { ...memory, bucket: await memory.store.createBucket("photos") };
}

function md5(bytes: string | Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

describe("put and get", () => {
  it.each([
    ["text", () => small],
    ["bytes", () => Buffer.from(small)],
    ["an ArrayBuffer", () => new TextEncoder().encode(small).buffer as ArrayBuffer],
    ["a DataView", () => new DataView(new TextEncoder().encode(small).buffer)],
    ["a Blob", () => new Blob([small])],
    ["a Node stream", () => Readable.from([Buffer.from("he"), Buffer.from("llo")])],
    ["a web stream", () => new Blob([small]).stream() as ReadableStream<Uint8Array>],
    [
      "an async iterable",
      async function* () {
        yield "he";
        yield Buffer.from("llo");
      },
    ],
    ["an iterable", () => ["he", new Uint8Array(0), Buffer.from("llo")]],
  ])("stores %s", async (_, make) => {
    const { bucket } = await open();
    const put = await bucket.put("a", make());
    expect(put).toMatchObject({ key: "a", etag: md5(small), size: 5, versionId: undefined });
    const got = await bucket.get("a");
    expect(await got.text()).toBe(small);
    expect(got).toMatchObject({ etag: md5(small), size: 5, range: undefined, contentLength: 5 });
  });

  it.each([
    ["bytes", () => large],
    ["a Blob", () => new Blob([large])],
    ["a Node stream", () => Readable.from([large.subarray(0, 700), large.subarray(700)])],
    ["a web stream", () => new Blob([large]).stream() as ReadableStream<Uint8Array>],
  ])("stores large %s as a blob and frees it when overwritten", async (_, make) => {
    const { bucket, home } = await open();
    expect(await bucket.put("a", make())).toMatchObject({ etag: md5(large), size: 5000 });
    expect(home.liveBlobs).toBe(1);
    expect(await (await bucket.get("a")).bytes()).toEqual(large);
    await bucket.put("a", "x");
    expect([home.liveBlobs, home.looseBlobs, home.openReaders]).toEqual([0, 0, 0]);
  });

  it("hands a body out in every form, once", async () => {
    const { bucket } = await open();
    await bucket.put("json", '{"a":1}', { contentType: "application/json" });
    expect(await (await bucket.get("json")).json()).toEqual({ a: 1 });
    const blob = await (await bucket.get("json")).blob();
    expect([blob.type, await blob.text()]).toEqual(["application/json", '{"a":1}']);
    await bucket.put("large", large);
    const pieces: Uint8Array[] = [];
    for await (const piece of (await bucket.get("large")).stream()) pieces.push(piece);
    expect(Buffer.concat(pieces)).toEqual(Buffer.from(large));
    const once = await bucket.get("large");
    await once.bytes();
    expect(once.bodyUsed).toBe(true);
    expect(await codeOf(once.bytes())).toBe("ARGUMENT_INVALID");
  });

  it("gives pins back when a large body is left, cancelled or closed", async () => {
    const { bucket, home } = await open();
    await bucket.put("large", large);
    const closed = await bucket.get("large");
    expect(home.openReaders).toBe(1);
    closed.close();
    for await (const _ of await bucket.get("large")) break;
    await (await bucket.get("large")).stream().cancel();
    const unread = (await bucket.get("large"))[Symbol.asyncIterator]();
    await unread.return?.(undefined);
    {
      await using _unused = await bucket.get("large");
    }
    expect(home.openReaders).toBe(0);
  });

  it("reads an object to its end although it was deleted meanwhile", async () => {
    const { bucket } = await open();
    await bucket.put("large", large);
    const got = await bucket.get("large");
    await bucket.delete("large");
    expect(await got.bytes()).toEqual(large);
    expect(await codeOf(bucket.get("large"))).toBe("OBJECT_NOT_FOUND");
  });

  it.each([
    ["small", 5, { start: 1, end: 3 }, [1, 4]],
    ["small", 5, { start: 3 }, [3, 5]],
    ["small", 5, { start: 3, end: 99 }, [3, 5]],
    ["small", 5, { suffixLength: 2 }, [3, 5]],
    ["small", 5, { suffixLength: 99 }, [0, 5]],
    ["large", 5000, { start: 1000, end: 3999 }, [1000, 4000]],
    ["large", 5000, { suffixLength: 1 }, [4999, 5000]],
  ] as const)("reads ranges of a %s object", async (_, size, range, [from, to]) => {
    const { bucket } = await open();
    const body = large.subarray(0, size);
    await bucket.put("a", body);
    const got = await bucket.get("a", { range });
    expect(got).toMatchObject({ size, contentLength: to - from, range: { start: from, end: to - 1 } });
    expect(Buffer.from(await got.bytes())).toEqual(Buffer.from(body.subarray(from, to)));
  });

  it.each([
    [{ start: 5 }, "RANGE_NOT_SATISFIABLE"],
    [{ suffixLength: 0 }, "RANGE_NOT_SATISFIABLE"],
    [{ start: 3, end: 2 }, "RANGE_INVALID"],
    [{ start: -1 }, "RANGE_INVALID"],
    [{ start: 0.5 }, "RANGE_INVALID"],
    [{}, "RANGE_INVALID"],
    [{ start: 1, suffixLength: 1 }, "RANGE_INVALID"],
    ["0-1", "RANGE_INVALID"],
    [[{ start: 0 }, { start: 2 }], "UNSUPPORTED"],
  ])("refuses the range %j", async (range, code) => {
    const { bucket } = await open();
    await bucket.put("a", small);
    expect(await codeOf(bucket.get("a", { range: range as never }))).toBe(code);
  });

  it("stores empty objects", async () => {
    const { bucket } = await open();
    expect(await bucket.put("empty", "")).toMatchObject({ size: 0, etag: md5("") });
    expect(await (await bucket.get("empty")).bytes()).toHaveLength(0);
    expect(await codeOf(bucket.get("empty", { range: { start: 0 } }))).toBe("RANGE_NOT_SATISFIABLE");
  });

  it("keeps headers, metadata, tags and checksums", async () => {
    const { bucket, clock } = await open();
    const sha256 = createHash("sha256").update(large).digest();
    const attributes = {
      contentType: "image/jpeg",
      cacheControl: "no-cache",
      contentDisposition: "inline",
      contentEncoding: "gzip",
      contentLanguage: "de",
    };
    await bucket.put("a", large, {
      ...attributes,
      expires: new Date(0),
      metadata: Object.fromEntries([
        ["Zebra", "1"],
        ["a-b", "ü"],
        ["__proto__", "2"],
      ]),
      tags: { colour: "black" },
      checksums: { sha256: sha256.toString("base64"), crc32c: true },
      contentMd5: createHash("md5").update(large).digest(),
    });
    const head = await bucket.head("a");
    expect(head).toMatchObject({ ...attributes, expires: "Thu, 01 Jan 1970 00:00:00 GMT", tagCount: 1 });
    expect(Object.entries(head.metadata).sort()).toEqual([
      ["__proto__", "2"],
      ["a-b", "ü"],
      ["zebra", "1"],
    ]);
    expect(head.checksums).toEqual({ sha256: sha256.toString("hex"), crc32c: expect.stringMatching(/^[0-9a-f]{8}$/) });
    expect(head.lastModified).toEqual(new Date(clock.nowMs()));
  });

  it("makes fast entity tags by setting", async () => {
    const { bucket } = await open({ settings: { etag: "fast" } });
    expect((await bucket.put("a", small)).etag).toMatch(/^x[0-9a-f]{32}$/);
    expect((await bucket.put("b", large)).etag).toMatch(/^x[0-9a-f]{32}$/);
    expect((await bucket.head("a", { ifMatch: (await bucket.head("a")).etag })).size).toBe(5);
  });

  it("keeps everything over a reopen", async () => {
    const { bucket, reopen } = await open();
    await bucket.put("a", small);
    await bucket.put("b", large);
    const again = reopen().bucket("photos");
    expect(await (await again.get("a")).text()).toBe(small);
    expect(await (await again.get("b")).bytes()).toEqual(large);
  });
});
