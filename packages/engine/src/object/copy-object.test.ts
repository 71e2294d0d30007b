import { describe, expect, it } from "vitest";
import { codeOf, createMemoryObjectStore } from "../testing/memory-object-store.ts";

const large = new Uint8Array(5000).map((_, i) => i % 253);

describe("copy", () => {
  it.each([
    ["small", "abc"],
    ["large", large],
  ])("copies a %s object with all that belongs to it", async (_, body) => {
    const { store, home, clock } = createMemoryObjectStore({ setCount: 2 });
    const [from, to] = [await store.createBucket("from-here"), await store.createBucket("to-there", { versioning: "enabled" })];
    const put = await from.put("a", body, {
      contentType: "text/plain",
      metadata: { m: "1" },
      tags: { t: "1" },
      checksums: { sha256: true },
    });
    clock.advance(60_000);
    const copied = await to.copy({ bucket: "from-here", key: "a" }, "b");
    expect(copied).toMatchObject({ key: "b", etag: put.etag, size: put.size, checksums: put.checksums, sourceVersionId: undefined });
    expect(copied.lastModified).not.toEqual(put.lastModified);
    const got = await to.get("b");
    expect(got).toMatchObject({ contentType: "text/plain", metadata: { m: "1" }, tagCount: 1 });
    await from.delete("a");
    expect(await got.bytes()).toEqual(typeof body === "string" ? new TextEncoder().encode(body) : body);
    expect([home.looseBlobs, home.openReaders]).toEqual([0, 0]);
  });

  it("replaces metadata and tags when told to", async () => {
    const bucket = await createMemoryObjectStore().store.createBucket("photos");
    await bucket.put("a", "abc", { contentType: "text/plain", metadata: { m: "1" }, tags: { t: "1" } });
    await bucket.copy("a", "b", { metadataDirective: "replace", contentType: "text/html" });
    expect(await bucket.head("b")).toMatchObject({ contentType: "text/html", metadata: {}, tagCount: 1 });
    await bucket.copy("a", "a", { tagsDirective: "replace", tags: { u: "2" } });
    expect(await bucket.getTags("a")).toEqual({ u: "2" });
    expect((await bucket.head("a")).metadata).toEqual({ m: "1" });
  });

  it("copies a version and brings it back", async () => {
    const bucket = await createMemoryObjectStore().store.createBucket("photos", { versioning: "enabled" });
    const first = await bucket.put("a", "1");
    await bucket.put("a", "2");
    expect((await bucket.copy({ key: "a", versionId: first.versionId }, "a")).sourceVersionId).toBe(first.versionId);
    expect(await (await bucket.get("a")).text()).toBe("1");
  });

  it("makes one body of a multipart object", async () => {
    const bucket = await createMemoryObjectStore().store.createBucket("photos");
    const upload = await bucket.createUpload("parts");
    await upload.uploadPart(1, large);
    await upload.uploadPart(2, "tail");
    await upload.complete();
    const copied = await bucket.copy("parts", "whole");
    expect(copied.etag).toMatch(/^[0-9a-f]{32}$/);
    expect((await bucket.head("whole")).partCount).toBeUndefined();
    expect(Buffer.from(await (await bucket.get("whole")).bytes())).toEqual(Buffer.concat([large, Buffer.from("tail")]));
  });

  it.each([
    [{ key: "missing" }, {}, "OBJECT_NOT_FOUND"],
    [{ key: "" }, {}, "KEY_INVALID"],
    [{ key: "a", bucket: "none" }, {}, "BUCKET_NOT_FOUND"],
    [{ key: "a", versionId: "?" }, {}, "VERSION_ID_INVALID"],
    [null, {}, "ARGUMENT_INVALID"],
    ["a", { metadataDirective: "move" }, "ARGUMENT_INVALID"],
    ["a", { contentType: "x" }, "ARGUMENT_INVALID"],
    ["a", { tags: {} }, "ARGUMENT_INVALID"],
    ["a", { checksums: { crc32: "00000000" } }, "CHECKSUM_MISMATCH"],
  ])("refuses %j with %j", async (source, options, code) => {
    const { store, home } = createMemoryObjectStore();
    const bucket = await store.createBucket("photos");
    await bucket.put("a", large);
    expect(await codeOf(bucket.copy(source as never, "b", options as never))).toBe(code);
    expect([home.liveBlobs, home.looseBlobs, home.openReaders]).toEqual([1, 0, 0]);
  });
});
