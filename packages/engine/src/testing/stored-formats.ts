/**
 * Every stored format, for tests that spoil bytes: sound examples, and how they are read and written again. A new format is one entry in
 * `storedFormats`.
 */
import { ok, strictEqual } from "node:assert";
import { utf8 } from "../base/bytes.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { DriveId, SetId, StoreId } from "../base/ids.ts";
import { checksum, writeChecksum } from "../codec/xxh3.ts";
import { decodeBlobLocation, encodeBlobLocation } from "../format/blob-location.ts";
import { parseBlobFolder, parseBlobId, parseShardFileName, shardFileName } from "../format/blob-name.ts";
import { encodeFooter, iterateFooter, type PackTrailer, parseFooter, parseTrailer, trailerBytes } from "../format/footer.ts";
import { type FrameHeader, noSlot, parseFrameHeader, writeFrameHeader } from "../format/frame.ts";
import { encodeLabel, parseLabel } from "../format/label.ts";
import { packFileName, parsePackFileName } from "../format/pack-name.ts";
import { decodePackedLocation, encodePackedLocation } from "../format/packed-location.ts";
import { decodeRecords, encodeRecords } from "../format/records.ts";
import { encodeRetired, parseRetired } from "../format/retired.ts";
import {
  parsePieceHeader,
  parseShardFileHeader,
  writePieceHeader,
  writePieceHeaderWith,
  writeShardFileHeader,
} from "../format/shard-file.ts";
import { pieceHeaderBytesOf } from "../format/shard-geometry.ts";
import { encodeState, parseState } from "../format/state.ts";
import { packBucketRecord, unpackBucketRecord } from "../object/bucket-record.ts";
import { formatToken, parseToken } from "../object/list-token.ts";
import { packPartRecord, packUploadRecord, unpackPartRecord, unpackUploadRecord } from "../object/multipart/upload-record.ts";
import { markerRecord, type ObjectRecord, packObjectRecord, unpackObjectRecord } from "../object/object-record.ts";
import { parseVersionId, versionIdOf } from "../object/version-id.ts";
import { replayBatch } from "../set/batch-records.ts";
import type { BlobLocation } from "../set/erasure-set.ts";
import { decodeEntry } from "../set/index-entry.ts";

export interface StoredFormat {
  readonly name: string;
  /** Sound bytes, each read and written again as they are. */
  readonly samples: readonly Uint8Array[];
  /** What reading and writing again gives; undefined for bytes that are not taken. */
  readonly reread: (bytes: Uint8Array) => Uint8Array | undefined;
  /** The codes of errors it may throw instead. */
  readonly refusals: readonly ErrorCode[];
  /** Puts checksums and lengths of spoilt bytes right, in place, so that what stands behind them is reached. */
  readonly reseal?: (bytes: Uint8Array) => void;
  /** True where bytes that are taken are exactly those that would be written. */
  readonly exact?: boolean;
}

