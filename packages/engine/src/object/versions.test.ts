import { describe, expect, it } from "vitest";
import { codeOf, createMemoryObjectStore } from "../testing/memory-object-store.ts";
import type { Bucket } from "./bucket.ts";

const large = new Uint8Array(5000);

async function open(versioning: "off" | "enabled" | "suspended"): Promise<ReturnType<typeof createMemoryObjectStore> & { bucket: Bucket }> {
  const memory = createMemoryObjectStore();
  return { ...memory, bucket: await memory.store.createBucket("photos", { versioning }) };
}

async function versions(bucket: Bucket): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of bucket.listVersions()) {
    if (entry.prefix !== undefined) continue;
    const body = entry.deleteMarker ? "-" : await (await bucket.get(entry.key, { versionId: entry.versionId })).text();
    found.push(`${entry.key}=${body.slice(0, 3)}${entry.versionId === "null" ? " null" : ""}${entry.isLatest ? " latest" : ""}`);
  }
  return found;
}

describe("versions", () => {
  it("keeps overwritten and deleted versions", async () => {
    const { bucket } = await open("enabled");
    const first = await bucket.put("a", "1");
    const second = await bucket.put("a", "2");
    expect(first.versionId).toMatch(/^[0-9a-f]{16}$/);
    expect(second.versionId).not.toBe(first.versionId);
    const marker = await bucket.delete("a");
    expect(marker).toMatchObject({ deleteMarker: true });
    expect(await versions(bucket)).toEqual(["a=- latest", "a=2", "a=1"]);
    expect(await bucket.get("a").catch((error: unknown) => error)).toMatchObject({
      code: "OBJECT_NOT_FOUND",
      details: { deleteMarker: true, versionId: marker.versionId },
    });
    expect(await codeOf(bucket.get("a", { versionId: marker.versionId }))).toBe("DELETE_MARKER");
    expect((await bucket.head("a", { versionId: first.versionId })).versionId).toBe(first.versionId);
    expect(await bucket.delete("a", { versionId: marker.versionId })).toMatchObject({ deleteMarker: true, versionId: marker.versionId });
    expect(await (await bucket.get("a")).text()).toBe("2");
    await bucket.delete("a", { versionId: second.versionId });
    expect(await versions(bucket)).toEqual(["a=1 latest"]);
    await bucket.delete("a", { versionId: first.versionId });
    expect(await versions(bucket)).toEqual([]);
  });

  it("has one null version while suspended", async () => {
    const { bucket, home } = await open("off");
    await bucket.put("a", large);
    await bucket.setVersioning("enabled");
    await bucket.put("a", "1");
    expect(home.liveBlobs).toBe(1);
    await bucket.setVersioning("suspended");
    expect(await bucket.put("a", "2")).toMatchObject({ versionId: "null" });
    expect(home.liveBlobs).toBe(0);
    expect(await versions(bucket)).toEqual(["a=2 null latest", "a=1"]);
    expect(await bucket.delete("a")).toMatchObject({ deleteMarker: true, versionId: "null" });
    expect(await versions(bucket)).toEqual(["a=- null latest", "a=1"]);
    await bucket.delete("a", { versionId: "null" });
    expect(await versions(bucket)).toEqual(["a=1 latest"]);
  });

  it("deletes what is not there without complaint", async () => {
    const { bucket } = await open("enabled");
    expect(await bucket.delete("a", { versionId: "000000000000ffff" })).toMatchObject({ deleteMarker: false });
    expect(await bucket.delete("a", { versionId: "null" })).toMatchObject({ deleteMarker: false });
    expect(await versions(bucket)).toEqual([]);
    expect(await bucket.delete("a")).toMatchObject({ deleteMarker: true });
  });

  it.each(["", "x", "000000000000000G", "ffffffffffffffff", 7])("refuses the version id %j", async (versionId) => {
    const { bucket } = await open("enabled");
    const options = { versionId: versionId as string };
    const codes = await Promise.all([bucket.get("a", options), bucket.delete("a", options), bucket.getTags("a", options)].map(codeOf));
    expect(new Set(codes)).toEqual(new Set(["VERSION_ID_INVALID"]));
  });

  it("tells versions that are not there", async () => {
    const { bucket } = await open("enabled");
    await bucket.put("a", "1");
    expect(await codeOf(bucket.get("a", { versionId: "0000000000000001" }))).toBe("VERSION_NOT_FOUND");
    expect(await codeOf(bucket.get("a", { versionId: "null" }))).toBe("VERSION_NOT_FOUND");
  });

  it("changes the tags of one version and nothing else", async () => {
    const { bucket, clock } = await open("enabled");
    const first = await bucket.put("a", large, { tags: { n: "1" } });
    await bucket.put("a", "2");
    clock.advance(60_000);
    await bucket.setTags("a", { n: "9" }, { versionId: first.versionId });
    expect(await bucket.getTags("a", { versionId: first.versionId })).toEqual({ n: "9" });
    expect(await bucket.getTags("a")).toEqual({});
    expect((await bucket.head("a", { versionId: first.versionId })).lastModified).toEqual(first.lastModified);
    await bucket.deleteTags("a", { versionId: first.versionId });
    expect(await bucket.getTags("a", { versionId: first.versionId })).toEqual({});
    expect(await codeOf(bucket.setTags("a", { "*": "" }))).toBe("TAGS_INVALID");
    expect(await codeOf(bucket.setTags("missing", {}))).toBe("OBJECT_NOT_FOUND");
  });

  it("lists versions in pages, also when the last version shown has gone", async () => {
    const { bucket } = await open("enabled");
    for (const key of ["a", "b/1", "b/2", "c"]) for (const body of ["1", "2", "3"]) await bucket.put(key, body);
    const first = await bucket.listVersionsPage({ maxKeys: 2, delimiter: "/" });
    expect(first.entries.map((entry) => entry.key)).toEqual(["a", "a"]);
    for (const entry of first.entries) if (entry.key !== undefined) await bucket.delete(entry.key, { versionId: entry.versionId });
    const second = await bucket.listVersionsPage({ maxKeys: 2, delimiter: "/", ...first.next });
    expect(second.entries).toMatchObject([{ key: "a", isLatest: true }, { prefix: "b/" }]);
    const third = await bucket.listVersionsPage({ delimiter: "/", ...second.next });
    expect(third.entries.map((entry) => entry.key)).toEqual(["c", "c", "c"]);
    expect(third.next).toBeUndefined();
    expect(await codeOf(bucket.listVersionsPage({ startAfterVersion: "null" }))).toBe("ARGUMENT_INVALID");
  });
});
