import { describe, expect, it } from "vitest";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { decodeBlobLocation } from "../format/blob-location.ts";
import { formatBlobId, shardFileName } from "../format/blob-name.ts";
import { participants } from "../format/layout.ts";
import { createHeldDrive, type HeldDrive } from "../testing/held-drive.ts";
import { passTime, withTime } from "../testing/pass-time.ts";
import { bodyOf, errorOf, inPieces, keyOf, put, putBlob, read, readBlob } from "../testing/set-operations.ts";
import { createSimulatedClock, type SimulatedClock } from "../testing/simulated-clock.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { BlobLocation, PackedPayload } from "./erasure-set.ts";
import type { OpenSet } from "./open-set.ts";

const profile = { data: 4, parity: 2 };
const big = bodyOf("big", 700_000);
const whole = { start: 0, end: big.byteLength };
const ranges = [whole, { start: 100, end: 200 }, { start: 130_000, end: 400_001 }, { start: 699_999, end: 700_000 }];

interface World {
  readonly clock: SimulatedClock;
  readonly inner: readonly Drive[];
  readonly drives: readonly HeldDrive[];
  readonly set: OpenSet;
}

async function openWorld(options: { memoryBudgetBytes?: number } = {}): Promise<World> {
  const clock = createSimulatedClock();
  const inner = await createSetDrives(6);
  const drives = inner.map((drive) => createHeldDrive(drive));
  return { clock, inner, drives, set: await openTestSet(drives, { profile, clock, ...options }) };
}

const isRead = ({ operation }: { readonly operation: string }): boolean => operation === "read" || operation === "open";
const isOfBlobs = ({ name }: { readonly name: string }): boolean => name.startsWith("blobs/");

/** Small and large payloads; the large ones cross the edges of shards. */
async function putSome(set: OpenSet, count: number): Promise<Map<string, Uint8Array>> {
  const bodies = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) bodies.set(`n${i}`, bodyOf(`n${i}`, i % 3 === 0 ? 40_000 : 900));
  // One batch each, so that they lie differently on the drives.
  for (const [name, body] of bodies) await put(set, name, body);
  return bodies;
}

async function readRange(set: OpenSet, blob: BlobLocation, range: { start: number; end: number }): Promise<Uint8Array> {
  const reader = set.openBlob(blob);
  try {
    const pieces: Uint8Array[] = [];
    for await (const piece of reader.read(range)) pieces.push(piece);
    return Buffer.concat(pieces);
  } finally {
    reader.close();
  }
}

async function expectAll({ clock, set }: World, bodies: ReadonlyMap<string, Uint8Array>, blob: BlobLocation): Promise<void> {
  for (const [name, body] of bodies) expect(Buffer.compare(await withTime(clock, read(set, name)), body), name).toBe(0);
  for (const range of ranges) {
    const bytes = await withTime(clock, readRange(set, blob, range));
    expect(Buffer.compare(bytes, big.subarray(range.start, range.end))).toBe(0);
  }
}

function detach({ set }: World, ordinal: number): void {
  set.detach(ordinal, { state: "offline", reason: "it hangs" });
}

