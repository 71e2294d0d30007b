import { describe, expect, it } from "vitest";
import { toHex } from "../base/bytes.ts";
import { checksum } from "../codec/xxh3.ts";
import type { Drive } from "../drive/drive.ts";
import { parseFrameHeader, shardPosition, writeFrameHeader } from "../format/frame.ts";
import { packFileName } from "../format/pack-name.ts";
import { createFaultDrive } from "../testing/fault-drive.ts";
import { bodyOf, expectBodies, put, remove } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { CheckFinding } from "./finding.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-set.ts";
import { unhurried } from "./pace.ts";
import { type PackRequest, repairPack } from "./repair-pack.ts";

const profile = { data: 4, parity: 2 };
const settings = { batchOperationsMax: 3 };

/** A set whose first pack is full and sealed. */
async function setWithPack(drives: readonly Drive[], shape = profile): Promise<{ set: OpenSet; bodies: Map<string, Uint8Array> }> {
  const set = await openTestSet(drives, { profile: shape, settings });
  const bodies = new Map<string, Uint8Array>();
  for (let round = 0; round < 5; round++) {
    const names = Array.from({ length: 3 }, (_, i) => `n${round}-${i}`);
    await Promise.all(names.map((name, i) => put(set, name, bodyOf(name, 300 * (round + i)))));
    for (const [i, name] of names.entries()) bodies.set(name, bodyOf(name, 300 * (round + i)));
  }
  await remove(set, "n0-0");
  bodies.delete("n0-0");
  await set.rotatePack();
  return { set, bodies };
}

async function repair(
  set: OpenSet,
  targets: readonly number[],
  request: Partial<PackRequest> = {},
): Promise<{ findings: CheckFinding[]; whole: number[] }> {
  const members = targets.map((ordinal) => set.context.members[ordinal] as Member);
  const steps = repairPack(set, 1, { targets: members, write: true, crossCheck: false, pacer: unhurried, ...request });
  const findings: CheckFinding[] = [];
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { findings, whole: [...step.value].map(({ ordinal }) => ordinal) };
    findings.push(...step.value.findings);
  }
}

async function bytesOf(drive: Drive | undefined): Promise<Buffer> {
  return Buffer.from(await (drive as Drive).readFile(packFileName(1)));
}

/** The pack on every drive, as checksums: arrays of this size take long to compare one by one. */
async function sumsOfAll(drives: readonly Drive[]): Promise<string[]> {
  return Promise.all(drives.map(async (drive) => toHex(checksum(await bytesOf(drive)))));
}

async function overwrite(drive: Drive | undefined, position: number, bytes: Uint8Array): Promise<void> {
  const file = await (drive as Drive).open(packFileName(1), { create: false });
  await file.write(position, [bytes]);
  await file.close();
}

const everybody = [0, 1, 2, 3, 4, 5];

