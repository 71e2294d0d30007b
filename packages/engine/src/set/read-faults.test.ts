import { describe, expect, it } from "vitest";
import type { Drive } from "../drive/drive.ts";
import { decodeBlobLocation } from "../format/blob-location.ts";
import { shardFileName } from "../format/blob-name.ts";
import { driveOfSlot } from "../format/layout.ts";
import { packFileName } from "../format/pack-name.ts";
import { decodePackedLocation } from "../format/packed-location.ts";
import { createFaultDrive, type FaultDrive } from "../testing/fault-drive.ts";
import { bodyOf, keyOf, put, putBlob, read, readBlob } from "../testing/set-operations.ts";
import { createSimulatedClock, type SimulatedClock } from "../testing/simulated-clock.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { BlobLocation, PackedPayload } from "./erasure-set.ts";
import type { OpenSet } from "./open-set.ts";
import type { ReadFault } from "./set-context.ts";

const profile = { data: 4, parity: 2 };
const small = bodyOf("small", 900);
const big = bodyOf("big", 300_000);

interface World {
  readonly clock: SimulatedClock;
  readonly inner: readonly Drive[];
  readonly drives: readonly FaultDrive[];
  readonly set: OpenSet;
  readonly faults: ReadFault[];
  readonly blob: BlobLocation;
  /** The drive that holds the small payload, and the one that holds the first bytes of the blob. */
  readonly packedOn: number;
  readonly blobOn: number;
}

async function openWorld(): Promise<World> {
  const clock = createSimulatedClock();
  const inner = await createSetDrives(6);
  const drives = inner.map((drive) => createFaultDrive(drive, { clock }));
  const set = await openTestSet(drives, { profile, clock });
  const faults: ReadFault[] = [];
  set.context.hooks.onReadFault = (fault) => {
    faults.push(fault);
    throw new Error("a listener that fails");
  };
  await put(set, "small", small);
  const blob = await putBlob(set, "big", big);
  const location = decodePackedLocation(set.get(keyOf("small"))?.payload as PackedPayload);
  const packedOn = driveOfSlot(location.layout, Math.floor(location.offset / location.shardBytes));
  return { clock, inner, drives, set, faults, blob, packedOn, blobOn: driveOfSlot(decodeBlobLocation(blob).layout, 0) };
}

async function readBoth({ set, blob }: World): Promise<void> {
  expect(Buffer.compare(await read(set, "small"), small)).toBe(0);
  expect(Buffer.compare(await readBlob(set, blob), big)).toBe(0);
}

describe("what a read finds wrong and gets around", () => {
  for (const rule of ["read *: flip", "read *: error DRIVE_IO_ERROR", "open *: error FILE_NOT_FOUND"]) {
    it(`is told of, once in a while, and never fails the read: ${rule}`, async () => {
      const world = await openWorld();
      const { clock, drives, set, faults, blob, packedOn, blobOn } = world;
      set.context.members[packedOn]?.forgetPack(1);
      drives[packedOn]?.setFaults(rule.replace("*", "packs/*"));
      expect(Buffer.compare(await read(set, "small"), small)).toBe(0);
      drives[packedOn]?.setFaults();
      drives[blobOn]?.setFaults(rule.replace("*", "blobs/*"));
      for (let i = 0; i < 2; i++) expect(Buffer.compare(await readBlob(set, blob), big)).toBe(0);
      const { pack, shardPosition } = decodePackedLocation(set.get(keyOf("small"))?.payload as PackedPayload);
      expect(faults).toEqual([
        { kind: "packed", pack, position: shardPosition },
        { kind: "blob", location: blob },
      ]);
      clock.advance(60_000);
      await readBlob(set, blob);
      // After so many errors the drive is not asked any more where others do.
      const isSuspect = set.context.members[blobOn]?.state === "suspect";
      expect(isSuspect).toBe(rule.endsWith("DRIVE_IO_ERROR"));
      expect(faults).toHaveLength(isSuspect ? 2 : 3);
      await set.close();
    });
  }

  it("is found where files are gone or cut, too", async () => {
    const world = await openWorld();
    const { inner, set, faults, blob, packedOn, blobOn } = world;
    const file = await (inner[packedOn] as Drive).open(packFileName(1), { create: false });
    await file.truncate(100);
    await inner[blobOn]?.remove(shardFileName(decodeBlobLocation(blob).blob));
    await readBoth(world);
    expect(faults.map(({ kind }) => kind)).toEqual(["packed", "blob"]);
    await set.close();
  });

  it("is not that a drive is away, does not answer for itself, or does not have everything yet", async () => {
    const world = await openWorld();
    const { clock, inner, drives, set, faults, blob, packedOn, blobOn } = world;
    for (const ordinal of new Set([packedOn, blobOn])) drives[ordinal]?.goOffline();
    await readBoth(world);
    for (const ordinal of new Set([packedOn, blobOn])) drives[ordinal]?.comeBack();
    // Reading it was no good: it is suspect only after errors enough.
    expect(set.status().drives.every(({ state }) => state === "online")).toBe(true);
    clock.advance(120_000);
    for (const ordinal of new Set([packedOn, blobOn])) {
      await inner[ordinal]?.remove(packFileName(1));
      await inner[ordinal]?.remove(shardFileName(decodeBlobLocation(blob).blob));
      set.context.members[ordinal]?.forgetPack(1);
      set.context.members[ordinal]?.transition("rebuilding", "it is being filled");
    }
    const before = set.status().drives.map(({ readFaults }) => readFaults);
    await readBoth(world);
    expect(set.status().drives.map(({ readFaults }) => readFaults)).toEqual(before);
    for (const ordinal of new Set([packedOn, blobOn])) set.detach(ordinal, { state: "offline", reason: "pulled out" });
    await readBoth(world);
    expect(set.status().drives.map(({ readFaults }) => readFaults)).toEqual(before);
    expect(faults).toEqual([]);
    expect(set.status().reads.degraded).toBeGreaterThan(4);
    await set.close();
  });
});
