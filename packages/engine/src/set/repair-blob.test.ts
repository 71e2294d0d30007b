import { describe, expect, it } from "vitest";
import { toHex } from "../base/bytes.ts";
import { checksum } from "../codec/xxh3.ts";
import type { Drive } from "../drive/drive.ts";
import { decodeBlobLocation } from "../format/blob-location.ts";
import { shardFileName } from "../format/blob-name.ts";
import { driveOfSlot } from "../format/layout.ts";
import { parsePieceHeader, writePieceHeader } from "../format/shard-file.ts";
import { shardGeometry } from "../format/shard-geometry.ts";
import { createFaultDrive } from "../testing/fault-drive.ts";
import { bodyOf, putBlob, readBlob, removeBlob } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { BlobLocation } from "./erasure-set.ts";
import type { CheckFinding } from "./finding.ts";
import type { OpenSet } from "./open-set.ts";
import { unhurried } from "./pace.ts";
import { type BlobRequest, repairBlob } from "./repair-blob.ts";

const profile = { data: 4, parity: 2 };
const settings = { stripeBytes: 8192 };
const body = bodyOf("body", 30_000);
const name = "blobs/00000001/00000000.shard";

async function setWithBlob(drives: readonly Drive[], shape = profile): Promise<{ set: OpenSet; blob: BlobLocation }> {
  const set = await openTestSet(drives, { profile: shape, settings });
  const blob = await putBlob(set, "blob", body);
  expect(shardFileName(decodeBlobLocation(blob).blob)).toBe(name);
  return { set, blob };
}

async function repair(
  set: OpenSet,
  blob: BlobLocation,
  request: Partial<BlobRequest> = {},
): Promise<{ findings: CheckFinding[]; whole: number[]; gone: boolean }> {
  const steps = repairBlob(set, blob, { targets: set.context.members, write: true, crossCheck: false, pacer: unhurried, ...request });
  const findings: CheckFinding[] = [];
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { findings, gone: step.value.gone, whole: [...step.value.whole].map(({ ordinal }) => ordinal).sort() };
    findings.push(...step.value.findings);
  }
}

/** The shard files, as checksums: arrays of this size take long to compare one by one. */
async function sumsOfAll(drives: readonly Drive[]): Promise<string[]> {
  return Promise.all(drives.map(async (drive) => toHex(checksum(await drive.readFile(name)))));
}

async function overwrite(drive: Drive | undefined, position: number, bytes: Uint8Array): Promise<void> {
  const file = await (drive as Drive).open(name, { create: false });
  await file.write(position, [bytes]);
  await file.close();
}

