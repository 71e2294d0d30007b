import { expect, it } from "vitest";
import { codeOf, createMemoryObjectStore } from "../../testing/memory-object-store.ts";

const big = new Uint8Array(3000);
const dayMs = 24 * 60 * 60 * 1000;

it("aborts uploads in which nothing has happened for long, with their parts, in every bucket", async () => {
  const { store, clock, sets } = createMemoryObjectStore({ setCount: 2 });
  const films = await store.createBucket("films");
  const songs = await store.createBucket("songs", { versioning: "enabled" });
  const idle = await films.createUpload("idle");
  await idle.uploadPart(1, big);
  await idle.uploadPart(2, "packed");
  const empty = await songs.createUpload("empty");
  const used = await songs.createUpload("used");
  await used.uploadPart(1, big);
  clock.advance(6 * dayMs);
  await used.uploadPart(2, "x");
  const fresh = await films.createUpload("fresh");
  clock.advance(2 * dayMs);
  const idleSinceMs = clock.nowMs() - 7 * dayMs;
  const seen: number[] = [];
  const collected = await store.upkeep.collectUploads({ idleSinceMs, onProgress: ({ uploads }) => seen.push(uploads) });
  expect(collected).toEqual({ uploads: 2, parts: 2, bytes: 3006 });
  expect(seen.at(-1)).toBe(2);
  expect(await Promise.all([idle, empty].map((upload) => codeOf(upload.listParts())))).toEqual(["UPLOAD_NOT_FOUND", "UPLOAD_NOT_FOUND"]);
  expect((await used.listParts()).parts).toHaveLength(2);
  expect((await fresh.listParts()).parts).toHaveLength(0);
  expect(sets.reduce((sum, set) => sum + set.liveBlobs, 0)).toBe(1);
  expect(await store.upkeep.collectUploads({ idleSinceMs })).toEqual({ uploads: 0, parts: 0, bytes: 0 });
});

it("keeps an upload whose part comes in while it is being looked at", async () => {
  const { store, clock, sets } = createMemoryObjectStore();
  const bucket = await store.createBucket("films");
  const upload = await bucket.createUpload("late");
  clock.advance(8 * dayMs);
  const collecting = store.upkeep.collectUploads({ idleSinceMs: clock.nowMs() - dayMs });
  const late = upload.uploadPart(1, "late");
  const outcomes = await Promise.allSettled([collecting, late]);
  expect(outcomes.map(({ status }) => status)).toContain("fulfilled");
  const isKept = (await bucket.listUploads()).entries.length === 1;
  expect(isKept).toBe(outcomes[1]?.status === "fulfilled");
  expect(sets[0]?.looseBlobs).toBe(0);
});

it("aborts uploads of keys in transit", async () => {
  const memory = createMemoryObjectStore({ setCount: 2 });
  const { clock, mapping, sets } = memory;
  memory.topology = { ...memory.topology, chooseSet: mapping([0]) };
  const store = memory.reopen();
  const bucket = await store.createBucket("films");
  await (await bucket.createUpload("a")).uploadPart(1, big);
  await store.upkeep.changeTopology({ sets, chooseSet: mapping([1]), previous: [mapping([0])] });
  clock.advance(dayMs);
  expect(await store.upkeep.collectUploads({ idleSinceMs: clock.nowMs() })).toEqual({ uploads: 1, parts: 1, bytes: 3000 });
  expect(sets.map((set) => set.liveBlobs)).toEqual([0, 0]);
  expect((await bucket.listUploads()).entries).toEqual([]);
});
