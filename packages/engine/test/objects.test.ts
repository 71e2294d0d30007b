/** Objects on real drives: keys of every kind, bodies that go wrong, calls at the wrong time. What fails leaves nothing behind. */
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ErrorCode } from "../src/base/errors.ts";
import { KiB, MiB } from "../src/base/units.ts";
import type { Store } from "../src/engine.ts";
import type { ObjectBody } from "../src/object/body.ts";
import type { Bucket } from "../src/object/bucket.ts";
import type { PutOptions } from "../src/object/put-object.ts";
import { filesBelow, looseFiles, makeTemporaryStore, patterned, refusal, type TemporaryStore } from "../src/testing/temporary-store.ts";

let place: TemporaryStore;
let store: Store;
let bucket: Bucket;
beforeEach(async () => {
  place = await makeTemporaryStore(3);
  store = await place.open({ inlineLimit: 16 * KiB, stripeSize: 64 * KiB });
  bucket = await store.createBucket("things");
});
afterEach(() => place.remove());

async function reopen(): Promise<void> {
  await store.close();
  store = await place.open();
  bucket = store.bucket("things");
}

describe("keys", () => {
  const keys = [
    "..",
    "../../etc/passwd",
    "/",
    "//",
    "/absolute",
    "a//b",
    "a/",
    ".",
    "\0",
    "a\0b",
    "\n",
    " ",
    "con",
    "C:\\x",
    "\u{1f600}",
    "é",
    "e\u0301",
    "\uffff",
    "\u{10ffff}",
    "label",
    "packs/0001",
  ];
  const longest = ["x".repeat(1024), "é".repeat(512), "\u{1f600}".repeat(256)];

  it("of every kind keep their objects, small and large, and never become names of files", async () => {
    const names = [...keys, ...longest];
    for (const [i, key] of names.entries()) await bucket.put(key, patterned(i % 2 === 0 ? 100 : 20 * KiB, i + 1));
    await reopen();
    for (const [i, key] of names.entries()) {
      expect(
        Buffer.compare(await (await bucket.get(key)).bytes(), patterned(i % 2 === 0 ? 100 : 20 * KiB, i + 1)),
        JSON.stringify(key),
      ).toBe(0);
    }
    const listed: string[] = [];
    for await (const entry of bucket.list()) listed.push(entry.key as string);
    expect(listed).toEqual([...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    for (const drive of place.drives) {
      for (const name of await filesBelow(drive))
        expect(name).toMatch(/^(label|state|promise|packs\/[0-9a-f]+\.pack|blobs\/[0-9a-f]+\/[0-9a-f]+\.shard)$/);
    }
  });

  it.each([
    ["", "1 to 1,024"],
    ["x".repeat(1025), "1025"],
    ["é".repeat(513), "1026"],
    ["\ud800", "surrogate"],
    ["a\udc00", "surrogate"],
  ])("%j are refused with the reason", async (key) => {
    await refusal(bucket.put(key, "x"), "KEY_INVALID", "key");
    await refusal(bucket.put(key, patterned(20 * KiB)), "KEY_INVALID");
    expect((await bucket.listPage()).entries).toEqual([]);
  });
});

describe("a body that goes wrong leaves nothing on any drive", () => {
  const large = 300 * KiB;

  async function* failing(length: number, cause: Error): AsyncGenerator<Uint8Array> {
    yield patterned(length);
    throw cause;
  }

  /** What every refused put must leave: no shard, no unfinished file, no entry, and a store that goes on. */
  async function expectNothing(key = "bad"): Promise<void> {
    expect(await looseFiles(place.drives)).toEqual([]);
    await refusal(bucket.head(key), "OBJECT_NOT_FOUND");
    expect((await bucket.listPage()).entries).toEqual([]);
    await bucket.put("good", patterned(large));
    await bucket.delete("good");
    await reopen();
    expect(await looseFiles(place.drives)).toEqual([]);
    expect((await bucket.listPage()).entries).toEqual([]);
    expect((await store.verify()).faults).toBe(0);
  }

  it.each<[string, () => ObjectBody, PutOptions, ErrorCode, string[]]>([
    [
      "longer than declared",
      () => Readable.from([patterned(large)]),
      { contentLength: large - 1 },
      "BODY_LENGTH_MISMATCH",
      ["contentLength", String(large - 1)],
    ],
    [
      "shorter than declared",
      () => Readable.from([patterned(large)]),
      { contentLength: large + 1 },
      "BODY_LENGTH_MISMATCH",
      ["contentLength", String(large), String(large + 1)],
    ],
    ["small and shorter than declared", () => "abc", { contentLength: 4 }, "BODY_LENGTH_MISMATCH", ["contentLength", "3", "4"]],
    ["of another checksum", () => patterned(large), { checksums: { sha256: "0".repeat(64) } }, "CHECKSUM_MISMATCH", ["sha256", "0000"]],
    ["of another MD5", () => patterned(large), { contentMd5: "0".repeat(32) }, "CHECKSUM_MISMATCH", ["md5"]],
    ["small and of another checksum", () => "abc", { checksums: { crc32: "00000000" } }, "CHECKSUM_MISMATCH", ["crc32"]],
    ["of a stream that throws at once", () => failing(0, new Error("cable pulled")), {}, "BODY_INVALID", ["cable pulled"]],
    ["of a stream that throws half-way", () => failing(large, new Error("cable pulled")), {}, "BODY_INVALID", ["cable pulled"]],
    ["of no bytes at all", () => Readable.from([{ not: "bytes" }]), {}, "BODY_INVALID", ["object"]],
    ["whose condition does not hold", () => patterned(large), { ifMatch: "0".repeat(32) }, "OBJECT_NOT_FOUND", ["bad"]],
  ])("%s", async (_, body, options, code, mentions) => {
    await refusal(bucket.put("bad", body(), options), code, ...mentions);
    await expectNothing();
  });

  it("aborted half-way, before and after the first stripe", async () => {
    for (const length of [10 * KiB, large]) {
      const controller = new AbortController();
      const source = new Readable({ read() {} });
      source.push(patterned(length));
      const put = bucket.put("bad", source, { signal: controller.signal });
      setTimeout(() => controller.abort(), 20);
      await refusal(put, "ABORTED");
      expect(source.destroyed).toBe(true);
    }
    await expectNothing();
  });

  it("aborted while many others go on", async () => {
    const controller = new AbortController();
    const signalFor = (i: number) => (i % 2 === 0 ? AbortSignal.any([controller.signal]) : undefined);
    const puts = Array.from({ length: 12 }, (_, i) => bucket.put(`k${i}`, patterned(large, i), { signal: signalFor(i) }));
    setImmediate(() => controller.abort());
    const outcomes = await Promise.allSettled(puts);
    const kept = outcomes.flatMap((outcome, i) => (outcome.status === "fulfilled" ? [`k${i}`] : []));
    for (let i = 1; i < 12; i += 2) expect(kept).toContain(`k${i}`);
    await reopen();
    const listed: (string | undefined)[] = [];
    for await (const entry of bucket.list()) listed.push(entry.key);
    expect(listed).toEqual(kept.sort());
    expect((await looseFiles(place.drives)).length).toBe(kept.length * place.drives.length);
  });

  it("in one part of a multipart upload", async () => {
    const upload = await bucket.createUpload("bad");
    await refusal(upload.uploadPart(1, failing(large, new Error("cable pulled"))), "BODY_INVALID");
    await refusal(upload.uploadPart(1, Readable.from([patterned(large)]), { contentLength: 1 }), "BODY_LENGTH_MISMATCH");
    await upload.uploadPart(2, patterned(large));
    await upload.abort();
    await expectNothing();
  });

  it("in one of many", async () => {
    const results = await bucket.putMany([
      { key: "bad", body: patterned(large), contentMd5: "0".repeat(32) },
      { key: "bad", body: "x", contentLength: 2 },
      { key: "fine", body: "x" },
    ]);
    expect(results.map((result) => (result.ok ? "ok" : result.error.code))).toEqual(["CHECKSUM_MISMATCH", "BODY_LENGTH_MISMATCH", "ok"]);
    await bucket.delete("fine");
    await expectNothing();
  });
});

describe("objects replaced and deleted", () => {
  it("give their shards up at once, and readers finish first", async () => {
    await bucket.put("a", patterned(2 * MiB, 1));
    const reading = await bucket.get("a");
    await bucket.put("a", patterned(1 * MiB, 2));
    expect(Buffer.compare(await reading.bytes(), patterned(2 * MiB, 1))).toBe(0);
    expect(Buffer.compare(await (await bucket.get("a")).bytes(), patterned(1 * MiB, 2))).toBe(0);
    await bucket.delete("a");
    await store.close();
    expect(await looseFiles(place.drives)).toEqual([]);
  });
});

function endlessStream(): Readable {
  return new Readable({
    read() {
      this.push(patterned(64 * KiB));
    },
  });
}

describe("a closed store", () => {
  it("answers everything with STORE_CLOSED", async () => {
    await bucket.put("a", "x");
    await bucket.put("b", patterned(300 * KiB));
    const upload = await bucket.createUpload("c");
    const object = await bucket.get("b");
    await store.close();
    const calls: Record<string, () => Promise<unknown>> = {
      createBucket: () => store.createBucket("more"),
      buckets: () => store.buckets(),
      deleteBucket: () => store.deleteBucket("things"),
      status: () => store.status(),
      verify: () => store.verify(),
      info: () => bucket.info(),
      exists: () => bucket.exists(),
      setVersioning: () => bucket.setVersioning("enabled"),
      put: () => bucket.put("a", "y"),
      putLarge: () => bucket.put("a", patterned(300 * KiB)),
      putStream: () => bucket.put("a", Readable.from([patterned(300 * KiB)])),
      putMany: async () => {
        const [result] = await bucket.putMany([{ key: "a", body: "y" }]);
        if (result?.ok === false) throw result.error;
      },
      get: () => bucket.get("a"),
      head: () => bucket.head("a"),
      delete: () => bucket.delete("a"),
      deleteMany: async () => {
        const [result] = await bucket.deleteMany(["a"]);
        if (result?.ok === false) throw result.error;
      },
      copy: () => bucket.copy("a", "d"),
      list: async () => {
        for await (const entry of bucket.list()) expect(entry).toBeUndefined();
      },
      listPage: () => bucket.listPage(),
      listVersions: () => bucket.listVersionsPage(),
      listUploads: () => bucket.listUploads(),
      getTags: () => bucket.getTags("a"),
      setTags: () => bucket.setTags("a", {}),
      createUpload: () => bucket.createUpload("x"),
      uploadPart: () => upload.uploadPart(1, "x"),
      completeUpload: () => upload.complete([{ partNumber: 1, etag: "0".repeat(32) }]),
      abortUpload: () => upload.abort(),
      listParts: () => upload.listParts(),
      bytes: () => object.bytes(),
      nowhere: () => store.bucket("nowhere").get("a"),
    };
    for (const [name, call] of Object.entries(calls)) {
      const error = await call().then(
        () => "it was answered",
        (reason: { code?: string }) => reason.code ?? reason,
      );
      expect.soft(error, name).toBe("STORE_CLOSED");
    }
  });

  it("can be closed again, at once and later, and with await using", async () => {
    await Promise.all([store.close(), store.close()]);
    await store.close();
    await store[Symbol.asyncDispose]();
    {
      await using other = await place.open();
      expect((await other.buckets()).map(({ name }) => name)).toEqual(["things"]);
    }
    await (await place.open()).close();
  });

  it("has finished what was under way, or refused it with nothing left behind", async () => {
    const small = Array.from({ length: 50 }, (_, i) => bucket.put(`small-${i}`, "x"));
    const large = Array.from({ length: 5 }, (_, i) => bucket.put(`large-${i}`, patterned(1 * MiB, i)));
    const endless = bucket.put("endless", endlessStream());
    const outcomes = Promise.allSettled([...small, ...large, endless]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await store.close();
    const codes = (await outcomes).map((outcome) => (outcome.status === "fulfilled" ? "ok" : (outcome.reason as { code: string }).code));
    expect(new Set(codes.slice(0, 50))).toEqual(new Set(["ok"]));
    for (const code of codes.slice(50)) expect(["ok", "STORE_CLOSED"]).toContain(code);
    expect(codes.at(-1)).toBe("STORE_CLOSED");
    const kept = codes.slice(50).filter((code) => code === "ok").length;
    expect((await looseFiles(place.drives)).length).toBe(kept * 3);
    store = await place.open();
    const listed: string[] = [];
    for await (const entry of store.bucket("things").list({ prefix: "large-" })) listed.push(entry.key as string);
    expect(listed).toHaveLength(kept);
    expect((await store.verify()).faults).toBe(0);
  });
});
