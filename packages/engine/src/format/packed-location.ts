/**
 * Where a packed payload lies and its checksum, as 41 bytes that index values and records embed. It has no version of its own: it is
 * part of the formats it lies in. Drawn in docs/formats/pack.md. Little-endian:
 *
 *     0 pack u32 · 4 shardPosition u48 · 10 shardBytes u32 · 14 k u8 · 15 m u8 · 16 rotation u8 · 17 drives u64
 *     25 offset u32 · 29 length u32 · 33 checksum (XXH3-64 of the payload)
 */
import { HoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { unitBytes } from "../base/limits.ts";
import { checksumBytes } from "../codec/xxh3.ts";
import { isLayout, type StripeLayout } from "./layout.ts";
import { getU48, isU32, setU48, viewOf } from "./sealed-header.ts";

/** Bytes of an encoded location. */
export const packedLocationBytes = 41;

/** Where a packed payload lies, and what it must hash to. */
export interface PackedLocation {
  readonly pack: number;
  /** Where the stripe's shards start in the pack, the same on every drive. */
  readonly shardPosition: number;
  /** Bytes of each shard, a multiple of 128. */
  readonly shardBytes: number;
  readonly layout: StripeLayout;
  /** Where the payload starts in the stripe's payload; byte `offset` lies in data shard `floor(offset / shardBytes)`. */
  readonly offset: number;
  readonly length: number;
  /** XXH3-64 of the payload, 8 bytes. */
  readonly checksum: Uint8Array;
}

/** Filled and copied: making a view for each location would cost more than all the rest. */
const scratch = new Uint8Array(packedLocationBytes);
const scratchView = viewOf(scratch, 0, packedLocationBytes);

/** The bytes of a location. */
export function encodePackedLocation(location: PackedLocation): Uint8Array {
  invariant(isPackedLocation(location), "a payload's location is in range before it is written");
  const { layout, checksum } = location;
  scratchView.setUint32(0, location.pack, true);
  setU48(scratchView, 4, location.shardPosition);
  scratchView.setUint32(10, location.shardBytes, true);
  scratch[14] = layout.data;
  scratch[15] = layout.parity;
  scratch[16] = layout.rotation;
  scratchView.setBigUint64(17, layout.drives, true);
  scratchView.setUint32(25, location.offset, true);
  scratchView.setUint32(29, location.length, true);
  for (let i = 0; i < checksumBytes; i++) scratch[33 + i] = checksum[i] as number;
  return scratch.slice();
}

/** The location in the 41 bytes at `at`; its checksum is a view of them. @throws FORMAT_DAMAGED */
export function decodePackedLocation(bytes: Uint8Array, at = 0): PackedLocation {
  if (at < 0 || at + packedLocationBytes > bytes.byteLength) throw damaged();
  const view = viewOf(bytes, at, packedLocationBytes);
  const location: PackedLocation = {
    pack: view.getUint32(0, true),
    shardPosition: getU48(view, 4),
    shardBytes: view.getUint32(10, true),
    layout: { data: view.getUint8(14), parity: view.getUint8(15), drives: view.getBigUint64(17, true), rotation: view.getUint8(16) },
    offset: view.getUint32(25, true),
    length: view.getUint32(29, true),
    checksum: new Uint8Array(bytes.buffer, bytes.byteOffset + at + 33, checksumBytes),
  };
  if (!isPackedLocation(location)) throw damaged();
  return location;
}

/** The pack an encoded location lies in. */
export function packOf(location: Uint8Array): number {
  return viewOf(location, 0, 4).getUint32(0, true);
}

/** What passes over many entries ask of an encoded location, without decoding all of it. */
export function packedShape(location: Uint8Array): { pack: number; data: number; parity: number; length: number } {
  const view = viewOf(location, 0, packedLocationBytes);
  return { pack: view.getUint32(0, true), data: view.getUint8(14), parity: view.getUint8(15), length: view.getUint32(29, true) };
}

function isPackedLocation(location: PackedLocation): boolean {
  const { pack, shardPosition, shardBytes, layout, offset, length, checksum } = location;
  if (!isLayout(layout) || !isU32(pack) || !isU32(shardBytes) || shardBytes % unitBytes !== 0) return false;
  if (!Number.isInteger(shardPosition) || shardPosition < 0 || shardPosition >= 2 ** 48 || shardPosition % unitBytes !== 0) return false;
  return isU32(offset) && isU32(length) && offset + length <= layout.data * shardBytes && checksum.byteLength === checksumBytes;
}

function damaged(): HoldfastError {
  return new HoldfastError("FORMAT_DAMAGED", "the stored location of a payload is malformed; rebuild the index from the packs");
}