const setId = "0123456789abcdef0123456789abcdef" as SetId;
const layout = { data: 4, parity: 2, drives: 0b1011_0111n, rotation: 3 };
const wide = { data: 21, parity: 4, drives: (1n << 25n) - 1n, rotation: 24 };
const sum = checksum(utf8("payload"));
const records = encodeRecords([
  { key: utf8("a"), value: utf8("value"), payload: { offset: 0, length: 100, checksum: sum } },
  { key: utf8("b"), value: new Uint8Array(300), payload: undefined },
  { key: utf8("c"), value: undefined, payload: undefined },
]);
const frame: FrameHeader = {
  setId,
  pack: 7,
  position: 1280,
  sequence: 1000,
  epoch: 3,
  survive: 1,
  timeMs: 1_800_000_000_000,
  layout,
  recordsBytes: records.byteLength,
  shardBytes: 256,
  payloadBytes: 1000,
  slot: 2,
  recordsChecksum: checksum(records),
  shardChecksum: sum,
};
const footerFrame = { ...frame, slot: noSlot, shardChecksum: checksum(new Uint8Array(0)) };
const packed = { pack: 7, shardPosition: 1408, shardBytes: 256, layout, offset: 10, length: 900, checksum: sum };
const blob = { blob: { epoch: 3, counter: 9 }, sizeBytes: 5_000_000, stripeBytes: 2 ** 20, layout };
const location = encodeBlobLocation(blob) as BlobLocation;
const drives = Array.from({ length: 8 }, (_, i) => String(i).repeat(32) as DriveId);
const label = {
  storeId: "a".repeat(32) as StoreId,
  driveId: drives[1] as DriveId,
  setId,
  slotInSet: 1,
  createdMs: 1_800_000_000_000,
  sets: [{ setId, data: 4, parity: 2, drives }],
  labelSequence: 4,
};
const state = { setId, epoch: 4, firstSequence: 1001, clean: true, lastSequence: 1200, activePack: 8, activePosition: 4096 };
const object: ObjectRecord = {
  ...markerRecord({ order: 65_536_000, isNull: true, modifiedMs: 1_800_000_000_000 }),
  kind: 0,
  sizeBytes: 1000,
  etag: "d41d8cd98f00b204e9800998ecf8427e",
  content: ["text/plain", null, null, "gzip", null, null],
  metadata: ["color", "red", "size", "large"],
  tags: ["team", "blue"],
  checksums: [2, new Uint8Array(32), 4, new Uint8Array(4)],
};
const listing = { bucketId: 5, prefix: utf8("photos/"), delimiter: utf8("/") };

function built(length: number, write: (target: Uint8Array) => void): Uint8Array {
  const target = new Uint8Array(length);
  write(target);
  return target;
}

/** Writes what `parse` gives. */
function through<T>(parse: (bytes: Uint8Array) => T | undefined, write: (value: T) => Uint8Array): StoredFormat["reread"] {
  return (bytes) => {
    const value = parse(bytes);
    return value === undefined ? undefined : write(value);
  };
}

/** Text formats, spoilt as bytes. */
function throughText(reread: (text: string) => string | undefined): StoredFormat["reread"] {
  return (bytes) => {
    const text = reread(Buffer.from(bytes).toString("latin1"));
    return text === undefined ? undefined : Buffer.from(text, "latin1");
  };
}

function sealAt(at: number): (bytes: Uint8Array) => void {
  return (bytes) => {
    if (bytes.byteLength >= at + 8) writeChecksum(bytes, at, bytes.subarray(0, at));
  };
}

function sealAtEnd(bytes: Uint8Array): void {
  if (bytes.byteLength >= 8) writeChecksum(bytes, bytes.byteLength - 8, bytes.subarray(0, bytes.byteLength - 8));
}

function sealLabel(bytes: Uint8Array): void {
  if (bytes.byteLength < 20) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(8, bytes.byteLength - 20, true);
  sealAtEnd(bytes);
}

function sealRetired(bytes: Uint8Array): void {
  if (bytes.byteLength < 128) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(8, (bytes.byteLength - 128) >> 3, true);
  writeChecksum(bytes, 24, bytes.subarray(128));
  sealAt(120)(bytes.subarray(0, 128));
}

function sealPiece(bytes: Uint8Array): void {
  if (bytes.byteLength < 128) return;
  const headerBytes = pieceHeaderBytesOf(new DataView(bytes.buffer, bytes.byteOffset).getUint32(20, true));
  if (headerBytes <= bytes.byteLength) writeChecksum(bytes, headerBytes - 8, bytes.subarray(0, headerBytes - 8));
}

/** Every header in the body that starts as one, the body, the trailer. */
function sealFooter(bytes: Uint8Array): void {
  const bodyBytes = bytes.byteLength - trailerBytes;
  if (bodyBytes < 0) return;
  for (let at = 0; at + 128 <= bodyBytes; at += 128) {
    if (Buffer.from(bytes.subarray(at, at + 4)).toString("latin1") === "HFfr") sealAt(120)(bytes.subarray(at, at + 128));
  }
  const trailer = bytes.subarray(bodyBytes);
  new DataView(bytes.buffer, bytes.byteOffset + bodyBytes).setUint32(24, bodyBytes, true);
  writeChecksum(trailer, 48, bytes.subarray(0, bodyBytes));
  sealAt(120)(trailer);
}

