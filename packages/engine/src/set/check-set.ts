/**
 * Reads everything a set has on its drives and compares it with its checksums: frames of every pack, shards against parity, pieces of every
 * live blob. Changes nothing. What is written meanwhile is left to the next check.
 */
import { throwIfAborted } from "../base/errors.ts";
import { codeKernel } from "../codec/code-kernel.ts";
import { matchesChecksum } from "../codec/xxh3.ts";
import { type BlobPlace, decodeBlobLocation } from "../format/blob-location.ts";
import { formatBlobId, shardFileName } from "../format/blob-name.ts";
import { type FrameHeader, recordsPosition, shardPosition } from "../format/frame.ts";
import { driveOfSlot, participants } from "../format/layout.ts";
import { matchesPart, parsePieceHeader, partRange, samePiece } from "../format/shard-file.ts";
import { piecePartsOf, shardGeometry } from "../format/shard-geometry.ts";
import { decodeEntry, liveBlobRange } from "./index-entry.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-erasure-set.ts";
import { firstSequenceOf, listPacks } from "./pack-entries.ts";
import { PackScan, readWhole, type ScanBounds, type ScannedFrame } from "./scan-pack.ts";
import type { SetContext } from "./set-context.ts";

/** Something on a drive that is not as it should be. */
export interface CheckFinding {
  /** Where: `pack 3 at byte 1024` or `blob 00000001-00000002 stripe 4`. */
  readonly place: string;
  /** The drive's id, or `set` for what concerns all of them. */
  readonly drive: string;
  readonly problem: "missing" | "damaged" | "parity differs";
  /** True when the other drives still have enough to make it again. */
  readonly repairable: boolean;
}

/** Progress of a check: what one step has read and found. */
export interface CheckStep {
  readonly readBytes: number;
  readonly findings: readonly CheckFinding[];
}

/** @throws ABORTED */
export async function* checkSet(set: OpenSet, signal?: AbortSignal): AsyncGenerator<CheckStep, void> {
  const { context } = set;
  const { sequence, pack: lastPack } = set.status();
  // Committed frames may still be on their way to slower drives.
  await Promise.all(context.members.map((member) => member.drain()));
  const everything: ScanBounds = { epoch: 0, firstSequence: 0, belowSequence: sequence + 1 };
  const packs = (await listPacks(context)).filter((pack) => pack <= lastPack);
  for (const [i, pack] of packs.entries()) {
    const next = packs[i + 1];
    const belowSequence = next === undefined ? undefined : await firstSequenceOf(context, next, everything);
    yield* checkPack(context, pack, belowSequence === undefined ? everything : { ...everything, belowSequence }, signal);
  }
  for (const place of liveBlobs(context)) {
    yield* checkBlob(context, place, signal);
  }
}

async function* checkPack(
  context: SetContext,
  pack: number,
  bounds: ScanBounds,
  signal: AbortSignal | undefined,
): AsyncGenerator<CheckStep, void> {
  const scan = await PackScan.open(context, pack, bounds);
  for (let frame = await scan.next(); frame !== undefined; frame = await scan.next()) {
    throwIfAborted(signal);
    yield await checkFrame(context, frame);
  }
  if (!(await scan.hasLaterFrame())) return;
  const place = `pack ${pack} at byte ${scan.position}`;
  yield { readBytes: 0, findings: [{ place, drive: "set", problem: "damaged", repairable: false }] };
}

function liveBlobs(context: SetContext): BlobPlace[] {
  const places: BlobPlace[] = [];
  context.index.scan(liveBlobRange, (_, value) => {
    places.push(decodeBlobLocation(decodeEntry(value).value.slice()));
    return true;
  });
  return places;
}

