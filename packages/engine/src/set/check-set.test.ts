import { describe, expect, it } from "vitest";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { packFileName } from "../format/pack-name.ts";
import { bodyOf, put, putBlob, remove } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import { type CheckFinding, checkSet } from "./check-set.ts";
import type { OpenSet } from "./open-erasure-set.ts";

const profile = { data: 4, parity: 2 };
const settings = { packBytesMax: 16 * KiB, batchOperationsMax: 4 };

async function findingsOf(set: OpenSet): Promise<{ findings: CheckFinding[]; readBytes: number }> {
  const findings: CheckFinding[] = [];
  let readBytes = 0;
  for await (const step of checkSet(set)) {
    findings.push(...step.findings);
    readBytes += step.readBytes;
  }
  return { findings, readBytes };
}

async function fill(set: OpenSet): Promise<void> {
  for (let round = 0; round < 12; round++) {
    await Promise.all(Array.from({ length: 4 }, (_, i) => put(set, `n${round}-${i}`, bodyOf(`n${round}-${i}`, 1500))));
  }
  await remove(set, "n0-0");
  await putBlob(set, "blob", bodyOf("blob", 300_000));
}

async function flip(drive: Drive | undefined, name: string, position: number): Promise<void> {
  const file = await (drive as Drive).open(name, { create: false });
  const byte = new Uint8Array(1);
  await file.read(position, byte);
  await file.write(position, [Uint8Array.of((byte[0] as number) ^ 0x10)]);
  await file.close();
}

describe("checking a set", () => {
  it("reads everything and finds nothing where all is well", async () => {
    const set = await openTestSet(await createSetDrives(6), { profile, settings });
    await fill(set);
    const { findings, readBytes } = await findingsOf(set);
    expect(findings).toEqual([]);
    expect(readBytes).toBeGreaterThan(1.5 * (48 * 1500 + 300_000));
    await set.close();
  });

  it("names the drive of a damaged shard and of a damaged piece", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    await fill(set);
    await flip(drives[2], packFileName(1), 1000);
    await flip(drives[4], "blobs/00000001/00000000.shard", 5000);
    const { findings } = await findingsOf(set);
    const id = (drive: number): string => set.status().drives[drive]?.id as string;
    expect(findings).toMatchObject([
      { drive: id(2), problem: "damaged", repairable: true },
      { drive: id(4), problem: "damaged", repairable: true },
    ]);
    await set.close();
  });

  it("finds what a drive missed while it was away", async () => {
    const drives = await createSetDrives(6);
    const first = await openTestSet([undefined, ...drives.slice(1)], { profile, settings });
    await fill(first);
    await first.close();
    const set = await openTestSet(drives, { profile, settings });
    const { findings } = await findingsOf(set);
    expect(findings.length).toBeGreaterThan(5);
    expect(new Set(findings.map(({ drive, problem }) => `${drive} ${problem}`))).toEqual(
      new Set([`${set.status().drives[0]?.id} missing`]),
    );
    await set.close();
  });

  it("does not end at a frame of which every copy is bad", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    await fill(set);
    for (const drive of drives) await flip(drive, packFileName(2), 3);
    const { findings } = await findingsOf(set);
    expect(findings).toEqual([{ place: "pack 2 at byte 0", drive: "set", problem: "damaged", repairable: false }]);
    await set.close();
  });
});