describe("reading while drives never answer", () => {
  for (const hanging of [[2], [0, 5]]) {
    it(`goes on with the others, and soon without asking them: drives ${hanging.join(" and ")}`, async () => {
      const world = await openWorld();
      const { clock, drives, set } = world;
      const bodies = await putSome(set, 12);
      const blob = await putBlob(set, "big", big);
      for (const ordinal of hanging) drives[ordinal]?.hold(isRead);
      await expectAll(world, bodies, blob);
      const { reads } = set.status();
      expect(reads.hedged).toBeGreaterThan(0);
      expect(reads.degraded).toBeGreaterThan(0);
      await passTime(clock, 2000);
      await expectAll(world, bodies, blob);
      const states = set.status().drives.map(({ state }) => state);
      expect(states.map((state, i) => (state === "suspect" ? i : -1)).filter((i) => i >= 0)).toEqual(hanging);
      const { hedged } = set.status().reads;
      await expectAll(world, bodies, blob);
      expect(set.status().reads.hedged).toBe(hedged);
      // Slow is not wrong.
      expect(set.status().drives.every(({ readFaults }) => readFaults === 0)).toBe(true);
      for (const ordinal of hanging) detach(world, ordinal);
      await withTime(clock, set.close());
    });
  }

  it("takes what comes late when the others cannot answer either", async () => {
    const { clock, drives, set } = await openWorld();
    await put(set, "a", bodyOf("a", 900));
    const blob = await putBlob(set, "big", big);
    for (const drive of drives) drive.hold(isRead);
    const packed = read(set, "a");
    const ranged = readRange(set, blob, whole);
    await passTime(clock, 3000);
    for (const drive of drives) drive.release();
    expect(Buffer.compare(await withTime(clock, packed), bodyOf("a", 900))).toBe(0);
    expect(Buffer.compare(await withTime(clock, ranged), big)).toBe(0);
    // Where nobody answers nobody is slower than the others.
    expect(set.status().drives.every(({ state, readFaults }) => state === "online" && readFaults === 0)).toBe(true);
    await withTime(clock, set.close());
  });

  it("ends with DRIVES_MISSING when too few are left, and at once when those awaited are gone", async () => {
    const world = await openWorld();
    const { clock, drives, set } = world;
    const [first, second] = [bodyOf("a", 40_000), bodyOf("b", 40_000)];
    await put(set, "a", first);
    await put(set, "b", second);
    const blob = await putBlob(set, "big", big);
    for (const ordinal of [1, 2, 3]) drives[ordinal]?.hold(isRead);
    const missing = { code: "DRIVES_MISSING" };
    expect(await withTime(clock, errorOf(read(set, "a")))).toMatchObject(missing);
    expect(await withTime(clock, errorOf(readRange(set, blob, whole)))).toMatchObject(missing);
    const startMs = clock.monotonicMs();
    const reads = [errorOf(read(set, "b")), errorOf(readRange(set, blob, whole))];
    await passTime(clock, 200);
    for (const ordinal of [1, 2, 3]) detach(world, ordinal);
    for (const error of await withTime(clock, Promise.all(reads))) expect(error).toMatchObject(missing);
    expect(clock.monotonicMs() - startMs).toBeLessThan(1000);
    await withTime(clock, set.close());
  });

  it("says how bytes were had", async () => {
    const { clock, drives, set } = await openWorld();
    await put(set, "a", bodyOf("a", 900));
    const payload = set.get(keyOf("a"))?.payload as PackedPayload;
    const blob = await putBlob(set, "big", big);
    const outcomes = async (): Promise<Set<string>> => {
      const seen = new Set<string>();
      const reader = set.openBlob(blob, (outcome) => seen.add(outcome));
      await set.readPacked(payload, (outcome) => seen.add(outcome));
      for await (const _ of reader.read(whole));
      reader.close();
      return seen;
    };
    expect(await outcomes()).toEqual(new Set(["healthy"]));
    for (const drive of drives.slice(0, 1)) drive.hold(isRead);
    expect(await withTime(clock, outcomes())).toContain("degraded");
    drives[0]?.release();
    await withTime(clock, set.close());
  });
});