function rereadPiece(bytes: Uint8Array): Uint8Array | undefined {
  const header = parsePieceHeader(bytes);
  if (header === undefined) return undefined;
  const parts = Math.ceil(header.pieceBytes / 65_536);
  return built(pieceHeaderBytesOf(header.pieceBytes), (to) => writePieceHeaderWith(to, 0, header, bytes.slice(32, 32 + 8 * parts)));
}

function rereadFooter(bytes: Uint8Array): Uint8Array | undefined {
  const trailer: PackTrailer | undefined = parseTrailer(bytes, bytes.byteLength - trailerBytes);
  if (trailer === undefined) return undefined;
  const body = bytes.subarray(0, bytes.byteLength - trailerBytes);
  const entries = parseFooter(trailer, body);
  if (entries === undefined) return undefined;
  strictEqual([...iterateFooter(body)].length, entries.length);
  return encodeFooter({ setId: trailer.setId, pack: trailer.pack, position: trailer.footerPosition, entries });
}

/** The index gets sound entries from any records that are taken. */
function replay(bytes: Uint8Array): undefined {
  for (const { key, value } of replayBatch({ ...frame, recordsBytes: bytes.byteLength }, bytes)) {
    ok(key.byteLength > 0, "an index key has a byte");
    if (value === undefined) continue;
    const entry = decodeEntry(value);
    ok(Number.isSafeInteger(entry.order), "an order is a safe integer");
    if (entry.payload !== undefined) decodePackedLocation(entry.payload);
  }
}

const damaged = ["FORMAT_DAMAGED"] as const;
const tooNew = ["FORMAT_TOO_NEW"] as const;
const record = ["INDEX_DAMAGED", "FORMAT_TOO_NEW"] as const;

