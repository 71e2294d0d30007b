/**
 * How the set stores its entries in the index (derived data, not a stored format):
 *   0  order, 7 bytes little-endian: sequence × 65,536 + the place of the operation in its batch
 *   7  length of the packed payload's location, 0 for none
 *   8  the location, then the value
 * The place of an operation is the number of records before its own in the batch.
 * The set's own keys: 0x00 "applied" → the last sequence in the index; 0x01 + blob id → a live blob; 0x02 + blob id → a blob given up
 * whose shards are still to be removed; 0x03 is never put: deleting it moves the end of the log on; 0x04 + a name → how far a piece of
 * upkeep is.
 */
import { utf8 } from "../base/bytes.ts";
import type { IndexMutation } from "../index/ordered-index.ts";
import type { PackedPayload, SetEntry } from "./erasure-set.ts";

const headBytes = 8;

/** Index key of the applied sequence. */
export const appliedKey = Uint8Array.of(0x00);
/** A key that is never there: a batch that deletes it changes nothing. */
export const markKey = Uint8Array.of(0x03);
const liveBlobPrefix = 0x01;
const freedBlobPrefix = 0x02;
const upkeepPrefix = 0x04;

/** Index key under which upkeep keeps how far a piece of work is. */
export function upkeepKey(work: string): Uint8Array {
  return Uint8Array.of(upkeepPrefix, ...utf8(work));
}

/** The range of these keys. */
export const upkeepRange = { start: Uint8Array.of(upkeepPrefix), end: Uint8Array.of(upkeepPrefix + 1) };

/** True for such a key: what it holds is no entry. */
export function isUpkeepKey(key: Uint8Array): boolean {
  return key[0] === upkeepPrefix;
}

/** Bytes of a blob location that name the blob: epoch and counter. */
export const blobIdBytes = 8;

export function liveBlobKey(location: Uint8Array): Uint8Array {
  return prefixed(liveBlobPrefix, location);
}

export function freedBlobKey(location: Uint8Array): Uint8Array {
  return prefixed(freedBlobPrefix, location);
}

/** The range of the keys of blobs given up. */
export const freedBlobRange = { start: Uint8Array.of(freedBlobPrefix), end: Uint8Array.of(freedBlobPrefix + 1) };
/** The range of the keys of live blobs. */
export const liveBlobRange = { start: Uint8Array.of(liveBlobPrefix), end: Uint8Array.of(liveBlobPrefix + 1) };

function prefixed(prefix: number, location: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + blobIdBytes);
  key[0] = prefix;
  key.set(location.subarray(0, blobIdBytes), 1);
  return key;
}

/** Bits of an order that number the operations of one batch. */
const orderShift = 65536;

/** Records of one batch stay below this. */
export const batchRecordsMax = orderShift;

/** The place in the set's order of an operation with `place` records before it in its batch. */
export function orderOf(sequence: number, place: number): number {
  return sequence * orderShift + place;
}

/** The least sequence whose operations all come after `order`. */
export function sequenceAbove(order: number): number {
  return order <= 0 ? 0 : Math.floor(order / orderShift) + 1;
}

/** The batch an order belongs to. */
export function sequenceOf(order: number): number {
  return Math.floor(order / orderShift);
}

export function encodeEntry(entry: { order: number; value: Uint8Array; payload: Uint8Array | undefined }): Uint8Array {
  const payloadBytes = entry.payload === undefined ? 0 : entry.payload.byteLength;
  const bytes = new Uint8Array(headBytes + payloadBytes + entry.value.byteLength);
  let rest = entry.order;
  for (let i = 0; i < headBytes - 1; i++) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[headBytes - 1] = payloadBytes;
  if (entry.payload !== undefined) bytes.set(entry.payload, headBytes);
  bytes.set(entry.value, headBytes + payloadBytes);
  return bytes;
}

export function decodeEntry(bytes: Uint8Array): SetEntry {
  let order = 0;
  for (let i = headBytes - 2; i >= 0; i--) order = order * 256 + (bytes[i] as number);
  const payloadBytes = bytes[headBytes - 1] as number;
  const payload = payloadBytes === 0 ? undefined : (bytes.subarray(headBytes, headBytes + payloadBytes) as PackedPayload);
  return { order, payload, value: bytes.subarray(headBytes + payloadBytes) };
}

export function encodeApplied(sequence: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(sequence), true);
  return bytes;
}

export function decodeApplied(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 0 : Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
}

/** A mutation of the set's map, ready for the index. */
export function indexMutation(
  key: Uint8Array,
  entry: { order: number; value: Uint8Array; payload: Uint8Array | undefined } | undefined,
): IndexMutation {
  return { key, value: entry === undefined ? undefined : encodeEntry(entry) };
}
