import { describe, expect, it } from "vitest";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { packFileName } from "../format/pack-name.ts";
import { bodyOf, expectBodies, put, putBlob, read, readBlob, remove } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { BlobLocation } from "./erasure-set.ts";
import type { CheckFinding } from "./finding.ts";
import type { OpenSet } from "./open-set.ts";
import { unhurried } from "./pace.ts";
import { nameOfFault, repairFault } from "./repair-fault.ts";
import { type ScrubCursor, type ScrubOptions, scrubSet } from "./scrub-set.ts";

const profile = { data: 4, parity: 2 };
const settings = { packBytesMax: 16 * KiB, batchOperationsMax: 4 };
const shard = "blobs/00000001/00000000.shard";

async function findingsOf(set: OpenSet, options: Partial<ScrubOptions> = {}): Promise<{ findings: CheckFinding[]; readBytes: number }> {
  const findings: CheckFinding[] = [];
  let readBytes = 0;
  for await (const step of scrubSet(set, { pacer: unhurried, ...options })) {
    findings.push(...step.findings);
    readBytes += step.readBytes;
  }
  return { findings, readBytes };
}

async function fill(set: OpenSet): Promise<BlobLocation> {
  for (let round = 0; round < 12; round++) {
    await Promise.all(Array.from({ length: 4 }, (_, i) => put(set, `n${round}-${i}`, bodyOf(`n${round}-${i}`, 1500))));
  }
  await remove(set, "n0-0");
  return putBlob(set, "blob", bodyOf("blob", 300_000));
}

async function flip(drive: Drive | undefined, name: string, position: number): Promise<void> {
  const file = await (drive as Drive).open(name, { create: false });
  const byte = new Uint8Array(1);
  await file.read(position, byte);
  await file.write(position, [Uint8Array.of((byte[0] as number) ^ 0x10)]);
  await file.close();
}

describe("scrubbing a set", () => {
  it.each([true, false])("reads everything and finds nothing where all is well (repair: %s)", async (repair) => {
    const set = await openTestSet(await createSetDrives(6), { profile, settings });
    await fill(set);
    const { findings, readBytes } = await findingsOf(set, { repair });
    expect(findings).toEqual([]);
    expect(readBytes).toBeGreaterThan(1.5 * (48 * 1500 + 300_000));
    await set.close();
  });

  it("names the drive of a damaged shard and of a damaged piece, and mends both", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    await fill(set);
    await flip(drives[2], packFileName(1), 1000);
    await flip(drives[4], shard, 5000);
    const id = (drive: number): string => set.status().drives[drive]?.id as string;
    const damage = [
      { drive: id(2), problem: "damaged", repairable: true },
      { drive: id(4), problem: "damaged", repairable: true },
    ];
    expect((await findingsOf(set, { repair: false })).findings).toMatchObject(damage.map((one) => ({ ...one, repaired: false })));
    expect((await findingsOf(set)).findings).toMatchObject(damage.map((one) => ({ ...one, repaired: true })));
    expect((await findingsOf(set)).findings).toEqual([]);
    await set.close();
  });

  it("finds what a drive missed while it was away, and makes it", async () => {
    const drives = await createSetDrives(6);
    const first = await openTestSet([undefined, ...drives.slice(1)], { profile, settings });
    await fill(first);
    await first.close();
    const set = await openTestSet(drives, { profile, settings });
    const { findings } = await findingsOf(set, { repair: false });
    expect(findings.length).toBeGreaterThan(5);
    expect(new Set(findings.map(({ drive, problem }) => `${drive} ${problem}`))).toEqual(
      new Set([`${set.status().drives[0]?.id} missing`]),
    );
    expect((await findingsOf(set)).findings.every((finding) => finding.repaired)).toBe(true);
    expect((await findingsOf(set, { repair: false })).findings).toEqual([]);
    await set.close();
  });

  it("changes nothing when it is only to look, also in the pack being filled", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    await put(set, "a", bodyOf("a", 9000));
    await flip(drives[1], packFileName(1), 400);
    const { findings } = await findingsOf(set, { repair: false });
    expect(findings).toMatchObject([{ place: "pack 1 at byte 0", drive: set.status().drives[1]?.id, repaired: false }]);
    expect(set.activePack).toBe(1);
    await set.close();
  });

  it("mends a frame of which every header is bad, when a footer knows it; without one it is beyond repair", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    await fill(set);
    for (const drive of drives) await flip(drive, packFileName(2), 3);
    const { findings } = await findingsOf(set);
    expect(findings.map(({ place, repaired }) => `${place} ${repaired}`)).toEqual(Array.from({ length: 6 }, () => "pack 2 at byte 0 true"));
    await put(set, "last", bodyOf("last", 3000));
    const active = set.activePack;
    await put(set, "later", bodyOf("later", 3000));
    for (const drive of drives) await flip(drive, packFileName(active), 3);
    const looked = await findingsOf(set, { repair: false });
    expect(looked.findings).toMatchObject([{ place: `pack ${active}`, drive: "set", problem: "damaged", repairable: false }]);
    await set.close();
  });

  it("goes on where a cursor says, and misses nothing", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    await fill(set);
    await putBlob(set, "another", bodyOf("another", 1000));
    await set.rotatePack();
    const damaged = [packFileName(1), packFileName(2), shard, "blobs/00000001/00000001.shard"];
    for (const name of damaged) await flip(drives[3], name, 300);
    const places = new Set<string>();
    let cursor: ScrubCursor | undefined = { pack: 0 };
    for (let turns = 0; cursor !== undefined; turns++) {
      const from: ScrubCursor = cursor;
      cursor = undefined;
      for await (const step of scrubSet(set, { pacer: unhurried, repair: false, from })) {
        for (const finding of step.findings) places.add(finding.place);
        const moved = JSON.stringify(step.cursor) !== JSON.stringify(from);
        if (!moved) continue;
        cursor = step.cursor;
        break;
      }
      expect(turns).toBeLessThan(50);
    }
    expect(places.size).toBe(damaged.length);
    await set.close();
  });

  it("leaves the pack being filled alone until the end of a pass, however many turns that takes", async () => {
    const set = await openTestSet(await createSetDrives(6), { profile, settings });
    await fill(set);
    await set.rotatePack();
    await put(set, "a", bodyOf("a", 100));
    const active = set.activePack;
    for await (const step of scrubSet(set, { pacer: unhurried })) {
      if ("pack" in step.cursor && step.cursor.pack < active) expect(set.activePack).toBe(active);
    }
    expect(set.activePack).toBe(active + 1);
    await set.close();
  });
});

