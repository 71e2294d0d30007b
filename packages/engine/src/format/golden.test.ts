/**
 * Every stored format, byte for byte. A fixture is never changed: what a release has written stays readable for ever. A new version of
 * a format gets a folder of its own beside `v1`, and the old fixtures are then only read.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { concatBytes, fromHex, toHex, utf8 } from "../base/bytes.ts";
import type { DriveId, SetId, StoreId } from "../base/ids.ts";
import { checksum } from "../codec/xxh3.ts";
import { type BlobPlace, decodeBlobLocation, encodeBlobLocation } from "./blob-location.ts";
import { encodeFooter, parseFooter, parseTrailer, trailerBytes } from "./footer.ts";
import { type FrameHeader, noSlot, parseFrameHeader, writeFrameHeader } from "./frame.ts";
import { type DriveLabel, encodeLabel, parseLabel } from "./label.ts";
import { decodePackedLocation, encodePackedLocation, type PackedLocation } from "./packed-location.ts";
import { type BatchRecord, decodeRecords, encodeRecords } from "./records.ts";
import { encodeRetired, parseRetired, type RetiredList } from "./retired.ts";
import {
  type PieceHeader,
  parsePieceHeader,
  parseShardFileHeader,
  type ShardFileHeader,
  writePieceHeader,
  writeShardFileHeader,
} from "./shard-file.ts";
import { pieceHeaderBytesOf } from "./shard-geometry.ts";
import { type DriveState, encodeState, parseState } from "./state.ts";

/** A fixture: hexadecimal digits in lines, which a diff can show. */
function fixture(name: string): string {
  return readFileSync(new URL(`fixtures/v1/${name}.hex`, import.meta.url), "utf8").replace(/\s/g, "");
}

const setId = "00112233445566778899aabbccddeeff";
const timeMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const drives = 0b1011_0110n | (1n << 63n);
const shard = Uint8Array.from({ length: 128 }, (_, i) => i);

const location: PackedLocation = {
  pack: 7,
  shardPosition: 0x0123_4567_8980,
  shardBytes: 65_536,
  layout: { data: 4, parity: 2, drives, rotation: 5 },
  offset: 70_000,
  length: 1_234,
  checksum: checksum(utf8("payload")),
};

const records: BatchRecord[] = [
  { key: utf8("deleted"), value: undefined, payload: undefined },
  { key: utf8("empty"), value: new Uint8Array(0), payload: undefined },
  { key: utf8("taken over"), value: utf8("value"), payload: encodePackedLocation(location) },
  { key: utf8("own"), value: new Uint8Array(300).fill(0xab), payload: { offset: 0, length: 127, checksum: checksum(utf8("a")) } },
  { key: utf8("far"), value: utf8("v"), payload: { offset: 65_536, length: 200, checksum: checksum(utf8("b")) } },
];

const frame: FrameHeader = {
  setId,
  pack: 7,
  position: 2 ** 40,
  sequence: 2 ** 53 - 1,
  epoch: 3,
  survive: 1,
  timeMs,
  layout: { data: 4, parity: 2, drives, rotation: 5 },
  recordsBytes: encodeRecords(records).byteLength,
  shardBytes: 128,
  payloadBytes: 400,
  slot: 2,
  recordsChecksum: checksum(encodeRecords(records)),
  shardChecksum: checksum(shard),
};

const emptyFrame: FrameHeader = {
  ...frame,
  position: 0,
  sequence: 41,
  layout: { data: 1, parity: 0, drives: 1n, rotation: 0 },
  recordsBytes: 0,
  shardBytes: 0,
  payloadBytes: 0,
  slot: noSlot,
  recordsChecksum: checksum(new Uint8Array(0)),
  shardChecksum: checksum(new Uint8Array(0)),
};

const shardFile: ShardFileHeader = {
  setId,
  blob: { epoch: 3, counter: 42 },
  layout: { data: 4, parity: 2, drives, rotation: 5 },
  slot: 1,
  stripeBytes: 1_048_576,
  timeMs,
};

const place: BlobPlace = { blob: shardFile.blob, sizeBytes: 5 * 2 ** 40, stripeBytes: 1_048_576, layout: shardFile.layout };

/** Two parts: 64 KiB and 128 bytes. */
const piece = Uint8Array.from({ length: 65_536 + 128 }, (_, i) => (i * 7 + (i >>> 8)) & 0xff);
const pieceHeader: PieceHeader = { blob: shardFile.blob, slot: 1, stripe: 9, pieceBytes: piece.byteLength, dataBytes: 262_500 };

