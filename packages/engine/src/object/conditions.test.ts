import { describe, expect, it } from "vitest";
import { codeOf, createMemoryObjectStore } from "../testing/memory-object-store.ts";
import type { Bucket } from "./bucket.ts";
import type { Conditions } from "./conditions.ts";

const later = new Date(Date.UTC(2030, 0, 1));
const earlier = new Date(Date.UTC(2020, 0, 1));
const tag = "900150983cd24fb0d6963f7d28e17f72"; // MD5 of "abc"

async function open(): Promise<Bucket> {
  const bucket = await createMemoryObjectStore().store.createBucket("photos");
  await bucket.put("a", "abc");
  return bucket;
}

const cases: readonly [Conditions, read: string, write: string, missing: string][] = [
  [{ ifMatch: tag }, "ok", "ok", "OBJECT_NOT_FOUND"],
  [{ ifMatch: `"${tag}"` }, "ok", "ok", "OBJECT_NOT_FOUND"],
  [{ ifMatch: ["x", tag] }, "ok", "ok", "OBJECT_NOT_FOUND"],
  [{ ifMatch: "*" }, "ok", "ok", "OBJECT_NOT_FOUND"],
  [{ ifMatch: "x" }, "PRECONDITION_FAILED", "PRECONDITION_FAILED", "OBJECT_NOT_FOUND"],
  [{ ifMatch: `W/"${tag}"` }, "PRECONDITION_FAILED", "PRECONDITION_FAILED", "OBJECT_NOT_FOUND"],
  [{ ifNoneMatch: "*" }, "NOT_MODIFIED", "PRECONDITION_FAILED", "ok"],
  [{ ifNoneMatch: tag }, "NOT_MODIFIED", "PRECONDITION_FAILED", "ok"],
  [{ ifNoneMatch: `W/"${tag}"` }, "NOT_MODIFIED", "PRECONDITION_FAILED", "ok"],
  [{ ifNoneMatch: "x" }, "ok", "ok", "ok"],
  [{ ifModifiedSince: earlier }, "ok", "ok", "ok"],
  [{ ifModifiedSince: later }, "NOT_MODIFIED", "PRECONDITION_FAILED", "ok"],
  [{ ifUnmodifiedSince: later }, "ok", "ok", "OBJECT_NOT_FOUND"],
  [{ ifUnmodifiedSince: earlier }, "PRECONDITION_FAILED", "PRECONDITION_FAILED", "OBJECT_NOT_FOUND"],
  [{ ifMatch: tag, ifUnmodifiedSince: earlier }, "ok", "ok", "OBJECT_NOT_FOUND"],
  [{ ifNoneMatch: "x", ifModifiedSince: later }, "ok", "ok", "ok"],
  [{ ifMatch: tag, ifNoneMatch: tag }, "NOT_MODIFIED", "PRECONDITION_FAILED", "OBJECT_NOT_FOUND"],
];

async function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    () => codeOf(promise),
  );
}

describe("conditions", () => {
  it.each(cases)("%j on reads", async (conditions, read) => {
    const bucket = await open();
    expect(await outcome(bucket.get("a", conditions))).toBe(read);
    expect(await outcome(bucket.head("a", conditions))).toBe(read);
    expect(await outcome(bucket.get("missing", conditions))).toBe("OBJECT_NOT_FOUND");
  });

  it.each(cases)("%j on changes", async (conditions, _read, write, missing) => {
    expect(await outcome((await open()).put("a", "new", conditions))).toBe(write);
    expect(await outcome((await open()).put("a", new Uint8Array(5000), conditions))).toBe(write);
    expect(await outcome((await open()).put("missing", "new", conditions))).toBe(missing);
    expect(await outcome((await open()).delete("a", conditions))).toBe(write);
    expect(await outcome((await open()).delete("missing", conditions))).toBe(missing);
    const bucket = await open();
    await bucket.put("source", "s");
    expect(await outcome(bucket.copy({ key: "a", ...conditions }, "b"))).toBe(write);
    expect(await outcome(bucket.copy("source", "a", conditions))).toBe(write);
    const upload = await bucket.createUpload("missing");
    await upload.uploadPart(1, "p");
    expect(await outcome(upload.complete(undefined, conditions))).toBe(missing);
  });

  it("compares times in whole seconds", async () => {
    const { store, clock } = createMemoryObjectStore();
    const bucket = await store.createBucket("photos");
    clock.set(Date.UTC(2026, 0, 1) + 900);
    await bucket.put("a", "abc");
    const second = new Date(Date.UTC(2026, 0, 1));
    expect(await outcome(bucket.get("a", { ifUnmodifiedSince: second }))).toBe("ok");
    expect(await outcome(bucket.get("a", { ifModifiedSince: second }))).toBe("NOT_MODIFIED");
  });

  it("lets exactly one of many conditional puts win", async () => {
    const { store } = createMemoryObjectStore();
    const bucket = await store.createBucket("photos");
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => outcome(bucket.put("lock", `${i}`, { ifNoneMatch: "*" }))));
    expect(outcomes.filter((each) => each === "ok")).toHaveLength(1);
    expect(outcomes.filter((each) => each === "PRECONDITION_FAILED")).toHaveLength(19);
  });
});
