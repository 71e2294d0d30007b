import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { isHoldfastError } from "../base/errors.ts";
import { InvariantError } from "../base/invariant.ts";
import { checksum } from "../codec/xxh3.ts";
import { encodePackedLocation } from "./packed-location.ts";
import { type BatchRecord, decodeRecords, encodeRecords, recordBytes } from "./records.ts";

/** The general library the hand-written coder is held against. */
const packr = new Packr({ useRecords: false });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const uint = fc.oneof(u32, fc.constantFrom(0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1));
const key = fc.uint8Array({ minLength: 1, maxLength: 300 });
const value = fc.uint8Array({ maxLength: 300 });
const location = encodePackedLocation({
  pack: 1,
  shardPosition: 128,
  shardBytes: 128,
  layout: { data: 1, parity: 1, drives: 3n, rotation: 0 },
  offset: 0,
  length: 100,
  checksum: checksum(utf8("a")),
});
const own = fc.record({ offset: uint, length: uint, checksum: fc.uint8Array({ minLength: 8, maxLength: 8 }) });
const record: fc.Arbitrary<BatchRecord> = fc.oneof(
  fc.record({ key, value: fc.constant(undefined), payload: fc.constant(undefined) }),
  fc.record({ key, value, payload: fc.oneof(own, fc.constantFrom(undefined, location)) }),
);
const records = fc.array(record, { maxLength: 30 });

/** The same as plain arrays, Buffers as msgpackr reads and writes them. */
function toArrays(batch: readonly BatchRecord[]): unknown[][] {
  return batch.map(({ key, value, payload }) => {
    if (value === undefined) return [Buffer.from(key)];
    const put = [Buffer.from(key), Buffer.from(value)];
    if (payload === undefined) return put;
    return payload instanceof Uint8Array
      ? [...put, Buffer.from(payload)]
      : [...put, payload.offset, payload.length, Buffer.from(payload.checksum)];
  });
}

function damaged(bytes: readonly number[]): boolean {
  try {
    decodeRecords(Uint8Array.from(bytes));
    return false;
  } catch (error) {
    return isHoldfastError(error, "FORMAT_DAMAGED");
  }
}

describe("records", () => {
  test("what is encoded is decoded", () => {
    fc.assert(fc.property(records, (batch) => void expect(decodeRecords(encodeRecords(batch))).toEqual(batch)));
  });

  test("msgpackr writes the same bytes", () => {
    fc.assert(
      fc.property(records, (batch) => {
        expect(Buffer.compare(encodeRecords(batch), packr.pack(toArrays(batch)))).toBe(0);
      }),
    );
  });

  test("msgpackr reads what we write, and we read what it writes", () => {
    fc.assert(
      fc.property(records, (batch) => {
        const bytes = Buffer.from(encodeRecords(batch));
        expect(packr.unpack(bytes)).toEqual(toArrays(batch));
        expect(decodeRecords(packr.pack(toArrays(batch)))).toEqual(batch);
      }),
    );
  });

  test.each([0, 15, 16, 65_535, 65_536])("%i records are counted as msgpackr counts them", (count) => {
    const batch = new Array<BatchRecord>(count).fill({ key: utf8("k"), value: undefined, payload: undefined });
    const bytes = encodeRecords(batch);
    expect(Buffer.compare(bytes, packr.pack(toArrays(batch)))).toBe(0);
    expect(decodeRecords(bytes).length).toBe(count);
  });

  test.each([255, 256, 65_535, 65_536])("values of %i bytes have the head msgpackr gives them", (length) => {
    const batch: BatchRecord[] = [{ key: utf8("k"), value: new Uint8Array(length).fill(7), payload: undefined }];
    const bytes = encodeRecords(batch);
    expect(Buffer.compare(bytes, packr.pack(toArrays(batch)))).toBe(0);
    expect(decodeRecords(bytes)[0]?.value?.byteLength).toBe(length);
  });

  test("recordBytes adds up to the encoded length", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 15 }), (batch) => {
        expect(encodeRecords(batch).byteLength).toBe(1 + batch.reduce((sum, entry) => sum + recordBytes(entry), 0));
      }),
    );
  });

  test("longer forms of lengths and integers are read too", () => {
    const long = [
      0xdd, 0, 0, 0, 1, 0xdc, 0, 5, 0xc6, 0, 0, 0, 1, 65, 0xc5, 0, 0, 0xce, 0, 0, 0, 7, 0xcd, 0, 9, 0xc4, 8, 1, 2, 3, 4, 5, 6, 7, 8,
    ];
    const payload = { offset: 7, length: 9, checksum: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
    expect(decodeRecords(Uint8Array.from(long))).toEqual([{ key: utf8("A"), value: new Uint8Array(0), payload }]);
  });

  test("decoded byte strings are views of the bytes given", () => {
    const bytes = encodeRecords([{ key: utf8("key"), value: utf8("value"), payload: undefined }]);
    expect(decodeRecords(bytes)[0]?.key.buffer).toBe(bytes.buffer);
  });

  test.each([
    ["nothing", []],
    ["no array", [0xc0]],
    ["an array longer than the bytes", [0xdd, 0xff, 0xff, 0xff, 0xff, 0x91, 0xc4, 1, 65]],
    ["a byte string longer than the bytes", [0x91, 0x91, 0xc6, 0xff, 0xff, 0xff, 0xff, 65]],
    ["a length cut short", [0x91, 0x91, 0xc6, 0xff, 0xff]],
    ["text for a key", [0x91, 0x91, 0xa1, 65]],
    ["an empty key", [0x91, 0x91, 0xc4, 0]],
    ["a record of no fields", [0x91, 0x90]],
    ["a record of four fields", [0x91, 0x94, 0xc4, 1, 65, 0xc4, 0, 0, 0]],
    ["a record of six fields", [0x91, 0x96, 0xc4, 1, 65, 0xc4, 0, 0, 0, 0xc4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a checksum of seven bytes", [0x91, 0x95, 0xc4, 1, 65, 0xc4, 0, 0, 0, 0xc4, 7, 0, 0, 0, 0, 0, 0, 0]],
    ["a location of three bytes", [0x91, 0x93, 0xc4, 1, 65, 0xc4, 0, 0xc4, 3, 0, 0, 0]],
    ["a negative offset", [0x91, 0x95, 0xc4, 1, 65, 0xc4, 0, 0xff, 0, 0xc4, 8, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["bytes after the end", [0x90, 0]],
  ])("%s is FORMAT_DAMAGED", (_, bytes) => {
    expect(damaged(bytes)).toBe(true);
  });

  test("records that cannot be are never written", () => {
    const impossible: BatchRecord[] = [
      { key: new Uint8Array(0), value: undefined, payload: undefined },
      { key: utf8("k"), value: undefined, payload: location },
      { key: utf8("k"), value: utf8("v"), payload: location.subarray(1) },
      { key: utf8("k"), value: utf8("v"), payload: { offset: -1, length: 0, checksum: new Uint8Array(8) } },
      { key: utf8("k"), value: utf8("v"), payload: { offset: 0, length: 2 ** 32, checksum: new Uint8Array(8) } },
      { key: utf8("k"), value: utf8("v"), payload: { offset: 0, length: 0, checksum: new Uint8Array(7) } },
    ];
    for (const entry of impossible) expect(() => encodeRecords([entry])).toThrow(InvariantError);
  });
});
