/**
 * From a closed batch to the frames of its drives: payloads laid end to end, split over k data shards, parity computed, records and
 * headers written. Coding happens here, on the thread that owns the I/O: a 4 MiB stripe takes less time than a hop to a worker and back.
 */
import { roundUp } from "../base/bytes.ts";
import { invariant } from "../base/invariant.ts";
import { recordsBytesMax, unitBytes } from "../base/limits.ts";
import { codeKernel } from "../codec/code-kernel.ts";
import { checksum } from "../codec/xxh3.ts";
import type { FooterEntry } from "../format/footer.ts";
import { type BatchHeader, frameHeaderBytes, noSlot, type StripeLayout, writeFrameHeader } from "../format/frame.ts";
import { slotOfDrive } from "../format/layout.ts";
import { encodePackedLocation } from "../format/packed-location.ts";
import type { BatchRecord } from "../format/records.ts";
import { type Batch, placePayload } from "./batch.ts";
import { encodeBatchRecords, type PackEnd } from "./batch-records.ts";

/** A batch laid out for its place in the log. */
export interface EncodedBatch {
  readonly header: BatchHeader;
  /** The records, zero-padded to a multiple of 128. */
  readonly paddedRecords: Uint8Array;
  readonly recordsChecksum: Uint8Array;
  /** k + m shards of `header.shardBytes` bytes. */
  readonly shards: readonly Uint8Array[];
  /** Bytes the frame takes in the pack of every drive, with or without a shard of its own. */
  readonly frameBytes: number;
}

/** Where a batch goes. */
export interface BatchPlace {
  readonly setId: string;
  readonly pack: number;
  readonly position: number;
  readonly epoch: number;
  readonly survive: number;
  /** Where the pack before ends, for the first frame of a pack. */
  readonly before: PackEnd | undefined;
}

/** Bytes of each shard of a stripe with `payloadBytes` bytes over k data shards. */
export function shardBytesOf(payloadBytes: number, data: number): number {
  return roundUp(Math.ceil(payloadBytes / data), unitBytes);
}

/** Lays a batch out: fills in where its payloads lie, then builds records and shards. */
export function encodeBatch(batch: Batch, records: Uint8Array, layout: StripeLayout, place: BatchPlace): EncodedBatch {
  const shardBytes = shardBytesOf(batch.payloadBytes, layout.data);
  const paddedRecords = pad(records);
  const header: BatchHeader = {
    setId: place.setId,
    pack: place.pack,
    position: place.position,
    sequence: batch.sequence,
    epoch: place.epoch,
    survive: place.survive,
    timeMs: batch.timeMs,
    layout,
    recordsBytes: records.byteLength,
    shardBytes,
    payloadBytes: batch.payloadBytes,
  };
  return {
    header,
    paddedRecords,
    recordsChecksum: checksum(records),
    shards: codeShards(batch, layout, shardBytes),
    frameBytes: frameHeaderBytes + paddedRecords.byteLength + shardBytes,
  };
}

/**
 * Tells every payload of the batch where it will lie and encodes the records. The place of the shards depends on the length of the
 * records, and a record may hold a location taken over from this very batch; locations have a fixed length, so a first encoding gives
 * the length and, only when such a record is there, a second one the bytes.
 */
export function placeAndEncodeRecords(batch: Batch, layout: StripeLayout, place: BatchPlace): Uint8Array {
  const offsets = payloadOffsets(batch);
  const checksums = batch.payloads.map((payload) => checksum(payload));
  const build = (): Uint8Array =>
    encodeBatchRecords(
      batch.operationStarts,
      batch.changes.map((change) => toRecord(change, batch, offsets, checksums)),
      place.before,
    );
  const first = build();
  invariant(first.byteLength <= recordsBytesMax, "the records of a batch fit their limit");
  const shardPosition = place.position + frameHeaderBytes + roundUp(first.byteLength, unitBytes);
  const shardBytes = shardBytesOf(batch.payloadBytes, layout.data);
  let takenOver = false;
  for (const change of batch.changes) {
    const payload = change.entry?.payload;
    if (payload === undefined) continue;
    if (change.ownPayload === undefined) {
      takenOver = true;
      continue;
    }
    const offset = offsets[change.ownPayload] as number;
    const length = (batch.payloads[change.ownPayload] as Uint8Array).byteLength;
    const sum = checksums[change.ownPayload] as Uint8Array;
    placePayload(payload, encodePackedLocation({ pack: place.pack, shardPosition, shardBytes, layout, offset, length, checksum: sum }));
  }
  return takenOver ? build() : first;
}

function toRecord(
  change: Batch["changes"][number],
  batch: Batch,
  offsets: readonly number[],
  checksums: readonly Uint8Array[],
): BatchRecord {
  const { key, entry, ownPayload } = change;
  if (ownPayload === undefined) return { key, value: entry?.value, payload: entry?.payload };
  const length = (batch.payloads[ownPayload] as Uint8Array).byteLength;
  const payload = { offset: offsets[ownPayload] as number, length, checksum: checksums[ownPayload] as Uint8Array };
  return { key, value: entry?.value, payload };
}

function payloadOffsets(batch: Batch): number[] {
  let offset = 0;
  return batch.payloads.map((payload) => {
    const at = offset;
    offset += payload.byteLength;
    return at;
  });
}

function codeShards(batch: Batch, layout: StripeLayout, shardBytes: number): Uint8Array[] {
  const width = layout.data + layout.parity;
  const stripe = new Uint8Array(width * shardBytes);
  let position = 0;
  for (const payload of batch.payloads) {
    stripe.set(payload, position);
    position += payload.byteLength;
  }
  const shards = Array.from({ length: width }, (_, slot) => stripe.subarray(slot * shardBytes, (slot + 1) * shardBytes));
  if (shardBytes > 0) codeKernel().encode(layout, shards.slice(0, layout.data), shards.slice(layout.data));
  return shards;
}

/** What the footer of the pack keeps of a frame: the same on every drive. */
export function footerEntry(batch: EncodedBatch): FooterEntry {
  const header = { ...batch.header, slot: noSlot, recordsChecksum: batch.recordsChecksum, shardChecksum: emptyChecksum };
  return { header, records: batch.paddedRecords.subarray(0, batch.header.recordsBytes) };
}

const emptyChecksum = checksum(new Uint8Array(0));

/** The buffers of one drive's frame, to be written at the batch's position. */
export function frameBuffers(batch: EncodedBatch, driveOrdinal: number): Uint8Array[] {
  const slot = slotOfDrive(batch.header.layout, driveOrdinal);
  const shard = slot === noSlot ? undefined : (batch.shards[slot] as Uint8Array);
  const header = new Uint8Array(frameHeaderBytes);
  writeFrameHeader(header, 0, {
    ...batch.header,
    slot,
    recordsChecksum: batch.recordsChecksum,
    shardChecksum: shard === undefined ? emptyChecksum : checksum(shard),
  });
  return shard === undefined || shard.byteLength === 0 ? [header, batch.paddedRecords] : [header, batch.paddedRecords, shard];
}

function pad(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength % unitBytes === 0) return bytes;
  const padded = new Uint8Array(roundUp(bytes.byteLength, unitBytes));
  padded.set(bytes);
  return padded;
}
