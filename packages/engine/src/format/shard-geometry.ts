import { roundUp } from "../base/bytes.ts";
import { invariant } from "../base/invariant.ts";
import { checksumBlockBytes, unitBytes } from "../base/limits.ts";
import { checksumBytes } from "../codec/xxh3.ts";
import { isU32, isU53, sealedHeaderBytes } from "./sealed-header.ts";

/** Bytes of a piece's header before the checksums of its parts. */
export const pieceFixedBytes = 32;

/** Where everything lies in the shard files of one blob: the same in each of them. Stripes are counted from 0. */
export interface ShardGeometry {
  readonly stripes: number;
  /** Object bytes in a stripe: `stripeBytes`, less in the last. */
  dataBytes(stripe: number): number;
  /** Bytes of the piece of a stripe, without its header: a multiple of 128. */
  pieceBytes(stripe: number): number;
  /** Bytes of that piece's header: a multiple of 128. */
  pieceHeaderBytes(stripe: number): number;
  /** Where that piece's header starts in the file; the piece itself follows it. */
  position(stripe: number): number;
  /** Bytes of the whole file. */
  readonly fileBytes: number;
}

/** The geometry of a blob of `sizeBytes` in stripes of `stripeBytes` over `data` shards. */
export function shardGeometry(blob: { readonly data: number; readonly stripeBytes: number; readonly sizeBytes: number }): ShardGeometry {
  const { data, stripeBytes, sizeBytes } = blob;
  invariant(data >= 1 && isU32(stripeBytes) && stripeBytes >= 1 && isU53(sizeBytes), "a blob has a shape");
  const stripes = Math.ceil(sizeBytes / stripeBytes);
  invariant(isU32(stripes), "the stripes of a blob can be counted in 32 bits");
  const fullPieceBytes = pieceBytesOf(stripeBytes, data);
  const fullStepBytes = pieceHeaderBytesOf(fullPieceBytes) + fullPieceBytes;
  const position = (stripe: number): number => sealedHeaderBytes + stripe * fullStepBytes;
  const dataBytes = (stripe: number): number => {
    invariant(Number.isInteger(stripe) && stripe >= 0 && stripe < stripes, "a stripe is one of its blob");
    return Math.min(stripeBytes, sizeBytes - stripe * stripeBytes);
  };
  const pieceBytes = (stripe: number): number => pieceBytesOf(dataBytes(stripe), data);
  const pieceHeaderBytes = (stripe: number): number => pieceHeaderBytesOf(pieceBytes(stripe));
  const last = stripes - 1;
  const fileBytes = stripes === 0 ? sealedHeaderBytes : position(last) + pieceHeaderBytes(last) + pieceBytes(last);
  return { stripes, dataBytes, pieceBytes, pieceHeaderBytes, position, fileBytes };
}

/** Bytes of each shard of a stripe with `dataBytes` object bytes over `data` shards: a multiple of 128. */
export function pieceBytesOf(dataBytes: number, data: number): number {
  return roundUp(Math.ceil(dataBytes / data), unitBytes);
}

/** Parts of at most 64 KiB of a piece: each has a checksum of its own. */
export function piecePartsOf(pieceBytes: number): number {
  return Math.ceil(pieceBytes / checksumBlockBytes);
}

/** Bytes of a piece's header: its fixed fields, a checksum for each part and its own, rounded up to a multiple of 128. */
export function pieceHeaderBytesOf(pieceBytes: number): number {
  return roundUp(pieceFixedBytes + checksumBytes * piecePartsOf(pieceBytes) + checksumBytes, unitBytes);
}
