/**
 * Shard files: what one drive holds of a blob. A header of 128 bytes, then for every stripe a piece: a header that lists the XXH3-64 of
 * each 64 KiB of the shard (the last part may be shorter), and the shard. Drawn byte by byte in docs/formats/shard-file.md.
 *
 * A file appears under its name only when it is complete and durable, so there is no torn shard file; what does not match is bit rot.
 * Where pieces lie follows from the blob's location (shard-geometry.ts); the headers confirm it.
 */
import { invariant } from "../base/invariant.ts";
import { checksumBlockBytes, unitBytes } from "../base/limits.ts";
import { checksumBytes, matchesChecksum, writeBlockChecksums, writeChecksum } from "../codec/xxh3.ts";
import type { BlobId } from "./blob-name.ts";
import { isLayout, type StripeLayout, sameLayout } from "./layout.ts";
import {
  getU64,
  type HeaderKind,
  hasMagic,
  isId,
  isReadableVersion,
  isU32,
  isU53,
  isZero,
  openHeader,
  readId,
  sealedHeaderBytes,
  sealHeader,
  setU64,
  startHeader,
  viewOf,
  writeId,
  writeMagic,
} from "./sealed-header.ts";
import { pieceFixedBytes, pieceHeaderBytesOf, piecePartsOf } from "./shard-geometry.ts";

const fileKind: HeaderKind = { name: "a blob's shard file", magic: "HFsh", version: 1 };
const pieceKind: HeaderKind = { name: "a piece of a blob", magic: "HFpc", version: 1 };

/** Bytes of a shard file's header. */
export const shardFileHeaderBytes = sealedHeaderBytes;

/** The header of a shard file. It does not know the blob's size: that is not known before its last byte has come. */
export interface ShardFileHeader {
  readonly setId: string;
  readonly blob: BlobId;
  readonly layout: StripeLayout;
  /** Which shard of every stripe lies here, 0 ≤ slot < k + m. */
  readonly slot: number;
  /** Object bytes in each stripe but the last. */
  readonly stripeBytes: number;
  readonly timeMs: number;
}

/** The header of a piece, without its checksums. */
export interface PieceHeader {
  readonly blob: BlobId;
  readonly slot: number;
  readonly stripe: number;
  /** Bytes of the shard, a multiple of 128. */
  readonly pieceBytes: number;
  /** Object bytes in the whole stripe. */
  readonly dataBytes: number;
}

/** Writes the header of a shard file into the 128 bytes at `at`. */
export function writeShardFileHeader(target: Uint8Array, at: number, header: ShardFileHeader): void {
  invariant(isShardFileHeader(header), "a shard file's header is in range before it is written");
  const view = startHeader(fileKind, target, at);
  view.setUint8(6, header.layout.data);
  view.setUint8(7, header.layout.parity);
  view.setUint8(8, header.slot);
  view.setUint8(9, header.layout.rotation);
  view.setUint32(12, header.stripeBytes, true);
  view.setUint32(16, header.blob.epoch, true);
  view.setUint32(20, header.blob.counter, true);
  view.setBigUint64(24, header.layout.drives, true);
  setU64(view, 32, header.timeMs);
  writeId(target, at + 40, header.setId);
  sealHeader(target, at);
}

/** The header of a shard file at `at`, or undefined when the bytes there are none. @throws FORMAT_TOO_NEW */
export function parseShardFileHeader(bytes: Uint8Array, at = 0): ShardFileHeader | undefined {
  const view = openHeader(fileKind, bytes, at);
  if (view === undefined || view.getUint8(5) !== 0 || view.getUint16(10, true) !== 0 || !isZero(view, 56, 120)) return undefined;
  const header: ShardFileHeader = {
    setId: readId(bytes, at + 40),
    blob: { epoch: view.getUint32(16, true), counter: view.getUint32(20, true) },
    layout: { data: view.getUint8(6), parity: view.getUint8(7), drives: view.getBigUint64(24, true), rotation: view.getUint8(9) },
    slot: view.getUint8(8),
    stripeBytes: view.getUint32(12, true),
    timeMs: getU64(view, 32),
  };
  return isShardFileHeader(header) ? header : undefined;
}

/** Writes the header of a piece at `at`, `pieceHeaderBytesOf(piece.byteLength)` bytes, with the checksums of the piece's parts. */
export function writePieceHeader(target: Uint8Array, at: number, header: PieceHeader, piece: Uint8Array): void {
  invariant(piece.byteLength === header.pieceBytes, "a piece has the length its header says");
  const checksums = new Uint8Array(piecePartsOf(header.pieceBytes) * checksumBytes);
  writeBlockChecksums(checksums, 0, piece, checksumBlockBytes);
  writePieceHeaderWith(target, at, header, checksums);
}