describe("a large put while a drive never answers", () => {
  for (const operation of ["create", "append", "finish"]) {
    it(`ends with the others, and the shard is noted as lacking: ${operation}`, async () => {
      const world = await openWorld({ memoryBudgetBytes: 1024 * KiB });
      const { clock, inner, drives, set } = world;
      let calls = 0;
      drives[3]?.hold((call) => isOfBlobs(call) && call.operation === operation && (operation !== "append" || ++calls > 2));
      const blob = await withTime(clock, putBlob(set, "big", big));
      const id = formatBlobId(decodeBlobLocation(blob).blob);
      expect(set.context.members.map((member) => member.lackingBlobs.has(id))).toEqual([0, 1, 2, 3, 4, 5].map((i) => i === 3));
      expect(Buffer.compare(await withTime(clock, readBlob(set, blob)), big)).toBe(0);
      expect(set.status().drives.every(({ readFaults }) => readFaults === 0)).toBe(true);
      const name = shardFileName(decodeBlobLocation(blob).blob);
      drives[3]?.release();
      await passTime(clock, 100);
      // A file that was about to get its name has got it; any other was given up.
      const files = await inner[3]?.list(name.slice(0, name.lastIndexOf("/")));
      expect(files).toHaveLength(operation === "finish" ? 1 : 0);
      expect(set.context.members[3]?.lackingBlobs.has(id)).toBe(operation !== "finish");
      await withTime(clock, set.close());
    });
  }

  it("lets it go on when it was only slow, and nothing is lacking", async () => {
    const { clock, drives, set } = await openWorld();
    drives[1]?.hold(isOfBlobs);
    const source = (async function* () {
      yield big.subarray(0, 300_000);
      await passTime(clock, 300);
      drives[1]?.release();
      yield big.subarray(300_000);
    })();
    const { blob } = await withTime(clock, set.writeBlob(source, { digests: [] }));
    await set.commit({ decide: (transaction) => transaction.addBlob(blob) });
    expect(set.context.members.every((member) => member.lackingBlobs.size === 0)).toBe(true);
    for (const lost of [[], [0, 2]]) {
      for (const ordinal of lost) drives[ordinal]?.hold(isRead);
      expect(Buffer.compare(await withTime(clock, readBlob(set, blob)), big)).toBe(0);
    }
    for (const ordinal of [0, 2]) drives[ordinal]?.release();
    await withTime(clock, set.close());
  });

  it("waits while too few others are there, is refused when the drives go, and leaves nothing", async () => {
    const world = await openWorld();
    const { clock, inner, drives, set } = world;
    for (const ordinal of [1, 4]) drives[ordinal]?.hold(isOfBlobs);
    const writing = errorOf(set.writeBlob(inPieces(big), { digests: [] }));
    await passTime(clock, 20_000);
    for (const ordinal of [1, 4]) detach(world, ordinal);
    expect(await withTime(clock, writing)).toMatchObject({ code: "WRITE_QUORUM_LOST" });
    for (const drive of inner)
      for (const folder of await drive.listFolders("blobs")) expect(await drive.list(`blobs/${folder}`)).toEqual([]);
    await withTime(clock, set.close());
  });

  it("is ended by its signal and by closing the set, also when all drives hang", async () => {
    const { clock, drives, set } = await openWorld();
    for (const drive of drives) drive.hold(isOfBlobs);
    const abort = new AbortController();
    const aborted = errorOf(set.writeBlob(inPieces(big), { digests: [], signal: abort.signal }));
    const closed = errorOf(set.writeBlob(inPieces(big), { digests: [] }));
    await passTime(clock, 50);
    abort.abort();
    expect(await withTime(clock, aborted)).toMatchObject({ code: "ABORTED" });
    await withTime(clock, set.close());
    expect(await closed).toMatchObject({ code: "STORE_CLOSED" });
  });

  it("makes the drive suspect when it happens again and again, and then leaves it out where it can", async () => {
    const clock = createSimulatedClock();
    const drives = (await createSetDrives(7)).map((drive) => createHeldDrive(drive));
    const set = await openTestSet(drives, { profile, clock });
    drives[3]?.hold(isOfBlobs);
    for (let i = 0; i < 6; i++) await withTime(clock, putBlob(set, `b${i}`, big));
    expect(
      set
        .status()
        .drives.map(({ state }) => state)
        .indexOf("suspect"),
    ).toBe(3);
    const blob = await withTime(clock, putBlob(set, "last", big));
    expect(participants(decodeBlobLocation(blob).layout)).not.toContain(3);
    drives[3]?.release();
    await withTime(clock, set.close());
  });
});
