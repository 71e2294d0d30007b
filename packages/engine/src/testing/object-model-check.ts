/**
 * A property over whole object stores: random sequences of operations, with reopening in the middle, give what the model gives. Works
 * over any store: hand `checkObjectModel` a way to open one.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { Readable } from "node:stream";
import fc from "fast-check";
import { isHoldfastError } from "../base/errors.ts";
import type { Bucket } from "../object/bucket.ts";
import type { ObjectStore } from "../object/object-store.ts";
import { md5Of, multipartMd5Of, ObjectModel } from "./object-model.ts";
import { anyStep, type OperationName, type ModelStep as Step } from "./object-model-steps.ts";

/** A fresh, empty store under test. Entity tags must be MD5. */
export interface ModelSubject {
  /** The store as it is open now. */
  readonly store: Pick<ObjectStore, "createBucket" | "bucket">;
  /** Bodies above this become blobs; bodies are made in sizes around it. */
  readonly inlineBytes: number;
  /** Least size of a part but the last. */
  readonly partBytesMin: number;
  /** Closes and opens the store again. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

const keys = ["a", "a/", "a/b", "a/b/c", "a/c", "b", "b/x", "\0", "é/ü", "\u{1f600}", "a0", "z".repeat(200)];

/** Runs the property. @throws with a seed, and the shortest sequence unless `shrink` is false, when store and model differ */
export async function checkObjectModel(
  open: () => Promise<ModelSubject>,
  options: { readonly runs: number; readonly steps: number; readonly seed?: number; readonly shrink?: boolean },
): Promise<void> {
  const property = fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: options.steps, size: "max" }), async (steps) => {
    const subject = await open();
    try {
      await subject.store.createBucket("model-bucket");
      const run = new Run(subject);
      for (const each of steps) await run.operations[each.name](each);
      await run.compareAll();
    } finally {
      await subject.close();
    }
  });
  await fc.assert(property, {
    numRuns: options.runs,
    endOnFailure: options.shrink === false,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  });
}

class Run {
  readonly #subject: ModelSubject;
  readonly #model = new ObjectModel();

  constructor(subject: ModelSubject) {
    this.#subject = subject;
  }

  /** What each operation does to store and model. */
  readonly operations: Readonly<Record<OperationName, (step: Step) => Promise<void>>> = {
    put: (step) => this.#put(step),
    putConditional: (step) => this.#putConditional(step),
    putMany: (step) => this.#putMany(step),
    get: (step) => this.#get(keyOf(step.key)),
    getVersion: (step) => this.#getVersion(step),
    range: (step) => this.#range(step),
    delete: (step) => this.#delete(keyOf(step.key)),
    deleteVersion: (step) => this.#deleteVersion(step),
    deleteMany: (step) => this.#deleteMany(step),
    copy: (step) => this.#copy(step),
    multipart: (step) => this.#multipart(step),
    tags: (step) => this.#tags(step),
    list: (step) => this.#list(step),
    versions: (step) => this.#listVersions(step),
    versioning: (step) => this.#setVersioning(step),
    reopen: () => this.#subject.reopen(),
  };

  /** Compares everything there is. */
  async compareAll(): Promise<void> {
    for (const key of keys) await this.#get(key);
    await this.#listVersions({ name: "versions", key: 0, other: 0, size: 0, fill: 0 });
  }

