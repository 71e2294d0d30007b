/**
 * A batch's records: what it changes in the set's ordered map, as a MessagePack array of mutations in order. Each is an array itself,
 * told apart by its length; byte strings are MessagePack `bin`:
 *
 *     [key]                                   delete
 *     [key, value]                            put without payload
 *     [key, value, location]                  put with a payload taken over from an earlier stripe (packed-location.ts)
 *     [key, value, offset, length, checksum]  put with a payload of this batch's stripe: its place there and its XXH3-64
 *
 * The bytes are the same on every drive and determined by the records. Drawn in docs/formats/pack.md.
 */
import { invariant } from "../base/invariant.ts";
import { recordsBytesMax } from "../base/limits.ts";
import { checksumBytes } from "../codec/xxh3.ts";
import { arrayHeadBytes, binaryBytes, MessagePackReader, putArrayHead, putBinary, putUint, uintBytes } from "./message-pack.ts";
import { packedLocationBytes } from "./packed-location.ts";
import { isU32 } from "./sealed-header.ts";

/** A payload that lies in the stripe of the batch itself. */
export interface OwnPayload {
  /** Where it starts in the stripe's payload. */
  readonly offset: number;
  readonly length: number;
  /** XXH3-64 of the payload, 8 bytes. */
  readonly checksum: Uint8Array;
}

/** One mutation of the set's ordered map. */
export interface BatchRecord {
  /** At least one byte. */
  readonly key: Uint8Array;
  /** Undefined deletes the key. */
  readonly value: Uint8Array | undefined;
  /** Of a put: its own payload, or the encoded location of one taken over. */
  readonly payload: OwnPayload | Uint8Array | undefined;
}

/** The bytes of a batch's records, without padding. At most `recordsBytesMax` of them. */
export function encodeRecords(records: readonly BatchRecord[]): Uint8Array {
  let length = arrayHeadBytes(records.length);
  for (const record of records) length += recordBytes(record);
  invariant(length <= recordsBytesMax, "the records of a batch stay below their limit");
  const bytes = new Uint8Array(length);
  let at = putArrayHead(bytes, 0, records.length);
  for (const record of records) at = putRecord(bytes, at, record);
  invariant(at === length, "records take the bytes computed for them");
  return bytes;
}

/** The bytes a record takes in a batch: what a batcher adds up to stay below its limit (the array's head takes at most 5 more). */
export function recordBytes(record: BatchRecord): number {
  const { key, value, payload } = record;
  const keyBytes = 1 + binaryBytes(key.byteLength);
  if (value === undefined) return keyBytes;
  const putBytes = keyBytes + binaryBytes(value.byteLength);
  if (payload === undefined) return putBytes;
  if (payload instanceof Uint8Array) return putBytes + binaryBytes(payload.byteLength);
  return putBytes + uintBytes(payload.offset) + uintBytes(payload.length) + binaryBytes(checksumBytes);
}

/** The records of a batch; keys, values, locations and checksums are views of `bytes`. @throws FORMAT_DAMAGED */
export function decodeRecords(bytes: Uint8Array): BatchRecord[] {
  const reader = new MessagePackReader(bytes);
  const count = reader.arrayHead();
  const records: BatchRecord[] = [];
  for (let i = 0; i < count; i++) records.push(readRecord(reader));
  if (!reader.atEnd) reader.fail("no more bytes");
  return records;
}

function putRecord(bytes: Uint8Array, start: number, record: BatchRecord): number {
  const { key, value, payload } = record;
  invariant(key.byteLength > 0, "a key has at least one byte");
  if (value === undefined) {
    invariant(payload === undefined, "a delete has no payload");
    return putBinary(bytes, putArrayHead(bytes, start, 1), key);
  }
  const fields = payload === undefined ? 2 : payload instanceof Uint8Array ? 3 : 5;
  const at = putBinary(bytes, putBinary(bytes, putArrayHead(bytes, start, fields), key), value);
  if (payload === undefined) return at;
  if (payload instanceof Uint8Array) {
    invariant(payload.byteLength === packedLocationBytes, "a payload is taken over by its encoded location");
    return putBinary(bytes, at, payload);
  }
  const { offset, length, checksum } = payload;
  invariant(isU32(offset) && isU32(length), "a payload's place in its stripe fits 32 bits");
  invariant(checksum.byteLength === checksumBytes, "a checksum has 8 bytes");
  return putBinary(bytes, putUint(bytes, putUint(bytes, at, offset), length), checksum);
}

function readRecord(reader: MessagePackReader): BatchRecord {
  const fields = reader.arrayHead();
  const key = reader.binary();
  if (key.byteLength === 0) reader.fail("a key of at least one byte");
  if (fields === 1) return { key, value: undefined, payload: undefined };
  const value = reader.binary();
  if (fields === 2) return { key, value, payload: undefined };
  if (fields === 3) {
    const payload = reader.binary();
    return payload.byteLength === packedLocationBytes ? { key, value, payload } : reader.fail("a location");
  }
  if (fields !== 5) reader.fail("a record of 1, 2, 3 or 5 fields");
  const offset = reader.uint();
  const length = reader.uint();
  const checksum = reader.binary();
  return checksum.byteLength === checksumBytes ? { key, value, payload: { offset, length, checksum } } : reader.fail("a checksum");
}
