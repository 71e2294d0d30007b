/**
 * One frame on one drive after the other: what a drive's copy of it is worth, and how a copy is made from the others.
 *
 * A shard counts only where the drive's own header of this very batch vouches for it. Records are the same everywhere, so the ones known
 * are written. Where too few shards are vouched for, the rest is tried all the same: the payloads' own checksums, in the records, tell
 * whether the bytes are right.
 */
import { equalBytes, roundUp } from "../base/bytes.ts";
import { unitBytes } from "../base/limits.ts";
import { codeKernel } from "../codec/code-kernel.ts";
import { checksum, matchesChecksum } from "../codec/xxh3.ts";
import type { FooterEntry } from "../format/footer.ts";
import {
  frameHeaderBytes,
  noSlot,
  parseFrameHeader,
  recordsPosition,
  sameBatch,
  shardPosition,
  writeFrameHeader,
} from "../format/frame.ts";
import { slotOfDrive } from "../format/layout.ts";
import { decodeRecords } from "../format/records.ts";
import type { Member } from "./member.ts";
import type { ReadAhead } from "./read-ahead.ts";
import { readWhole } from "./scan-pack.ts";
import { parseKnown } from "./sound-piece.ts";
import { fillShards, type Shards, settleShards } from "./wrong-shards.ts";

/** A frame as it lies on a drive. */
export interface FrameCopy {
  readonly member: Member;
  /** Which shard belongs there, or `noSlot`. */
  readonly slot: number;
  readonly verdict: "whole" | "missing" | "damaged";
  /** The shard, when the drive's own header vouches for it. */
  readonly shard: Uint8Array | undefined;
  /** What lies in its place, vouched for or not. */
  readonly raw: Uint8Array | undefined;
}

/** Reads a member's copy of a frame and compares it with what is known of the frame. */
export async function readFrameCopy(member: Member, file: ReadAhead | undefined, entry: FooterEntry): Promise<FrameCopy> {
  const { header: known } = entry;
  const slot = slotOfDrive(known.layout, member.ordinal);
  const nothing: FrameCopy = { member, slot, verdict: "missing", shard: undefined, raw: undefined };
  if (file === undefined) return nothing;
  const headerBytes = await readWhole(file, known.position, frameHeaderBytes);
  const header = headerBytes === undefined ? undefined : parseKnown(() => parseFrameHeader(headerBytes));
  const isOwn = header !== undefined && sameBatch(header, known) && header.slot === slot;
  const records = await readWhole(file, recordsPosition(known), roundUp(known.recordsBytes, unitBytes));
  const areRecordsRight = records !== undefined && equalBytes(records, padded(entry.records));
  const raw = slot === noSlot ? undefined : await readWhole(file, shardPosition(known), known.shardBytes);
  const isVouched = isOwn && raw !== undefined && matchesChecksum(header.shardChecksum, 0, raw);
  const shard = isVouched ? raw : undefined;
  const isWhole = isOwn && areRecordsRight && (slot === noSlot || isVouched);
  if (isWhole) return { member, slot, verdict: "whole", shard, raw };
  const isElsewhere = header !== undefined && !sameBatch(header, known);
  const isEmpty = headerBytes === undefined || headerBytes.every((byte) => byte === 0);
  return { member, slot, verdict: isElsewhere || isEmpty ? "missing" : "damaged", shard, raw };
}

/** All k + m shards of a frame from the copies that were read; undefined when they do not suffice. */
export function makeShards(entry: FooterEntry, copies: readonly FrameCopy[]): readonly Uint8Array[] | undefined {
  const { layout, shardBytes } = entry.header;
  const width = layout.data + layout.parity;
  if (shardBytes === 0) return Array.from({ length: width }, () => new Uint8Array(0));
  const vouched = bySlot(width, copies, (copy) => copy.shard);
  if (vouched.filter((shard) => shard !== undefined).length >= layout.data) return fillShards(layout, vouched);
  const raw = bySlot(width, copies, (copy) => copy.raw);
  if (raw.filter((shard) => shard !== undefined).length < layout.data) return undefined;
  const sure = new Set([...vouched.keys()].filter((slot) => vouched[slot] !== undefined));
  const settled = settleShards(layout, raw, { sure, accepts: (data) => matchesPayloads(entry, data) });
  return settled === undefined ? undefined : recode(entry, settled.data);
}

/**
 * The shards of a frame of which all are vouched for and which do not agree with each other: those that are wrong, and all as they should be.
 * Undefined when it cannot be told.
 */
export function settleFrame(entry: FooterEntry, shards: Shards): { wrong: readonly number[]; shards: readonly Uint8Array[] } | undefined {
  const settled = settleShards(entry.header.layout, shards, { accepts: (data) => matchesPayloads(entry, data) });
  return settled === undefined ? undefined : { wrong: settled.wrong, shards: recode(entry, settled.data) };
}

/** What belongs on a drive in a frame's place: header, padded records, shard. */
export function frameParts(entry: FooterEntry, slot: number, shards: readonly Uint8Array[]): Uint8Array[] {
  const shard = slot === noSlot ? new Uint8Array(0) : (shards[slot] as Uint8Array);
  const header = new Uint8Array(frameHeaderBytes);
  writeFrameHeader(header, 0, { ...entry.header, slot, shardChecksum: checksum(shard) });
  return shard.byteLength === 0 ? [header, padded(entry.records)] : [header, padded(entry.records), shard];
}

/** The shards that were read, by slot. */
export function bySlot(
  width: number,
  copies: readonly FrameCopy[],
  pick: (copy: FrameCopy) => Uint8Array | undefined,
): (Uint8Array | undefined)[] {
  const shards: (Uint8Array | undefined)[] = new Array(width).fill(undefined);
  for (const copy of copies) if (copy.slot < width) shards[copy.slot] = pick(copy);
  return shards;
}

/** True when every payload that the batch's records place in its stripe has the bytes its checksum tells, and there is one. */
function matchesPayloads(entry: FooterEntry, data: readonly Uint8Array[]): boolean {
  const stripe = Buffer.concat(data);
  let compared = 0;
  for (const { payload } of decodeRecords(entry.records)) {
    if (payload === undefined || payload instanceof Uint8Array) continue;
    const bytes = stripe.subarray(payload.offset, payload.offset + payload.length);
    if (bytes.byteLength !== payload.length || !matchesChecksum(payload.checksum, 0, bytes)) return false;
    compared++;
  }
  return compared > 0;
}

function recode(entry: FooterEntry, data: readonly Uint8Array[]): readonly Uint8Array[] {
  const { layout, shardBytes } = entry.header;
  const parity = Array.from({ length: layout.parity }, () => new Uint8Array(shardBytes));
  codeKernel().encode(layout, data, parity);
  return [...data, ...parity];
}

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength % unitBytes === 0) return bytes;
  const result = new Uint8Array(roundUp(bytes.byteLength, unitBytes));
  result.set(bytes);
  return result;
}