  get #bucket(): Bucket {
    return this.#subject.store.bucket("model-bucket");
  }

  async #put(step: Step): Promise<void> {
    const body = this.#bodyOf(step);
    const put = await this.#bucket.put(keyOf(step.key), step.fill % 2 === 0 ? body : Readable.from([body]));
    this.#added(keyOf(step.key), put, body, md5Of(body));
  }

  async #putConditional(step: Step): Promise<void> {
    const key = keyOf(step.key);
    const current = this.#model.current(key);
    const body = this.#bodyOf(step);
    const conditions = [{ ifNoneMatch: "*" }, { ifMatch: current?.etag ?? "0".repeat(32) }, { ifMatch: "1".repeat(32) }][
      step.other % 3
    ] as object;
    const holds = [current === undefined, current !== undefined, false][step.other % 3] === true;
    const put = await outcome(this.#bucket.put(key, body, conditions));
    if (holds) this.#added(key, put.value, body, md5Of(body));
    else strictEqual(put.code, current === undefined ? "OBJECT_NOT_FOUND" : "PRECONDITION_FAILED");
  }

  async #putMany(step: Step): Promise<void> {
    const entries = Array.from({ length: 1 + (step.size % 5) }, (_, i) => ({
      key: keyOf(step.key + i * step.other),
      body: this.#bodyOf({ ...step, size: step.size + i }),
    }));
    const results = await this.#bucket.putMany(entries);
    const [inOrder, after] = [
      entries.filter(({ body }) => body.byteLength <= this.#subject.inlineBytes),
      entries.filter(({ body }) => body.byteLength > this.#subject.inlineBytes),
    ];
    if (new Set(entries.map(({ key }) => key)).size < entries.length && after.length > 0) {
      // Packed and large entries of one key race: see what won, and go on from there.
      for (const { key } of entries) await this.#adopt(key);
      return;
    }
    for (const entry of [...inOrder, ...after]) {
      const result = results[entries.indexOf(entry)];
      ok(result?.ok === true);
      this.#added(entry.key, result, entry.body, md5Of(entry.body));
    }
  }

  async #get(key: string): Promise<void> {
    const current = this.#model.current(key);
    const got = await outcome(this.#bucket.get(key));
    if (current === undefined) return strictEqual(got.code, "OBJECT_NOT_FOUND");
    ok(got.value !== undefined, got.code);
    strictEqual(got.value.etag, current.etag);
    strictEqual(got.value.size, current.body?.byteLength);
    strictEqual(Buffer.compare(await got.value.bytes(), current.body as Uint8Array), 0);
    deepStrictEqual(await this.#bucket.getTags(key), current.tags);
  }

  async #getVersion(step: Step): Promise<void> {
    const key = keyOf(step.key);
    const version = pick(this.#model.versions(key), step.other);
    if (version === undefined) return;
    const got = await outcome(this.#bucket.get(key, { versionId: version.id }));
    if (version.body === undefined) return strictEqual(got.code, "DELETE_MARKER");
    ok(got.value !== undefined, got.code);
    strictEqual(Buffer.compare(await got.value.bytes(), version.body), 0);
  }

  async #range(step: Step): Promise<void> {
    const key = keyOf(step.key);
    const body = this.#model.current(key)?.body;
    if (body === undefined) return;
    const start = step.other % (body.byteLength + 2);
    const end = start + (step.size % 3000);
    const got = await outcome(this.#bucket.get(key, { range: { start, end } }));
    if (start >= body.byteLength) return strictEqual(got.code, "RANGE_NOT_SATISFIABLE");
    ok(got.value !== undefined, got.code);
    strictEqual(Buffer.compare(await got.value.bytes(), body.subarray(start, end + 1)), 0);
  }

  async #delete(key: string): Promise<void> {
    this.#deleted(key, await this.#bucket.delete(key));
  }

  async #deleteVersion(step: Step): Promise<void> {
    const key = keyOf(step.key);
    const version = pick(this.#model.versions(key), step.other);
    if (version === undefined) return;
    const deleted = await this.#bucket.delete(key, { versionId: version.id });
    strictEqual(deleted.deleteMarker, version.body === undefined);
    this.#model.remove(key, version.id);
  }

  async #deleteMany(step: Step): Promise<void> {
    const wanted = Array.from({ length: 1 + (step.size % 4) }, (_, i) => keyOf(step.key + i * step.other));
    const results = await this.#bucket.deleteMany(wanted);
    results.forEach((result, i) => {
      ok(result.ok);
      this.#deleted(wanted[i] as string, result);
    });
  }

  async #copy(step: Step): Promise<void> {
    const [from, to] = [keyOf(step.key), keyOf(step.other)];
    const source = this.#model.current(from);
    const copied = await outcome(this.#bucket.copy(from, to));
    if (source?.body === undefined) return strictEqual(copied.code, "OBJECT_NOT_FOUND");
    this.#added(to, copied.value, source.body, md5Of(source.body), source.tags);
  }

  async #multipart(step: Step): Promise<void> {
    const key = keyOf(step.key);
    const upload = await this.#bucket.createUpload(key, { tags: { by: "parts" } });
    const last = this.#bodyOf(step);
    const parts =
      this.#subject.partBytesMin <= 65_536 && step.other % 2 === 0 ? [bytes(this.#subject.partBytesMin, step.fill), last] : [last];
    await upload.uploadPart(7, "left out");
    await Promise.all(parts.map((part, i) => upload.uploadPart(i + 1, part)));
    if (step.other % 5 === 0) return upload.abort();
    const wanted = parts.map((part, i) => ({ partNumber: i + 1, etag: md5Of(part) }));
    const completed = await upload.complete(wanted);
    this.#added(key, completed, Buffer.concat(parts), multipartMd5Of(parts), { by: "parts" });
    strictEqual((await upload.complete(wanted)).etag, completed.etag);
  }

  async #tags(step: Step): Promise<void> {
    const key = keyOf(step.key);
    const current = this.#model.current(key);
    const tags = step.other % 3 === 0 ? {} : { n: String(step.other) };
    const set = await outcome(this.#bucket.setTags(key, tags));
    if (current === undefined) return strictEqual(set.code, "OBJECT_NOT_FOUND");
    strictEqual(set.code, undefined);
    current.tags = tags;
  }

  async #list(step: Step): Promise<void> {
    const prefix = ["", "", "a", "a/", "é/", "none"][step.key % 6] as string;
    const delimiter = ["", "/", "/", "b", "/b"][step.other % 5] as string;
    const startAfter = step.size % 3 === 0 ? keyOf(step.fill) : "";
    const expected = this.#model.list({ prefix, delimiter, startAfter });
    const all: unknown[] = [];
    for await (const entry of this.#bucket.list({ prefix, delimiter, startAfter })) all.push(nameOf(entry));
    deepStrictEqual(all, expected);
    const paged: unknown[] = [];
    let token: string | undefined;
    do {
      const page = await this.#bucket.listPage({ prefix, delimiter, startAfter, maxKeys: 1 + (step.fill % 3), continuationToken: token });
      paged.push(...page.entries.map(nameOf));
      token = page.continuationToken;
    } while (token !== undefined);
    deepStrictEqual(paged, expected);
  }

  async #listVersions(step: Step): Promise<void> {
    const expected = this.#model
      .allKeys()
      .flatMap((key) =>
        this.#model
          .versions(key)
          .map(({ id, body, etag }, i) => ({ key, versionId: id, isLatest: i === 0, deleteMarker: body === undefined, etag })),
      );
    const all: unknown[] = [];
    for await (const entry of this.#bucket.listVersions()) all.push(versionOf(entry));
    deepStrictEqual(all, expected);
    const paged: unknown[] = [];
    let next: { startAfter?: string; startAfterVersion?: string | undefined } | undefined = {};
    while (next !== undefined) {
      const page: Awaited<ReturnType<Bucket["listVersionsPage"]>> = await this.#bucket.listVersionsPage({
        ...next,
        maxKeys: 1 + (step.fill % 3),
      });
      paged.push(...page.entries.map(versionOf));
      next = page.next;
    }
    deepStrictEqual(paged, expected);
  }

  async #setVersioning(step: Step): Promise<void> {
    const versioning = step.other % 2 === 0 ? "enabled" : "suspended";
    await this.#bucket.setVersioning(versioning);
    this.#model.versioning = versioning;
  }

  #added(
    key: string,
    put: { readonly etag: string; readonly size: number; readonly versionId: string | undefined } | undefined,
    body: Uint8Array,
    etag: string,
    tags: Readonly<Record<string, string>> = {},
  ): void {
    ok(put !== undefined);
    strictEqual(put.etag, etag);
    strictEqual(put.size, body.byteLength);
    this.#model.add(key, { id: this.#idOf(put.versionId), body, etag, tags });
  }

  #deleted(key: string, result: { readonly versionId: string | undefined; readonly deleteMarker: boolean }): void {
    strictEqual(result.deleteMarker, this.#model.versioning !== "off");
    if (this.#model.versioning === "off") this.#model.clear(key);
    else this.#model.add(key, { id: this.#idOf(result.versionId), body: undefined, etag: "", tags: {} });
  }

  #idOf(versionId: string | undefined): string {
    if (this.#model.versioning === "off") strictEqual(versionId, undefined);
    else strictEqual(versionId === "null", this.#model.versioning === "suspended");
    return versionId ?? "null";
  }

  /** Takes over what the store has for a key. */
  async #adopt(key: string): Promise<void> {
    this.#model.clear(key);
    const versions: { versionId: string; deleteMarker: boolean; etag: string }[] = [];
    for await (const entry of this.#bucket.listVersions({ prefix: key })) if (entry.key === key) versions.push(entry);
    const { versioning } = this.#model;
    this.#model.versioning = "enabled";
    for (const { versionId: id, deleteMarker, etag } of versions.reverse()) {
      const body = deleteMarker ? undefined : await (await this.#bucket.get(key, { versionId: id })).bytes();
      const tags = deleteMarker ? {} : await this.#bucket.getTags(key, { versionId: id });
      this.#model.add(key, { id, body, etag, tags });
    }
    this.#model.versioning = versioning;
  }

  #bodyOf(step: Step): Uint8Array {
    const { inlineBytes } = this.#subject;
    const sizes = [0, 1, 17, 300, inlineBytes, inlineBytes + 1, 3 * inlineBytes + 5];
    return bytes(sizes[step.size % sizes.length] as number, step.fill);
  }
}

function bytes(length: number, fill: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => (fill + i * 7 + (i >>> 8)) & 0xff);
}

function keyOf(number: number): string {
  return keys[number % keys.length] as string;
}

function pick<T>(items: readonly T[], number: number): T | undefined {
  return items[number % Math.max(1, items.length)];
}

function nameOf(entry: { readonly key?: string | undefined; readonly prefix?: string | undefined }): unknown {
  return entry.key === undefined ? { prefix: entry.prefix } : { key: entry.key };
}

function versionOf(entry: object): unknown {
  const { key, versionId, isLatest, deleteMarker, etag } = entry as Record<string, unknown>;
  return { key, versionId, isLatest, deleteMarker, etag };
}

async function outcome<T>(promise: Promise<T>): Promise<{ readonly value?: T; readonly code?: string }> {
  try {
    return { value: await promise };
  } catch (error) {
    if (isHoldfastError(error)) return { code: error.code };
    throw error;
  }
}