describe("repairing a pack", () => {
  it("makes it again, byte by byte, for every pattern of lost copies that parity covers", async () => {
    for (const shape of [profile, { data: 2, parity: 1 }, { data: 1, parity: 2 }]) {
      const width = shape.data + shape.parity;
      const drives = await createSetDrives(width);
      const { set } = await setWithPack(drives, shape);
      const before = await sumsOfAll(drives);
      for (let mask = 1; mask < 2 ** width; mask++) {
        const lost = [...drives.keys()].filter((ordinal) => (mask & (1 << ordinal)) !== 0);
        if (lost.length > shape.parity) continue;
        for (const ordinal of lost) {
          set.context.members[ordinal]?.forgetPack(1);
          await drives[ordinal]?.remove(packFileName(1));
        }
        expect(await repair(set, lost)).toMatchObject({ whole: lost });
        expect(await sumsOfAll(drives), `lost ${lost.join()} of ${width}`).toEqual(before);
      }
      await set.close();
    }
  });

  it("finds and mends every flipped bit, wherever it is", async () => {
    const drives = await createSetDrives(6);
    const { set } = await setWithPack(drives);
    const copy = await bytesOf(drives[2]);
    const framesEnd = (await set.framesOf(1)).position;
    for (let position = 0; position < copy.byteLength; position += 37) {
      await overwrite(drives[2], position, Uint8Array.of((copy[position] as number) ^ (1 << (position % 8))));
      const { findings } = await repair(set, everybody, { crossCheck: true });
      const isMended = (await bytesOf(drives[2])).equals(copy);
      expect(isMended, `byte ${position} of ${copy.byteLength}, frames end at ${framesEnd}`).toBe(true);
      expect(findings, `byte ${position}`).toMatchObject([{ problem: "damaged", repairable: true, repaired: true }]);
    }
    await set.close();
  });

  it("changes nothing when it is only to look", async () => {
    const drives = await createSetDrives(6);
    const { set } = await setWithPack(drives);
    await overwrite(drives[1], 1000, bodyOf("damage", 50));
    const before = await sumsOfAll(drives);
    const { findings, whole } = await repair(set, everybody, { crossCheck: true, write: false });
    expect(findings).toMatchObject([{ problem: "damaged", repairable: true, repaired: false }]);
    expect(whole).toEqual([]);
    expect(await sumsOfAll(drives)).toEqual(before);
    await set.close();
  });

  it("mends a frame whose headers are damaged everywhere, from the footer and the payloads' checksums", async () => {
    const drives = await createSetDrives(6);
    const { set, bodies } = await setWithPack(drives);
    const before = await sumsOfAll(drives);
    for (const drive of drives) await overwrite(drive, 20, Uint8Array.of(0xff, 0xee));
    const { findings } = await repair(set, everybody, { crossCheck: true });
    expect(findings.length).toBe(6);
    expect(findings.every((finding) => finding.repaired)).toBe(true);
    expect(await sumsOfAll(drives)).toEqual(before);
    await expectBodies(set, bodies);
    await set.close();
  });

  it("reports what cannot be made, goes on with the rest, and gives the pack no footer", async () => {
    const drives = await createSetDrives(6);
    const { set } = await setWithPack(drives);
    const { entries, position } = await set.framesOf(1);
    const third = entries[2]?.header;
    const shardAt = (third?.position ?? 0) + 128 + Math.ceil((third?.recordsBytes ?? 0) / 128) * 128;
    set.context.members[0]?.forgetPack(1);
    await drives[0]?.remove(packFileName(1));
    for (const ordinal of [1, 2]) await overwrite(drives[ordinal], shardAt, bodyOf(`x${ordinal}`, 40));
    const { findings, whole } = await repair(set, [0]);
    expect(whole).toEqual([]);
    expect(findings.filter((finding) => !finding.repairable)).toMatchObject([
      { place: `pack 1 at byte ${third?.position}`, repaired: false },
    ]);
    const made = await bytesOf(drives[0]);
    expect(made.byteLength).toBeLessThanOrEqual(position);
    // The frames around it are there all the same: with drive 0 and the two intact ones they can be read.
    expect((await repair(set, [1, 2])).findings.filter((finding) => finding.repaired).length).toBe(0);
    await set.close();
  });

  it("cuts what lies behind the frames, and writes the footer there", async () => {
    const drives = await createSetDrives(6);
    const { set } = await setWithPack(drives);
    const before = await sumsOfAll(drives);
    await overwrite(drives[3], (await bytesOf(drives[3])).byteLength, bodyOf("junk", 999));
    expect(await repair(set, [3])).toMatchObject({ whole: [3] });
    expect(await sumsOfAll(drives)).toEqual(before);
    await set.close();
  });

  it("tells which shard is wrong when all are what their headers say but parity differs", async () => {
    for (const shape of [profile, { data: 2, parity: 1 }]) {
      const drives = await createSetDrives(shape.data + shape.parity);
      const { set, bodies } = await setWithPack(drives, shape);
      const before = await sumsOfAll(drives);
      for (const ordinal of drives.keys()) {
        await forgeShard(set, drives[ordinal] as Drive, ordinal);
        const { findings } = await repair(set, [...drives.keys()], { crossCheck: true });
        expect(findings).toMatchObject([
          { drive: set.context.members[ordinal]?.id, problem: "parity differs", repairable: true, repaired: true },
        ]);
        expect(await sumsOfAll(drives)).toEqual(before);
      }
      await expectBodies(set, bodies);
      await set.close();
    }
  });

  it("writes frames again that seem whole, when the drive is not to be believed", async () => {
    const inner = await createSetDrives(6);
    const drives = inner.map((drive) => createFaultDrive(drive));
    const { set } = await setWithPack(drives);
    const before = await sumsOfAll(inner);
    drives[4]?.setFaults("write packs/* #1+: delay 0");
    const { whole } = await repair(set, [4], { rewrite: () => true });
    expect(drives[4]?.fired.length).toBeGreaterThan(0);
    expect(whole).toEqual([4]);
    expect(await sumsOfAll(inner)).toEqual(before);
    await set.close();
  });

  it("fails a drive that refuses to be repaired, and goes on with the others", async () => {
    const inner = await createSetDrives(6);
    const drives = inner.map((drive) => createFaultDrive(drive));
    const { set } = await setWithPack(drives);
    const before = await sumsOfAll(inner);
    for (const ordinal of [1, 5]) {
      set.context.members[ordinal]?.forgetPack(1);
      await inner[ordinal]?.remove(packFileName(1));
    }
    drives[1]?.setFaults("sync packs/* #1: error DRIVE_IO_ERROR");
    expect(await repair(set, [1, 5])).toMatchObject({ whole: [5] });
    expect(set.status().drives[1]?.state).toBe("failed");
    expect((await sumsOfAll(inner))[5]).toEqual(before[5]);
    await set.close();
  });

  it("leaves a retired pack alone, and puts nothing on a drive that has vanished", async () => {
    const inner = await createSetDrives(6);
    const drives = inner.map((drive) => createFaultDrive(drive));
    const { set } = await setWithPack(drives);
    set.context.members[0]?.forgetPack(1);
    await inner[0]?.remove(packFileName(1));
    drives[0]?.setFaults("readFile state #1+: error FILE_NOT_FOUND");
    expect(await repair(set, [0])).toEqual({ findings: [], whole: [] });
    expect(await inner[0]?.list("packs")).not.toContain("00000001.pack");
    await set.close();
  });
});

/** Gives the first frame of a drive another shard, with a header that vouches for it. */
async function forgeShard(set: OpenSet, drive: Drive, ordinal: number): Promise<void> {
  const { entries } = await set.framesOf(1);
  const position = entries[1]?.header.position ?? 0;
  const bytes = await drive.readFile(packFileName(1));
  const header = parseFrameHeader(bytes, position);
  if (header === undefined) throw new Error(`drive ${ordinal} has no frame there`);
  const at = shardPosition(header);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFrameHeader(bytes, position, { ...header, shardChecksum: checksum(bytes.subarray(at, at + header.shardBytes)) });
  await overwrite(drive, position, bytes.subarray(position, at + header.shardBytes));
}