describe("repairing what a read found", () => {
  it("mends the frame, in a full pack and in the one being filled", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    const faults: { pack: number; position: number }[] = [];
    set.context.hooks.onReadFault = (fault) => void (fault.kind === "packed" && faults.push(fault));
    await put(set, "a", bodyOf("a", 2000));
    await put(set, "b", bodyOf("b", 2000));
    for (const isFull of [false, true]) {
      if (isFull) await set.rotatePack();
      for (const drive of drives) await flipData(drive);
      // The same fault is told of once in a while only.
      if (!isFull) await read(set, "a");
      const findings: CheckFinding[] = [];
      const [fault] = faults;
      if (fault === undefined) return expect.unreachable("the read found nothing");
      expect(nameOfFault({ kind: "packed", ...fault })).toBe(`pack 1 at ${fault.position}`);
      for await (const step of repairFault(set, { kind: "packed", ...fault }, { pacer: unhurried })) findings.push(...step.findings);
      expect(findings).toMatchObject([{ place: "pack 1 at byte 0", problem: "damaged", repaired: true }]);
      expect((await findingsOf(set, { repair: false })).findings).toEqual([]);
      expect(set.activePack).toBe(isFull ? 2 : 1);
    }
    await expectBodies(set, new Map(["a", "b"].map((name) => [name, bodyOf(name, 2000)])));
    await set.close();
  });

  it("mends the blob", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    const location = await putBlob(set, "blob", bodyOf("blob", 300_000));
    await flip(drives[0], shard, 9000);
    const findings: CheckFinding[] = [];
    for await (const step of repairFault(set, { kind: "blob", location }, { pacer: unhurried })) findings.push(...step.findings);
    expect(findings).toMatchObject([{ problem: "damaged", repaired: true }]);
    expect(Buffer.compare(await readBlob(set, location), bodyOf("blob", 300_000))).toBe(0);
    await set.close();
  });
});

/** Damages the first frame's shard where the drive holds the start of the payload. */
async function flipData(drive: Drive): Promise<void> {
  const bytes = Buffer.from(await drive.readFile(packFileName(1)));
  const at = bytes.indexOf(Buffer.from(bodyOf("a", 2000).subarray(0, 16)));
  if (at >= 0) await flip(drive, packFileName(1), at + 3);
}
