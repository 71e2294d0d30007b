/**
 * Where a blob lies, its size and shape, as 29 bytes that values may embed. It has no version of its own: it is part of the formats it
 * lies in. Drawn in docs/formats/shard-file.md. Little-endian:
 *
 *     0 epoch u32 · 4 counter u32 · 8 sizeBytes u48 · 14 stripeBytes u32 · 18 k u8 · 19 m u8 · 20 rotation u8 · 21 drives u64
 */
import { HoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { BlobId } from "./blob-name.ts";
import { isLayout, type StripeLayout } from "./layout.ts";
import { getU48, isU32, setU48, viewOf } from "./sealed-header.ts";

/** Bytes of an encoded location. */
const blobLocationBytes = 29;

/** Where a blob lies, its size and shape. */
export interface BlobPlace {
  readonly blob: BlobId;
  readonly sizeBytes: number;
  /** Object bytes in each stripe but the last. */
  readonly stripeBytes: number;
  readonly layout: StripeLayout;
}

/** The bytes of a location. */
export function encodeBlobLocation(place: BlobPlace): Uint8Array {
  invariant(isBlobPlace(place), "a blob's location is in range before it is written");
  const bytes = new Uint8Array(blobLocationBytes);
  const view = viewOf(bytes, 0, blobLocationBytes);
  view.setUint32(0, place.blob.epoch, true);
  view.setUint32(4, place.blob.counter, true);
  setU48(view, 8, place.sizeBytes);
  view.setUint32(14, place.stripeBytes, true);
  bytes[18] = place.layout.data;
  bytes[19] = place.layout.parity;
  bytes[20] = place.layout.rotation;
  view.setBigUint64(21, place.layout.drives, true);
  return bytes;
}

/** The location in the 29 bytes at `at`. @throws FORMAT_DAMAGED */
export function decodeBlobLocation(bytes: Uint8Array, at = 0): BlobPlace {
  if (at < 0 || at + blobLocationBytes > bytes.byteLength) throw damaged();
  const view = viewOf(bytes, at, blobLocationBytes);
  const place: BlobPlace = {
    blob: { epoch: view.getUint32(0, true), counter: view.getUint32(4, true) },
    sizeBytes: getU48(view, 8),
    stripeBytes: view.getUint32(14, true),
    layout: { data: view.getUint8(18), parity: view.getUint8(19), drives: view.getBigUint64(21, true), rotation: view.getUint8(20) },
  };
  if (!isBlobPlace(place)) throw damaged();
  return place;
}

function isBlobPlace(place: BlobPlace): boolean {
  const { blob, sizeBytes, stripeBytes, layout } = place;
  if (!isLayout(layout) || !isU32(blob.epoch) || !isU32(blob.counter) || !isU32(stripeBytes) || stripeBytes < 1) return false;
  return Number.isInteger(sizeBytes) && sizeBytes >= 0 && sizeBytes < 2 ** 48 && isU32(Math.ceil(sizeBytes / stripeBytes));
}

function damaged(): HoldfastError {
  return new HoldfastError("FORMAT_DAMAGED", "the stored location of a blob is malformed; rebuild the index from the packs");
}