const driveIds = Array.from({ length: 3 }, (_, i) => `${i + 1}`.repeat(32) as DriveId);
const label: DriveLabel = {
  storeId: "a".repeat(32) as StoreId,
  driveId: driveIds[1] as DriveId,
  setId: setId as SetId,
  slotInSet: 1,
  createdMs: timeMs,
  sets: [{ setId: setId as SetId, data: 2, parity: 1, drives: driveIds }],
  labelSequence: 1,
};

const state: DriveState = {
  setId,
  epoch: 3,
  firstSequence: 41,
  clean: true,
  lastSequence: 2 ** 40 + 5,
  activePack: 7,
  activePosition: 2 ** 27 + 128,
};

const retired: RetiredList = {
  setId,
  throughSequence: 2 ** 40 + 5,
  ranges: [
    { first: 1, last: 6 },
    { first: 8, last: 8 },
    { first: 4_294_967_294, last: 4_294_967_295 },
  ],
};

function written(length: number, write: (target: Uint8Array, at: number) => void): Uint8Array {
  // Written off its start and over old bytes, as callers may.
  const target = new Uint8Array(length + 3).fill(0xee);
  write(target, 3);
  return target.slice(3);
}

interface Golden {
  readonly name: string;
  readonly value: unknown;
  write(): Uint8Array;
  read(bytes: Uint8Array): unknown;
}

const goldens: readonly Golden[] = [
  { name: "records", value: records, write: () => encodeRecords(records), read: decodeRecords },
  { name: "packed-location", value: location, write: () => encodePackedLocation(location), read: (bytes) => decodePackedLocation(bytes) },
  {
    name: "frame-header",
    value: frame,
    write: () => written(128, (target, at) => writeFrameHeader(target, at, frame)),
    read: (bytes) => parseFrameHeader(bytes),
  },
  {
    name: "frame-header-empty",
    value: emptyFrame,
    write: () => written(128, (target, at) => writeFrameHeader(target, at, emptyFrame)),
    read: (bytes) => parseFrameHeader(bytes),
  },
  {
    name: "footer",
    value: [
      { header: emptyFrame, records: new Uint8Array(0) },
      { header: frame, records: encodeRecords(records) },
    ],
    write: () =>
      encodeFooter({
        setId,
        pack: 7,
        position: 12_800,
        entries: [
          { header: emptyFrame, records: new Uint8Array(0) },
          { header: frame, records: encodeRecords(records) },
        ],
      }),
    read(bytes) {
      const trailer = parseTrailer(bytes, bytes.byteLength - trailerBytes);
      expect(trailer).toMatchObject({ setId, pack: 7, footerPosition: 12_800, frames: 2, firstSequence: 41, lastSequence: 2 ** 53 - 1 });
      return trailer === undefined ? undefined : parseFooter(trailer, bytes.subarray(0, -trailerBytes));
    },
  },
  {
    name: "shard-file-header",
    value: shardFile,
    write: () => written(128, (target, at) => writeShardFileHeader(target, at, shardFile)),
    read: (bytes) => parseShardFileHeader(bytes),
  },
  {
    name: "piece-header",
    value: pieceHeader,
    write: () => written(pieceHeaderBytesOf(piece.byteLength), (target, at) => writePieceHeader(target, at, pieceHeader, piece)),
    read: (bytes) => parsePieceHeader(bytes),
  },
  { name: "blob-location", value: place, write: () => encodeBlobLocation(place), read: (bytes) => decodeBlobLocation(bytes) },
  { name: "label", value: label, write: () => encodeLabel(label), read: parseLabel },
  { name: "state", value: state, write: () => encodeState(state), read: parseState },
  { name: "retired", value: retired, write: () => encodeRetired(retired), read: parseRetired },
];

describe("golden bytes of version 1", () => {
  test.each(goldens)("$name is written as ever", ({ name, write }) => {
    expect(toHex(write())).toBe(fixture(name));
  });

  test.each(goldens)("$name is read as ever", ({ name, value, read }) => {
    expect(read(fromHex(fixture(name)))).toEqual(value);
  });

  test.each(goldens)("$name is read the same from the middle of a larger Buffer", ({ name, value, read }) => {
    const bytes = fromHex(fixture(name));
    const larger = Buffer.from(concatBytes([new Uint8Array(5), bytes, new Uint8Array(5)]));
    expect(read(larger.subarray(5, 5 + bytes.byteLength))).toEqual(value);
  });
});
