import { describe, expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { packFileName } from "../format/pack-name.ts";
import type { BlobLocation, PackedPayload } from "../set/erasure-set.ts";
import type { OpenSet } from "../set/open-set.ts";
import type { Pacer } from "../set/pace.ts";
import { unhurried } from "../set/pace.ts";
import { bodyOf, keyOf, put, putBlob, read, readBlob } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import { ReadRepair } from "./read-repair.ts";
import { needsScrub, scrubState, scrubTurn } from "./scrub.ts";
import { verifyStore } from "./verify-store.ts";

const profile = { data: 4, parity: 2 };
const settings = { packBytesMax: 8 * KiB, batchOperationsMax: 4 };
const day = 24 * 3600 * 1000;

async function filledSet(): Promise<{ set: OpenSet; drives: Drive[]; blob: BlobLocation; clock: ReturnType<typeof createManualClock> }> {
  const drives = await createSetDrives(6);
  const set = await openTestSet(drives, { profile, settings });
  const clock = createManualClock();
  Object.assign(set.context, { clock });
  for (let i = 0; i < 30; i++) await put(set, `n${i}`, bodyOf(`n${i}`, 1500));
  return { set, drives, clock, blob: await putBlob(set, "blob", bodyOf("blob", 100_000)) };
}

async function spoil(drive: Drive | undefined, name: string, position: number): Promise<void> {
  const file = await (drive as Drive).open(name, { create: false });
  await file.write(position, [bodyOf("damage", 20)]);
  await file.close();
}

describe("scrubbing by schedule", () => {
  it("reads everything in turns, each within its time, then rests until it is due again", async () => {
    const { set, drives, clock } = await filledSet();
    await spoil(drives[1], packFileName(2), 500);
    await spoil(drives[3], "blobs/00000001/00000000.shard", 500);
    const pacer: Pacer = {
      async spend(bytes, signal) {
        clock.advance(10);
        await unhurried.spend(bytes, signal);
      },
    };
    const options = { everyMs: 14 * day, budgetMs: 5, pacer };
    let turns = 0;
    let state = await scrubTurn(set, options);
    for (; state?.finishedMs === undefined; turns++) {
      expect(turns).toBeLessThan(100);
      state = await scrubTurn(set, options);
    }
    expect(turns).toBeGreaterThan(2);
    expect(state).toMatchObject({ faults: 2, repaired: 2, unrepairable: 0 });
    expect(needsScrub(set, options)).toBe(false);
    expect(await scrubTurn(set, options)).toBeUndefined();
    clock.advance(13 * day);
    expect(needsScrub(set, options)).toBe(false);
    clock.advance(2 * day);
    expect(await scrubTurn(set, { ...options, budgetMs: 1e9 })).toMatchObject({ faults: 0 });
    expect(scrubState(set)?.finishedMs).toBe(clock.nowMs());
    await set.close();
  });

  it("goes on after an abort with what was under way, and begins anew when it does not understand where it was", async () => {
    const { set, drives } = await filledSet();
    await spoil(drives[1], packFileName(1), 500);
    const abort = new AbortController();
    let pauses = 0;
    const pacer: Pacer = {
      async spend(bytes, signal) {
        if (++pauses === 3) abort.abort();
        await unhurried.spend(bytes, signal);
      },
    };
    const options = { everyMs: day, budgetMs: 1e9, pacer };
    await expect(scrubTurn(set, { ...options, signal: abort.signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(scrubState(set)).toMatchObject({ finishedMs: undefined, faults: 1, repaired: 1 });
    expect(await scrubTurn(set, options)).toMatchObject({ faults: 1, repaired: 1, unrepairable: 0 });
    const [key] = keysOf(set);
    for (const text of [
      "",
      "{",
      "null",
      '{"startedMs":1}',
      '{"startedMs":1,"readBytes":0,"faults":0,"repaired":0,"unrepairable":0,"cursor":{}}',
    ]) {
      set.context.index.write([{ key: key as Uint8Array, value: Buffer.from(text) }]);
      expect(scrubState(set)).toBeUndefined();
      expect(needsScrub(set, options)).toBe(true);
    }
    await set.close();
  });
});

/** The keys of upkeep in the index. */
function keysOf(set: OpenSet): Uint8Array[] {
  const keys: Uint8Array[] = [];
  set.context.index.scan({ start: Uint8Array.of(4), end: Uint8Array.of(5) }, (key) => {
    keys.push(key.slice());
    return true;
  });
  return keys;
}

describe("repairing what reads find", () => {
  it("repairs each frame and blob once, counts it, and does nothing when there is nothing", async () => {
    const { set, drives, blob } = await filledSet();
    let told = 0;
    const repair = new ReadRepair(set, () => void told++);
    expect(await repair.run({ pacer: unhurried })).toBe(false);
    for (const drive of drives.slice(0, 2))
      for (let position = 0; position < 6000; position += 200) await spoil(drive, packFileName(1), position);
    await spoil(drives[0], "blobs/00000001/00000000.shard", 500);
    for (let round = 0; round < 2; round++) for (let i = 0; i < 30; i++) await read(set, `n${i}`);
    await readBlob(set, blob);
    const waiting = repair.waiting;
    expect(waiting).toBeGreaterThan(1);
    expect(told).toBeGreaterThanOrEqual(waiting);
    const places: string[] = [];
    expect(await repair.run({ pacer: unhurried, onFinding: ({ place }) => void places.push(place) })).toBe(true);
    expect(repair.waiting).toBe(0);
    expect(repair.counts).toMatchObject({ repaired: places.length, unrepairable: 0, dropped: 0 });
    expect(places.length).toBeGreaterThanOrEqual(waiting);
    for (let i = 0; i < 30; i++) expect(Buffer.compare(await read(set, `n${i}`), bodyOf(`n${i}`, 1500))).toBe(0);
    await set.close();
  });

  it("lets go of faults that find no room, and of what has gone meanwhile", async () => {
    const { set, blob } = await filledSet();
    const repair = new ReadRepair(set);
    for (let position = 0; position < 300; position++)
      set.context.hooks.onReadFault?.({ kind: "packed", pack: 900, position: position * 128 });
    set.context.hooks.onReadFault?.({ kind: "blob", location: blob });
    expect(repair.waiting).toBe(256);
    expect(repair.counts.dropped).toBe(45);
    await repair.run({ pacer: unhurried });
    expect(repair.waiting).toBe(0);
    expect(set.get(keyOf("n0"))?.payload as PackedPayload).toBeDefined();
    await set.close();
  });
});

describe("verifying a store", () => {
  it("repairs unless it is told not to, and counts", async () => {
    const { set, drives } = await filledSet();
    await spoil(drives[0], packFileName(1), 700);
    await spoil(drives[5], "blobs/00000001/00000000.shard", 9000);
    expect(await verifyStore([set], { repair: false })).toMatchObject({ sets: 1, faults: 2, repaired: 0, unrepairable: 0 });
    let checked = 0;
    const onProgress = (progress: { readonly checked: number }): void => {
      checked = progress.checked;
    };
    const report = await verifyStore([set], { onProgress });
    expect(report).toMatchObject({ faults: 2, repaired: 2, unrepairable: 0, checked });
    expect(report.findings.length).toBe(2);
    expect(await verifyStore([set])).toMatchObject({ faults: 0, repaired: 0 });
    await expect(verifyStore([set], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    await set.close();
  });
});