describe("repairing a blob", () => {
  it("makes it again, byte by byte, for every pattern of lost shard files that parity covers", async () => {
    for (const shape of [profile, { data: 2, parity: 1 }, { data: 1, parity: 2 }]) {
      const width = shape.data + shape.parity;
      const drives = await createSetDrives(width);
      const { set, blob } = await setWithBlob(drives, shape);
      const before = await sumsOfAll(drives);
      for (let mask = 1; mask < 2 ** width; mask++) {
        const lost = [...drives.keys()].filter((ordinal) => (mask & (1 << ordinal)) !== 0);
        if (lost.length > shape.parity) continue;
        for (const ordinal of lost) await drives[ordinal]?.remove(name);
        const targets = lost.map((ordinal) => set.context.members[ordinal] as NonNullable<(typeof set.context.members)[number]>);
        expect(await repair(set, blob, { targets })).toMatchObject({ gone: false, whole: lost });
        expect(await sumsOfAll(drives), `lost ${lost.join()} of ${width}`).toEqual(before);
      }
      await set.close();
    }
  });

  it("finds and mends every flipped bit, wherever it is", async () => {
    const drives = await createSetDrives(6);
    const { set, blob } = await setWithBlob(drives);
    const copy = Buffer.from(await (drives[3] as Drive).readFile(name));
    for (let position = 0; position < copy.byteLength; position += 97) {
      await overwrite(drives[3], position, Uint8Array.of((copy[position] as number) ^ (1 << (position % 8))));
      const { findings } = await repair(set, blob, { crossCheck: true });
      expect(findings, `byte ${position}`).toMatchObject([{ problem: "damaged", repairable: true, repaired: true }]);
      expect(Buffer.compare(await (drives[3] as Drive).readFile(name), copy) === 0, `byte ${position}`).toBe(true);
    }
    await set.close();
  });

  it("makes a file anew that is too short or too long", async () => {
    const drives = await createSetDrives(6);
    const { set, blob } = await setWithBlob(drives);
    const before = await sumsOfAll(drives);
    const file = await drives[0]?.open(name, { create: false });
    await file?.truncate(5000);
    await file?.close();
    await overwrite(drives[1], (await (drives[2] as Drive).readFile(name)).byteLength, Uint8Array.of(1));
    const { findings, whole } = await repair(set, blob);
    expect(findings.length).toBe(2);
    expect(findings.every((finding) => finding.problem === "damaged" && finding.repaired)).toBe(true);
    expect(whole.length).toBe(6);
    expect(await sumsOfAll(drives)).toEqual(before);
    await set.close();
  });

  it("changes nothing when it is only to look", async () => {
    const drives = await createSetDrives(6);
    const { set, blob } = await setWithBlob(drives);
    await overwrite(drives[1], 1000, bodyOf("damage", 50));
    await drives[2]?.remove(name);
    const { findings } = await repair(set, blob, { crossCheck: true, write: false });
    expect(findings.map(({ problem, repaired }) => ({ problem, repaired })).sort((a, b) => a.problem.localeCompare(b.problem))).toEqual([
      { problem: "damaged", repaired: false },
      { problem: "missing", repaired: false },
    ]);
    expect(await drives[2]?.list("blobs/00000001")).toEqual([]);
    await set.close();
  });

  it("tells which piece is wrong when all match their checksums but parity differs", async () => {
    const drives = await createSetDrives(6);
    const { set, blob } = await setWithBlob(drives);
    const before = await sumsOfAll(drives);
    for (const ordinal of drives.keys()) {
      await forgePiece(drives[ordinal] as Drive, blob);
      const { findings } = await repair(set, blob, { crossCheck: true });
      expect(findings).toMatchObject([{ drive: set.context.members[ordinal]?.id, problem: "parity differs", repaired: true }]);
      expect(await sumsOfAll(drives)).toEqual(before);
    }
    await set.close();
  });

  it("says so when it cannot tell: one parity shard names no culprit", async () => {
    const drives = await createSetDrives(3);
    const { set, blob } = await setWithBlob(drives, { data: 2, parity: 1 });
    await forgePiece(drives[0] as Drive, blob);
    const { findings } = await repair(set, blob, { crossCheck: true });
    expect(findings).toMatchObject([{ drive: "set", problem: "parity differs", repairable: false, repaired: false }]);
    await set.close();
  });

  it("keeps the rest of a blob of which one stripe is lost, unless a drive that is away may have it", async () => {
    const drives = await createSetDrives(6);
    const { set, blob } = await setWithBlob(drives);
    const { position } = geometryOf(blob);
    for (const ordinal of [1, 2]) await overwrite(drives[ordinal], position(1) + 200, bodyOf("damage", 50));
    await drives[0]?.remove(name);
    const [first] = set.context.members;
    if (first === undefined) return expect.unreachable();
    const away = set.context.members[5];
    const drive = away?.drive;
    set.detach(5, { state: "offline", reason: "for the test" });
    const without = await repair(set, blob, { targets: [first] });
    expect(without.findings).toMatchObject([{ place: "blob 00000001-00000000 stripe 1", repairable: false }]);
    expect(without.whole).toEqual([]);
    expect(await drives[0]?.list("blobs/00000001")).toEqual([]);
    await set.attach(5, { id: away?.id as NonNullable<typeof away>["id"], drive: drive as Drive, fresh: false });
    const withAll = await repair(set, blob, { targets: [first] });
    expect(withAll.findings).toMatchObject([
      { place: "blob 00000001-00000000 stripe 1", repairable: false },
      { place: "blob 00000001-00000000", problem: "missing", repaired: true },
    ]);
    expect(await readBlob(set, blob, { start: 0, end: 8192 })).toEqual(Buffer.from(body.subarray(0, 8192)));
    await set.close();
  });

  it("leaves nothing of a blob that is given up while it is repaired", async () => {
    const drives = await createSetDrives(6);
    const { set, blob } = await setWithBlob(drives);
    await drives[0]?.remove(name);
    const steps = repairBlob(set, blob, { targets: set.context.members, write: true, crossCheck: false, pacer: unhurried });
    await steps.next();
    await removeBlob(set, "blob");
    while ((await steps.next()).done !== true);
    expect((await repair(set, blob)).gone).toBe(true);
    await set.close();
    for (const drive of drives) expect(await drive.list("blobs/00000001")).toEqual([]);
  });

  it("fails a drive that refuses the file, and leaves nothing unfinished on it", async () => {
    const inner = await createSetDrives(6);
    const drives = inner.map((drive) => createFaultDrive(drive));
    const { set, blob } = await setWithBlob(drives);
    for (const ordinal of [2, 4]) await inner[ordinal]?.remove(name);
    drives[2]?.setFaults("finish blobs/* #1: error DRIVE_IO_ERROR");
    const { whole, findings } = await repair(set, blob);
    expect(whole).toEqual([0, 1, 3, 4, 5]);
    expect(findings.map(({ repaired }) => repaired).sort()).toEqual([false, true]);
    expect(set.status().drives[2]?.state).toBe("failed");
    expect(await inner[2]?.list("blobs/00000001")).toEqual([]);
    await set.close();
  });
});

function geometryOf(blob: BlobLocation): ReturnType<typeof shardGeometry> {
  const { layout, stripeBytes, sizeBytes } = decodeBlobLocation(blob);
  return shardGeometry({ data: layout.data, stripeBytes, sizeBytes });
}

/** Gives the second stripe of a drive another piece, with a header that vouches for it. */
async function forgePiece(drive: Drive, blob: BlobLocation): Promise<void> {
  const geometry = geometryOf(blob);
  const at = geometry.position(1);
  const headerBytes = geometry.pieceHeaderBytes(1);
  const bytes = (await drive.readFile(name)).slice(at, at + headerBytes + geometry.pieceBytes(1));
  const header = parsePieceHeader(bytes);
  if (header === undefined) throw new Error(`drive of slot ${driveOfSlot(decodeBlobLocation(blob).layout, 0)} has no piece`);
  const piece = bytes.subarray(headerBytes);
  piece[7] = (piece[7] as number) ^ 4;
  writePieceHeader(bytes, 0, header, piece);
  await overwrite(drive, at, bytes);
}