async function checkFrame(context: SetContext, frame: ScannedFrame): Promise<CheckStep> {
  const { header } = frame;
  const place = `pack ${header.pack} at byte ${header.position}`;
  const width = header.layout.data + header.layout.parity;
  const shards: (Uint8Array | undefined)[] = new Array(width).fill(undefined);
  const bad: { member: Member; problem: "missing" | "damaged" }[] = [];
  let readBytes = 0;
  await Promise.all(
    context.members.map(async (member) => {
      if (!member.takesRepairs) return;
      const own = frame.holders.get(member);
      const shard = own === undefined ? undefined : await soundShard(member, own);
      if (own === undefined || shard === undefined) {
        bad.push({ member, problem: own === undefined ? "missing" : "damaged" });
        return;
      }
      readBytes += header.recordsBytes + shard.byteLength;
      if (own.slot < width) shards[own.slot] = shard;
    }),
  );
  const there = shards.filter((shard) => shard !== undefined).length;
  const repairable = header.shardBytes === 0 || there >= header.layout.data;
  const findings: CheckFinding[] = bad.map(({ member, problem }) => ({ place, drive: member.id, problem, repairable }));
  if (there === width && !codeKernel().verify(header.layout, shards as Uint8Array[])) {
    findings.push({ place, drive: "set", problem: "parity differs", repairable: false });
  }
  return { readBytes, findings };
}

/** A member's shard of a frame (empty where it has none), undefined unless records and shard match their checksums. */
async function soundShard(member: Member, header: FrameHeader): Promise<Uint8Array | undefined> {
  return member.withPack(header.pack, { create: false }, async (file) => {
    const records = await readWhole(file, recordsPosition(header), header.recordsBytes);
    if (records === undefined || !matchesChecksum(header.recordsChecksum, 0, records)) return undefined;
    const takesPart = participants(header.layout).includes(member.ordinal);
    const shard = await readWhole(file, shardPosition(header), takesPart ? header.shardBytes : 0);
    return shard !== undefined && matchesChecksum(header.shardChecksum, 0, shard) ? shard : undefined;
  });
}

async function* checkBlob(context: SetContext, place: BlobPlace, signal: AbortSignal | undefined): AsyncGenerator<CheckStep, void> {
  const { layout, blob } = place;
  const geometry = shardGeometry({ data: layout.data, stripeBytes: place.stripeBytes, sizeBytes: place.sizeBytes });
  const width = layout.data + layout.parity;
  const members = Array.from({ length: width }, (_, slot) => context.members[driveOfSlot(layout, slot)] as Member);
  const files = await Promise.all(
    members.map((member) => member.drive?.open(shardFileName(blob), { create: false }).catch(() => undefined)),
  );
  try {
    for (let stripe = 0; stripe < geometry.stripes; stripe++) {
      throwIfAborted(signal);
      const pieceBytes = geometry.pieceBytes(stripe);
      const headerBytes = geometry.pieceHeaderBytes(stripe);
      const pieces = await Promise.all(
        files.map(async (file, slot) => {
          const bytes = file === undefined ? undefined : await readWhole(file, geometry.position(stripe), headerBytes + pieceBytes);
          const facts = { blob, slot, stripe, pieceBytes, dataBytes: geometry.dataBytes(stripe) };
          return bytes !== undefined && isSoundPiece(bytes, headerBytes, facts) ? bytes.subarray(headerBytes) : undefined;
        }),
      );
      const there = pieces.filter((piece) => piece !== undefined).length;
      const where = `blob ${formatBlobId(blob)} stripe ${stripe}`;
      const findings: CheckFinding[] = [];
      for (const [slot, piece] of pieces.entries()) {
        const member = members[slot] as Member;
        if (piece !== undefined || !member.takesRepairs) continue;
        findings.push({
          place: where,
          drive: member.id,
          problem: files[slot] === undefined ? "missing" : "damaged",
          repairable: there >= layout.data,
        });
      }
      if (there === width && !codeKernel().verify(layout, pieces as Uint8Array[])) {
        findings.push({ place: where, drive: "set", problem: "parity differs", repairable: false });
      }
      yield { readBytes: there * (headerBytes + pieceBytes), findings };
    }
  } finally {
    for (const file of files) await file?.close();
  }
}

function isSoundPiece(bytes: Uint8Array, headerBytes: number, facts: Parameters<typeof samePiece>[1]): boolean {
  const header = parsePieceHeader(bytes);
  if (header === undefined || !samePiece(header, facts)) return false;
  const piece = bytes.subarray(headerBytes);
  for (let part = 0; part < piecePartsOf(facts.pieceBytes); part++) {
    const { start, end } = partRange(facts.pieceBytes, part);
    if (!matchesPart(bytes, 0, part, piece.subarray(start, end))) return false;
  }
  return true;
}
