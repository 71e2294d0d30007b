/**
 * Frames: what one drive's pack gets for one batch. Drawn byte by byte in docs/formats/pack.md.
 *
 * A frame is a 128-byte header, the batch's records (the same bytes on every drive, zero-padded to 128) and this drive's shard
 * (a multiple of 128 bytes). It lies at the same position of the same pack on every drive of the set: a drive that missed it has a
 * hole there. All integers are little-endian.
 */
import { equalBytes, roundUp } from "../base/bytes.ts";
import { invariant } from "../base/invariant.ts";
import { parityMax, recordsBytesMax, unitBytes } from "../base/limits.ts";
import { checksumBytes } from "../codec/xxh3.ts";
import { isLayout, noSlot, type StripeLayout, sameLayout } from "./layout.ts";
import {
  copyOf,
  getU64,
  type HeaderKind,
  isId,
  isU32,
  isU53,
  isZero,
  openHeader,
  readId,
  sealHeader,
  setU64,
  startHeader,
  writeId,
} from "./sealed-header.ts";

export { noSlot, type StripeLayout } from "./layout.ts";

const kind: HeaderKind = { name: "a pack's frame", magic: "HFfr", version: 1 };

/** Bytes of a frame header. */
export const frameHeaderBytes = 128;

/** The facts of a batch that are the same on every drive. */
export interface BatchHeader {
  /** The set's id, 16 bytes as hexadecimal digits. */
  readonly setId: string;
  readonly pack: number;
  /** Where the frame starts in its pack. */
  readonly position: number;
  readonly sequence: number;
  readonly epoch: number;
  /** Further drive losses the batch had to stand when it was acknowledged, at most 4: recovery tells from it whether it may have been. */
  readonly survive: number;
  readonly timeMs: number;
  readonly layout: StripeLayout;
  /** Bytes of the records, without padding. */
  readonly recordsBytes: number;
  /** Bytes of each shard, a multiple of 128; 0 when the batch has no payload. */
  readonly shardBytes: number;
  /** Bytes of the payload that was split over the data shards. */
  readonly payloadBytes: number;
}

/** A frame's header: the batch's facts and this drive's. */
export interface FrameHeader extends BatchHeader {
  /** This drive's slot in the stripe, or `noSlot`. */
  readonly slot: number;
  /** XXH3-64 of the records, 8 bytes. */
  readonly recordsChecksum: Uint8Array;
  /** XXH3-64 of this drive's shard, 8 bytes; of no bytes where there is no shard. */
  readonly shardChecksum: Uint8Array;
}

/** Writes a frame's header into the 128 bytes at `at`. */
export function writeFrameHeader(target: Uint8Array, at: number, header: FrameHeader): void {
  invariant(isFrameHeader(header), "a frame's header is in range before it is written");
  const view = startHeader(kind, target, at);
  view.setUint8(6, header.layout.data);
  view.setUint8(7, header.layout.parity);
  view.setUint8(8, header.slot);
  view.setUint8(9, header.layout.rotation);
  view.setUint8(10, header.survive);
  view.setUint32(12, header.pack, true);
  setU64(view, 16, header.sequence);
  view.setUint32(24, header.epoch, true);
  view.setUint32(28, header.recordsBytes, true);
  view.setUint32(32, header.shardBytes, true);
  view.setUint32(36, header.payloadBytes, true);
  setU64(view, 40, header.position);
  view.setBigUint64(48, header.layout.drives, true);
  writeId(target, at + 56, header.setId);
  setU64(view, 72, header.timeMs);
  target.set(header.recordsChecksum, at + 80);
  target.set(header.shardChecksum, at + 88);
  sealHeader(target, at);
}

/**
 * The frame header at `at`, or undefined when the bytes there are none. What it says is in range, but is not yet compared with
 * the pack it was read from: see {@link frameBytes}. @throws FORMAT_TOO_NEW
 */
export function parseFrameHeader(bytes: Uint8Array, at = 0): FrameHeader | undefined {
  const view = openHeader(kind, bytes, at);
  if (view === undefined || view.getUint8(5) !== 0 || view.getUint8(11) !== 0 || !isZero(view, 96, 120)) return undefined;
  const header: FrameHeader = {
    setId: readId(bytes, at + 56),
    pack: view.getUint32(12, true),
    position: getU64(view, 40),
    sequence: getU64(view, 16),
    epoch: view.getUint32(24, true),
    survive: view.getUint8(10),
    timeMs: getU64(view, 72),
    layout: { data: view.getUint8(6), parity: view.getUint8(7), drives: view.getBigUint64(48, true), rotation: view.getUint8(9) },
    recordsBytes: view.getUint32(28, true),
    shardBytes: view.getUint32(32, true),
    payloadBytes: view.getUint32(36, true),
    slot: view.getUint8(8),
    recordsChecksum: copyOf(bytes, at + 80, checksumBytes),
    shardChecksum: copyOf(bytes, at + 88, checksumBytes),
  };
  return isFrameHeader(header) ? header : undefined;
}

/** Bytes of the whole frame in its pack: the same on every drive, also where a drive without a slot has a hole for the shard. */
export function frameBytes(header: BatchHeader): number {
  return frameHeaderBytes + roundUp(header.recordsBytes, unitBytes) + header.shardBytes;
}

/** Where the records start in the pack. */
export function recordsPosition(header: BatchHeader): number {
  return header.position + frameHeaderBytes;
}

/** Where the shards start in the pack. */
export function shardPosition(header: BatchHeader): number {
  return header.position + frameHeaderBytes + roundUp(header.recordsBytes, unitBytes);
}

/** True when two drives' headers are of one batch: everything agrees but slot and shard checksum. */
export function sameBatch(a: FrameHeader, b: FrameHeader): boolean {
  return (
    a.sequence === b.sequence &&
    a.epoch === b.epoch &&
    a.pack === b.pack &&
    a.position === b.position &&
    a.recordsBytes === b.recordsBytes &&
    a.shardBytes === b.shardBytes &&
    a.payloadBytes === b.payloadBytes &&
    a.survive === b.survive &&
    a.timeMs === b.timeMs &&
    a.setId === b.setId &&
    sameLayout(a.layout, b.layout) &&
    equalBytes(a.recordsChecksum, b.recordsChecksum)
  );
}

/** Asked before a header is written and after one is read: everything in its range. */
function isFrameHeader(header: FrameHeader): boolean {
  const { layout, slot, survive, position, recordsBytes, shardBytes, payloadBytes } = header;
  if (!isLayout(layout) || !isId(header.setId)) return false;
  if (slot !== noSlot && !(Number.isInteger(slot) && slot >= 0 && slot < layout.data + layout.parity)) return false;
  if (!Number.isInteger(survive) || survive < 0 || survive > parityMax) return false;
  if (!isU53(header.sequence) || !isU53(header.timeMs) || !isU53(position) || position % unitBytes !== 0) return false;
  if (!isU32(header.pack) || !isU32(header.epoch) || !isU32(recordsBytes) || recordsBytes > recordsBytesMax) return false;
  if (!isU32(shardBytes) || shardBytes % unitBytes !== 0) return false;
  if (!isU32(payloadBytes) || payloadBytes > layout.data * shardBytes) return false;
  return header.recordsChecksum.byteLength === checksumBytes && header.shardChecksum.byteLength === checksumBytes;
}
