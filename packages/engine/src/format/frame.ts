/**
 * Frames: what one drive's pack gets for one batch. Drawn byte by byte in docs/formats/pack.md.
 *
 * A frame is a 128-byte header, the batch's records (the same bytes on every drive, zero-padded to 128) and this drive's shard
 * (a multiple of 128 bytes). It lies at the same position of the same pack on every drive of the set: a drive that missed it has a
 * hole there. All integers are little-endian.
 */

/** Bytes of a frame header. */
export const frameHeaderBytes = 128;
/** The slot of a drive that gets the records but no shard. */
export const noSlot = 255;

/** How a stripe lies on the drives of its set: slot s is on the ((rotation + s) mod count)-th of the drives in `drives`. */
export interface StripeLayout {
  /** k. */
  readonly data: number;
  /** m. */
  readonly parity: number;
  /** Bit d is set when drive d of the set takes part in the stripe; exactly k + m bits. */
  readonly drives: bigint;
  /** 0 ≤ rotation < k + m. */
  readonly rotation: number;
}

/** The facts of a batch that are the same on every drive. */
export interface BatchHeader {
  /** The set's id, 16 bytes as hexadecimal digits. */
  readonly setId: string;
  readonly pack: number;
  /** Where the frame starts in its pack. */
  readonly position: number;
  readonly sequence: number;
  readonly epoch: number;
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
  /** XXH3-64 of this drive's shard, 8 bytes. */
  readonly shardChecksum: Uint8Array;
}
