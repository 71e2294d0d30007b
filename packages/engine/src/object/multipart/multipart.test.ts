import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { codeOf, createMemoryObjectStore } from "../../testing/memory-object-store.ts";
import type { Bucket } from "../bucket.ts";

const big = new Uint8Array(3000).map((_, i) => i % 241);

async function open(): Promise<ReturnType<typeof createMemoryObjectStore> & { bucket: Bucket }> {
  const memory = createMemoryObjectStore({ setCount: 2 });
  return { ...memory, bucket: await memory.store.createBucket("films") };
}

function blobs(sets: ReturnType<typeof createMemoryObjectStore>["sets"]): [live: number, loose: number, open: number] {
  const sum = (of: (set: (typeof sets)[number]) => number): number => sets.reduce((total, set) => total + of(set), 0);
  return [sum((set) => set.liveBlobs), sum((set) => set.looseBlobs), sum((set) => set.openReaders)];
}

describe("multipart", () => {
  it("makes an object of parts uploaded in any order, at the same time, over a reopen", async () => {
    const { bucket, reopen, sets } = await open();
    const begun = await bucket.createUpload("film", { contentType: "video/mp4", metadata: { a: "1" }, tags: { t: "1" } });
    const upload = reopen().bucket("films").upload("film", begun.uploadId);
    const [third, first, second] = await Promise.all([
      upload.uploadPart(3, "tail"),
      upload.uploadPart(1, big),
      upload.uploadPart(2, new Blob([big])),
    ]);
    await upload.uploadPart(9, big);
    const whole = Buffer.concat([big, big, Buffer.from("tail")]);
    const completed = await upload.complete([first, second, third]);
    const digests = Buffer.concat([big, big, Buffer.from("tail")].map((part) => createHash("md5").update(part).digest()));
    expect(completed).toMatchObject({ key: "film", size: whole.byteLength, etag: `${createHash("md5").update(digests).digest("hex")}-3` });
    const got = await bucket.get("film");
    expect(got).toMatchObject({ contentType: "video/mp4", metadata: { a: "1" }, tagCount: 1, partCount: 3 });
    expect(Buffer.from(await got.bytes())).toEqual(whole);
    for (const [start, end] of [
      [0, 0],
      [2999, 3000],
      [2990, 6003],
      [6001, 6001],
      [10, 2000],
    ] as const) {
      expect(Buffer.from(await (await bucket.get("film", { range: { start, end } })).bytes())).toEqual(whole.subarray(start, end + 1));
    }
    const part = await bucket.get("film", { partNumber: 3 });
    expect([await part.text(), part.range]).toEqual(["tail", { start: 6000, end: 6003 }]);
    expect(await codeOf(bucket.get("film", { partNumber: 4 }))).toBe("RANGE_NOT_SATISFIABLE");
    expect(blobs(sets)).toEqual([2, 0, 0]);
    await bucket.delete("film");
    expect(blobs(sets)).toEqual([0, 0, 0]);
    expect(sets.reduce((total, set) => total + set.size, 0)).toBe(2);
  });

  it("answers a repeated completion the same, until the object has gone", async () => {
    const { bucket } = await open();
    const upload = await bucket.createUpload("film");
    const part = await upload.uploadPart(1, "x");
    const first = await upload.complete([part]);
    expect(await upload.complete([part])).toEqual(first);
    await bucket.put("film", "other");
    expect(await codeOf(upload.complete([part]))).toBe("UPLOAD_NOT_FOUND");
    await bucket.setVersioning("enabled");
    const again = await bucket.createUpload("film");
    await again.uploadPart(1, "y");
    const made = await again.complete();
    await bucket.put("film", "newer");
    expect(await again.complete()).toEqual(made);
  });

  it("replaces a part of the same number", async () => {
    const { bucket, sets } = await open();
    const upload = await bucket.createUpload("film");
    const old = await upload.uploadPart(1, big);
    await upload.uploadPart(
      1,
      big.map((byte) => byte + 1),
    );
    await upload.uploadPart(1, "new");
    expect(blobs(sets)).toEqual([0, 0, 0]);
    expect(await codeOf(upload.complete([old]))).toBe("PART_INVALID");
    await upload.complete();
    expect(await (await bucket.get("film")).text()).toBe("new");
  });

  it("copies parts from objects and ranges of them", async () => {
    const { bucket, sets } = await open();
    await bucket.put("source", big);
    const upload = await bucket.createUpload("film");
    await upload.copyPart(1, "source", { range: { start: 0, end: 2499 } });
    await upload.copyPart(2, { key: "source" }, { range: { suffixLength: 5 } });
    await upload.complete();
    expect(Buffer.from(await (await bucket.get("film")).bytes())).toEqual(Buffer.concat([big.subarray(0, 2500), big.subarray(2995)]));
    expect(await codeOf(upload.copyPart(3, "source"))).toBe("UPLOAD_NOT_FOUND");
    expect(blobs(sets)).toEqual([2, 0, 0]);
  });

  it("frees everything when aborted, and refuses what comes later", async () => {
    const { bucket, sets } = await open();
    const upload = await bucket.createUpload("film");
    await Promise.all([upload.uploadPart(1, big), upload.uploadPart(2, "x")]);
    const late = upload.uploadPart(
      3,
      (async function* () {
        yield big;
        await upload.abort();
        yield big;
      })(),
    );
    expect(await codeOf(late)).toBe("UPLOAD_NOT_FOUND");
    expect(blobs(sets)).toEqual([0, 0, 0]);
    expect(sets.reduce((total, set) => total + set.size, 0)).toBe(2);
    const codes = await Promise.all([upload.abort(), upload.complete(), upload.listParts(), upload.uploadPart(1, "x")].map(codeOf));
    expect(new Set(codes)).toEqual(new Set(["UPLOAD_NOT_FOUND"]));
  });

  it("lists parts and uploads in pages", async () => {
    const { bucket } = await open();
    const uploads = [
      await bucket.createUpload("b/2"),
      await bucket.createUpload("a"),
      await bucket.createUpload("a"),
      await bucket.createUpload("b/1"),
    ];
    const [, a] = uploads as [(typeof uploads)[0], (typeof uploads)[0]];
    for (const number of [5, 1, 3]) await a.uploadPart(number, `part ${number}`, { checksums: { crc32: true } });
    const first = await a.listParts({ maxParts: 2 });
    expect(first.parts).toMatchObject([{ partNumber: 1, size: 6, checksums: { crc32: expect.any(String) } }, { partNumber: 3 }]);
    expect(await a.listParts({ startAfter: first.next })).toMatchObject({ parts: [{ partNumber: 5 }], next: undefined });
    const all = await bucket.listUploads();
    expect(all.entries.map((entry) => entry.key)).toEqual(["a", "a", "b/1", "b/2"]);
    const pages: unknown[] = [];
    for (let next: object | undefined = {}; next !== undefined; ) {
      const page: Awaited<ReturnType<Bucket["listUploads"]>> = await bucket.listUploads({ ...next, maxUploads: 1, delimiter: "/" });
      pages.push(...page.entries.map((entry) => entry.key ?? entry.prefix));
      next = page.next;
    }
    expect(pages).toEqual(["a", "a", "b/"]);
    expect((await bucket.listUploads({ prefix: "b/1" })).entries).toMatchObject([{ key: "b/1", uploadId: uploads[3]?.uploadId }]);
  });

  it("refuses bad parts and completions", async () => {
    const { bucket } = await open();
    const upload = await bucket.createUpload("film");
    for (const number of [0, 10_001, 1.5, "1", undefined])
      expect(await codeOf(upload.uploadPart(number as number, "x"))).toBe("ARGUMENT_INVALID");
    expect(await codeOf(upload.complete())).toBe("PART_INVALID");
    await upload.uploadPart(1, "small");
    await upload.uploadPart(2, "tail");
    expect(await codeOf(upload.complete())).toBe("PART_TOO_SMALL");
    expect(await codeOf(upload.complete([{ partNumber: 2 }, { partNumber: 1 }]))).toBe("PART_ORDER_INVALID");
    expect(await codeOf(upload.complete([{ partNumber: 2 }, { partNumber: 2 }]))).toBe("PART_ORDER_INVALID");
    expect(await codeOf(upload.complete([{ partNumber: 3 }]))).toBe("PART_INVALID");
    expect(await codeOf(upload.complete([{ partNumber: 1, etag: "x" }]))).toBe("PART_INVALID");
    expect(await codeOf(upload.complete([]))).toBe("ARGUMENT_INVALID");
    expect(await codeOf(upload.complete([{ partNumber: 1 }], { contentLength: 4 }))).toBe("BODY_LENGTH_MISMATCH");
    expect(await codeOf(upload.uploadPart(1, "x", { contentMd5: "0".repeat(32) }))).toBe("CHECKSUM_MISMATCH");
    expect(await codeOf(bucket.upload("film", "nonsense").complete())).toBe("UPLOAD_NOT_FOUND");
    expect(await codeOf(bucket.upload("other", upload.uploadId).complete())).toBe("UPLOAD_NOT_FOUND");
    expect((await upload.listParts()).parts).toHaveLength(2);
    await upload.complete([{ partNumber: 1 }]);
    expect(await (await bucket.get("film")).text()).toBe("small");
  });
});