export const storedFormats: readonly StoredFormat[] = [
  {
    name: "a frame's header",
    samples: [frame, { ...footerFrame, layout: wide }].map((each) => built(128, (to) => writeFrameHeader(to, 0, each))),
    reread: through(parseFrameHeader, (each) => built(128, (to) => writeFrameHeader(to, 0, each))),
    refusals: tooNew,
    reseal: sealAt(120),
  },
  {
    name: "a pack's footer",
    samples: [[], [{ header: footerFrame, records }], [1, 2, 3].map((i) => ({ header: { ...footerFrame, sequence: i }, records }))].map(
      (entries) => encodeFooter({ setId, pack: 7, position: 8192, entries }),
    ),
    reread: rereadFooter,
    refusals: tooNew,
    reseal: sealFooter,
  },
  {
    name: "a label",
    samples: [encodeLabel(label), encodeLabel({ ...label, extra: { later: [1, "x"] } })],
    reread: through(parseLabel, encodeLabel),
    refusals: ["LABEL_DAMAGED", "FORMAT_TOO_NEW"],
    reseal: sealLabel,
  },
  {
    name: "a state",
    samples: [encodeState(state)],
    reread: through(parseState, encodeState),
    refusals: tooNew,
    reseal: sealAt(120),
    exact: true,
  },
  {
    name: "a list of retired packs",
    samples: [[], [{ first: 1, last: 4 }], [1, 3, 9].map((pack) => ({ first: pack, last: pack }))].map((ranges) =>
      encodeRetired({ setId, throughSequence: 99, ranges }),
    ),
    reread: through(parseRetired, encodeRetired),
    refusals: tooNew,
    reseal: sealRetired,
    exact: true,
  },
  {
    name: "a shard file's header",
    samples: [
      built(128, (to) => writeShardFileHeader(to, 0, { setId, blob: blob.blob, layout, slot: 5, stripeBytes: 2 ** 20, timeMs: 5 })),
    ],
    reread: through(parseShardFileHeader, (each) => built(128, (to) => writeShardFileHeader(to, 0, each))),
    refusals: tooNew,
    reseal: sealAt(120),
  },
  {
    name: "a piece's header",
    samples: [128, 262_144, 2 ** 20].map((pieceBytes) =>
      built(pieceHeaderBytesOf(pieceBytes), (to) =>
        writePieceHeader(to, 0, { blob: blob.blob, slot: 1, stripe: 2, pieceBytes, dataBytes: 100 }, new Uint8Array(pieceBytes)),
      ),
    ),
    reread: rereadPiece,
    refusals: tooNew,
    reseal: sealPiece,
  },
  {
    name: "a packed location",
    samples: [encodePackedLocation(packed), encodePackedLocation({ ...packed, layout: wide })],
    reread: through(decodePackedLocation, encodePackedLocation),
    refusals: damaged,
  },
  {
    name: "a blob's location",
    samples: [location, encodeBlobLocation({ ...blob, layout: wide })],
    reread: through(decodeBlobLocation, encodeBlobLocation),
    refusals: damaged,
  },
  { name: "a batch's records", samples: [records, encodeRecords([])], reread: through(decodeRecords, encodeRecords), refusals: damaged },
  { name: "a batch's records, replayed", samples: [records], reread: replay, refusals: damaged },
  {
    name: "an object's record",
    samples: [
      object,
      markerRecord({ order: 1, isNull: false, modifiedMs: 1 }),
      { ...object, kind: 1 as const, blob: location, etag: "x0123" },
      {
        ...object,
        kind: 2 as const,
        segments: [
          { partNumber: 1, sizeBytes: 7, blob: location },
          { partNumber: 2, sizeBytes: 5, blob: undefined },
        ],
        uploadId: new Uint8Array(12),
      },
    ].map(packObjectRecord),
    reread: through(unpackObjectRecord, packObjectRecord),
    refusals: record,
  },
  {
    name: "a bucket's record",
    samples: [
      { id: 3, createdMs: 5, versioning: "enabled" as const, erasure: { data: 2, parity: 1 } },
      { id: 3, createdMs: 5, versioning: "off" as const, erasure: undefined },
    ].map(packBucketRecord),
    reread: through(unpackBucketRecord, packBucketRecord),
    refusals: record,
  },
  {
    name: "an upload's record",
    samples: [packUploadRecord({ startedMs: 5, content: object.content, metadata: object.metadata, tags: object.tags })],
    reread: through(unpackUploadRecord, packUploadRecord),
    refusals: record,
  },
  {
    name: "a part's record",
    samples: [
      { sizeBytes: 5, modifiedMs: 6, etag: object.etag, blob: location, checksums: object.checksums },
      { sizeBytes: 5, modifiedMs: 6, etag: "x", blob: undefined, checksums: undefined },
    ].map(packPartRecord),
    reread: through(unpackPartRecord, packPartRecord),
    refusals: record,
  },
  {
    name: "a list token",
    samples: [utf8(formatToken(listing, utf8("photos/cat.jpg")))],
    reread: throughText((text) => formatToken(listing, parseToken(listing, text))),
    refusals: ["TOKEN_INVALID"],
  },
  {
    name: "a version id",
    samples: [utf8(versionIdOf({ order: 2 ** 40 + 1, isNull: false })), utf8("null")],
    reread: throughText((text) => {
      const selector = parseVersionId(text);
      return typeof selector === "number" ? versionIdOf({ order: selector, isNull: false }) : selector;
    }),
    refusals: ["VERSION_ID_INVALID"],
    exact: true,
  },
  {
    name: "a pack's name",
    samples: [utf8(packFileName(42))],
    reread: throughText((text) => {
      const pack = parsePackFileName(text);
      return pack === undefined ? undefined : packFileName(pack);
    }),
    refusals: [],
  },
  {
    name: "a shard file's name",
    samples: [utf8(shardFileName(blob.blob))],
    reread: throughText((text) => {
      parseBlobFolder(text);
      parseBlobId(text);
      const id = parseShardFileName(text);
      return id === undefined ? undefined : shardFileName(id);
    }),
    refusals: [],
    exact: true,
  },
];

/** Spoilt bytes for a message. */
export function describeBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return hex.length > 600 ? `${hex.slice(0, 600)}… (${bytes.byteLength} bytes)` : hex;
}