/** The same from the parts' checksums, 8 bytes each, computed elsewhere. */
export function writePieceHeaderWith(target: Uint8Array, at: number, header: PieceHeader, partChecksums: Uint8Array): void {
  const { blob, slot, stripe, pieceBytes, dataBytes } = header;
  invariant(isPieceHeader(header), "a piece's header is in range before it is written");
  invariant(partChecksums.byteLength === piecePartsOf(pieceBytes) * checksumBytes, "every part of a piece has a checksum");
  const headerBytes = pieceHeaderBytesOf(pieceBytes);
  invariant(at + headerBytes <= target.byteLength, "a piece's header fits its target");
  target.fill(0, at, at + headerBytes);
  writeMagic(pieceKind, target, at);
  const view = viewOf(target, at, pieceFixedBytes);
  view.setUint8(5, slot);
  view.setUint32(8, blob.epoch, true);
  view.setUint32(12, blob.counter, true);
  view.setUint32(16, stripe, true);
  view.setUint32(20, pieceBytes, true);
  view.setUint32(24, dataBytes, true);
  target.set(partChecksums, at + partChecksumAt(0));
  const checksumAt = headerBytes - checksumBytes;
  writeChecksum(target, at + checksumAt, target.subarray(at, at + checksumAt));
}

/** The header of a piece at `at`, or undefined when the bytes there are none. @throws FORMAT_TOO_NEW */
export function parsePieceHeader(bytes: Uint8Array, at = 0): PieceHeader | undefined {
  if (at < 0 || at + sealedHeaderBytes > bytes.byteLength || !hasMagic(pieceKind, bytes, at)) return undefined;
  const view = viewOf(bytes, at, pieceFixedBytes);
  const pieceBytes = view.getUint32(20, true);
  const headerBytes = pieceHeaderBytesOf(pieceBytes);
  if (headerBytes > bytes.byteLength - at) return undefined;
  const checksumAt = headerBytes - checksumBytes;
  if (!matchesChecksum(bytes, at + checksumAt, bytes.subarray(at, at + checksumAt))) return undefined;
  if (!isReadableVersion(pieceKind, view.getUint8(4))) return undefined;
  const paddingAt = partChecksumAt(piecePartsOf(pieceBytes));
  const isPadded = isZero(viewOf(bytes, at, headerBytes), paddingAt, checksumAt);
  if (view.getUint16(6, true) !== 0 || view.getUint32(28, true) !== 0 || !isPadded) return undefined;
  const header: PieceHeader = {
    blob: { epoch: view.getUint32(8, true), counter: view.getUint32(12, true) },
    slot: view.getUint8(5),
    stripe: view.getUint32(16, true),
    pieceBytes,
    dataBytes: view.getUint32(24, true),
  };
  return isPieceHeader(header) ? header : undefined;
}

/** True when a parsed header is the one expected there: a reader compares before it trusts the checksums. */
export function samePiece(a: PieceHeader, b: PieceHeader): boolean {
  return (
    a.blob.epoch === b.blob.epoch &&
    a.blob.counter === b.blob.counter &&
    a.slot === b.slot &&
    a.stripe === b.stripe &&
    a.pieceBytes === b.pieceBytes &&
    a.dataBytes === b.dataBytes
  );
}

/** True when `bytes` match the checksum of part `part` in the piece header at `headerAt` (one that was parsed). */
export function matchesPart(headerBytes: Uint8Array, headerAt: number, part: number, bytes: Uint8Array): boolean {
  return matchesChecksum(headerBytes, headerAt + partChecksumAt(part), bytes);
}

/** Where part `part` of a piece starts and ends in it. */
export function partRange(pieceBytes: number, part: number): { readonly start: number; readonly end: number } {
  return { start: part * checksumBlockBytes, end: Math.min(pieceBytes, (part + 1) * checksumBlockBytes) };
}

/** True when the headers of two shard files are of one blob: everything agrees but the slot. */
export function sameBlob(a: ShardFileHeader, b: ShardFileHeader): boolean {
  if (a.blob.epoch !== b.blob.epoch || a.blob.counter !== b.blob.counter || a.setId !== b.setId) return false;
  return a.stripeBytes === b.stripeBytes && a.timeMs === b.timeMs && sameLayout(a.layout, b.layout);
}

function partChecksumAt(part: number): number {
  return pieceFixedBytes + part * checksumBytes;
}

function isShardFileHeader(header: ShardFileHeader): boolean {
  const { layout, slot, stripeBytes, blob } = header;
  if (!isLayout(layout) || !Number.isInteger(slot) || slot < 0 || slot >= layout.data + layout.parity) return false;
  if (!isU32(blob.epoch) || !isU32(blob.counter)) return false;
  return isU32(stripeBytes) && stripeBytes >= 1 && isU53(header.timeMs) && isId(header.setId);
}

function isPieceHeader(header: PieceHeader): boolean {
  const { blob, slot, stripe, pieceBytes, dataBytes } = header;
  if (!isU32(blob.epoch) || !isU32(blob.counter) || !isU32(stripe) || !Number.isInteger(slot) || slot < 0 || slot > 255) return false;
  return isU32(pieceBytes) && pieceBytes >= 1 && pieceBytes % unitBytes === 0 && isU32(dataBytes) && dataBytes >= 1;
}
