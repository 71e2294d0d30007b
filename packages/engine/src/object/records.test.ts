/** Golden bytes of keys and records. They are stored by releases: a change here is a change of format. */
import { describe, expect, it } from "vitest";
import { fromHex, toHex, utf8 } from "../base/bytes.ts";
import type { BlobLocation } from "../set/erasure-set.ts";
import { codeOf } from "../testing/memory-object-store.ts";
import { type BucketRecord, packBucketRecord, unpackBucketRecord } from "./bucket-record.ts";
import { bucketCounterKey, bucketKey, currentKey, partKey, partNumberOf, unescapeKey, uploadKey, versionKey } from "./keys.ts";
import {
  type PartRecord,
  packPartRecord,
  packUploadRecord,
  type UploadRecord,
  unpackPartRecord,
  unpackUploadRecord,
} from "./multipart/upload-record.ts";
import { markerRecord, type ObjectRecord, packObjectRecord, recordKinds, unpackObjectRecord } from "./object-record.ts";
import { packRecord, unpackRecord } from "./record-codec.ts";

const uploadId = fromHex("00000000000000070a0b0c0d");
const blob = fromHex("b10b") as BlobLocation;
const plain: ObjectRecord = {
  ...markerRecord({ order: 7, isNull: false, modifiedMs: 1_700_000_000_000 }),
  kind: recordKinds.packed,
  sizeBytes: 3,
  etag: "900150983cd24fb0d6963f7d28e17f72",
};

const objects: readonly [string, ObjectRecord, string][] = [
  ["packed", plain, "970100070" + "0cb4278bcfe56800000" + "03c410900150983cd24fb0d6963f7d28e17f72"],
  ["null", { ...plain, isNull: true, etag: "x0" }, "970100070" + "1cb4278bcfe56800000" + "03a27830"],
  [
    "blob",
    { ...plain, kind: recordKinds.blob, blob, order: 2 ** 40 },
    "980101cb4270000000000000" + "00cb4278bcfe56800000" + "03c410900150983cd24fb0d6963f7d28e17f72c402b10b",
  ],
  ["marker", markerRecord({ order: 7, isNull: false, modifiedMs: 1_700_000_000_000 }), "970103070" + "0cb4278bcfe56800000" + "00a0"],
  [
    "described",
    { ...plain, content: ["a/b", null, "c"], metadata: ["m", "1"], tags: ["t", "2"], checksums: [4, fromHex("01020304")] },
    "9c0100070" + "0cb4278bcfe56800000" + "03c410900150983cd24fb0d6963f7d28e17f72c093a3612f62c0a16392a16da13192a174a1329204c40401020304",
  ],
  [
    "segments",
    {
      ...plain,
      kind: recordKinds.segments,
      etag: "e-2",
      uploadId,
      segments: [
        { partNumber: 1, sizeBytes: 2, blob },
        { partNumber: 300, sizeBytes: 1, blob: undefined },
      ],
    },
    "9d0102070" + "0cb4278bcfe56800000" + "03a3652d32960102c402b10bcd012c01c0c0c0c0c0c40c00000000000000070a0b0c0d",
  ],
];

describe("records", () => {
  it.each(objects)("of a %s object", (_, record, hex) => {
    expect(toHex(packObjectRecord(record))).toBe(hex);
    const read = unpackObjectRecord(fromHex(hex));
    expect(toHex(packObjectRecord(read))).toBe(hex);
    expect({ ...read, blob: read.blob && toHex(read.blob), uploadId: read.uploadId && toHex(read.uploadId) }).toMatchObject({
      order: record.order,
      isNull: record.isNull,
      etag: record.etag,
      sizeBytes: record.sizeBytes,
    });
  });

  it("of buckets", () => {
    const record: BucketRecord = { id: 9, createdMs: 1_700_000_000_000, versioning: "suspended", erasure: { data: 4, parity: 2 } };
    expect(toHex(packBucketRecord(record))).toBe("950109cb4278bcfe56800000" + "02920402");
    expect(unpackBucketRecord(packBucketRecord(record))).toEqual(record);
    const bare: BucketRecord = { ...record, versioning: "off", erasure: undefined };
    expect(unpackBucketRecord(packBucketRecord(bare))).toEqual(bare);
  });

  it("of uploads and parts", () => {
    const upload: UploadRecord = { startedMs: 1_700_000_000_000, content: undefined, metadata: ["m", "1"], tags: undefined };
    expect(toHex(packUploadRecord(upload))).toBe("9401cb4278bcfe56800000" + "c092a16da131");
    expect(unpackUploadRecord(packUploadRecord(upload))).toEqual(upload);
    const part: PartRecord = { sizeBytes: 5, modifiedMs: 1_700_000_000_000, etag: plain.etag, blob: undefined, checksums: undefined };
    expect(toHex(packPartRecord(part))).toBe("940105cb4278bcfe56800000" + "c410900150983cd24fb0d6963f7d28e17f72");
    expect(unpackPartRecord(packPartRecord(part))).toEqual(part);
  });

  it("are refused when newer or damaged", async () => {
    const read = async (bytes: Uint8Array): Promise<unknown> => unpackRecord(bytes, "a test");
    expect(await codeOf(read(packRecord([2, "new"])))).toBe("FORMAT_TOO_NEW");
    expect(await codeOf(read(fromHex("c1")))).toBe("INDEX_DAMAGED");
    expect(await codeOf(read(fromHex("a161")))).toBe("INDEX_DAMAGED");
    expect(await codeOf(read(new Uint8Array(0)))).toBe("INDEX_DAMAGED");
    for (const hex of ["9701ffffffffffff", "940106a17878"]) {
      expect(await codeOf((async () => unpackObjectRecord(fromHex(hex)))())).toBe("INDEX_DAMAGED");
      expect(await codeOf((async () => unpackPartRecord(fromHex(hex)))())).toBe("INDEX_DAMAGED");
    }
  });
});

describe("keys", () => {
  it("have these bytes", () => {
    const key = utf8("a\0é");
    expect(toHex(bucketCounterKey)).toBe("1001");
    expect(toHex(bucketKey("abc"))).toBe("20616263");
    expect(toHex(currentKey(258, "a\0é"))).toBe("30000001026100c3a9");
    expect(toHex(versionKey(258, key, 7))).toBe("40000001026201c4aa00fffffffffffffff8");
    expect(toHex(versionKey(258, key, 2 ** 53 - 1))).toBe("40000001026201c4aa00ffe0000000000000");
    expect(toHex(uploadKey(258, key, uploadId))).toBe("50000001026201c4aa0000000000000000070a0b0c0d");
    expect(toHex(partKey(258, uploadId, 10_000))).toBe("600000010200000000000000070a0b0c0d2710");
    expect(partNumberOf(partKey(258, uploadId, 10_000))).toBe(10_000);
    expect(toHex(unescapeKey(versionKey(258, key, 7)).keyBytes)).toBe(toHex(key));
  });
});
