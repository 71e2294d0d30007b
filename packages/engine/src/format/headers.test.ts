/** What the sealed headers have in common: versions, reserved bytes, ranges. */
import { describe, expect, test } from "vitest";
import { concatBytes } from "../base/bytes.ts";
import { isHoldfastError } from "../base/errors.ts";
import type { DriveId, SetId, StoreId } from "../base/ids.ts";
import { InvariantError } from "../base/invariant.ts";
import { checksum, writeChecksum } from "../codec/xxh3.ts";
import { encodeFooter, iterateFooter, parseTrailer } from "./footer.ts";
import {
  type FrameHeader,
  frameBytes,
  noSlot,
  parseFrameHeader,
  recordsPosition,
  sameBatch,
  shardPosition,
  writeFrameHeader,
} from "./frame.ts";
import { type DriveLabel, encodeLabel, parseLabel } from "./label.ts";
import {
  matchesPart,
  parsePieceHeader,
  parseShardFileHeader,
  partRange,
  sameBlob,
  samePiece,
  writePieceHeader,
  writeShardFileHeader,
} from "./shard-file.ts";
import { encodeState, parseState } from "./state.ts";

const setId = "0123456789abcdef0123456789abcdef";
const empty = checksum(new Uint8Array(0));
const layout = { data: 2, parity: 1, drives: 0b111n, rotation: 1 };
const frame: FrameHeader = {
  setId,
  pack: 1,
  position: 256,
  sequence: 9,
  epoch: 2,
  survive: 1,
  timeMs: 1_000,
  layout,
  recordsBytes: 130,
  shardBytes: 128,
  payloadBytes: 256,
  slot: 0,
  recordsChecksum: empty,
  shardChecksum: empty,
};
const shardFile = { setId, blob: { epoch: 1, counter: 2 }, layout, slot: 0, stripeBytes: 4_096, timeMs: 1_000 };
const piece = { blob: { epoch: 1, counter: 2 }, slot: 0, stripe: 3, pieceBytes: 65_536 + 128, dataBytes: 100_000 };
const pieceBytes = Uint8Array.from({ length: piece.pieceBytes }, (_, i) => i % 251);
const state = { setId, epoch: 1, firstSequence: 0, clean: false, lastSequence: 0, activePack: 0, activePosition: 0 };
const drives = ["1", "2", "3"].map((digit) => digit.repeat(32) as DriveId);
const label: DriveLabel = {
  storeId: "a".repeat(32) as StoreId,
  driveId: drives[0] as DriveId,
  setId: setId as SetId,
  slotInSet: 0,
  createdMs: 5,
  sets: [{ setId: setId as SetId, data: 2, parity: 1, drives }],
  labelSequence: 1,
};

function written(length: number, write: (target: Uint8Array, at: number) => void): Uint8Array {
  const target = new Uint8Array(length);
  write(target, 0);
  return target;
}

const formats: readonly { name: string; bytes: Uint8Array; parse(bytes: Uint8Array): unknown }[] = [
  { name: "frame", bytes: written(128, (to, at) => writeFrameHeader(to, at, frame)), parse: (bytes) => parseFrameHeader(bytes) },
  { name: "trailer", bytes: encodeFooter({ setId, pack: 1, position: 0, entries: [] }), parse: (bytes) => parseTrailer(bytes) },
  {
    name: "shard file",
    bytes: written(128, (to, at) => writeShardFileHeader(to, at, shardFile)),
    parse: (bytes) => parseShardFileHeader(bytes),
  },
  {
    name: "piece",
    bytes: written(128, (to, at) => writePieceHeader(to, at, piece, pieceBytes)),
    parse: (bytes) => parsePieceHeader(bytes),
  },
  { name: "state", bytes: encodeState(state), parse: parseState },
  { name: "label", bytes: encodeLabel(label), parse: parseLabel },
];

/** The bytes with one of them changed and the checksum made to fit. */
function resealed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  writeChecksum(changed, changed.byteLength - 8, changed.subarray(0, -8));
  return changed;
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return isHoldfastError(error) ? error.code : String(error);
  }
}

describe("versions", () => {
  test.each(formats)("a sound $name of a newer version is FORMAT_TOO_NEW", ({ bytes, parse }) => {
    expect(parse(bytes)).toBeDefined();
    expect(codeOf(() => parse(resealed(bytes, 4, 3)))).toBe("FORMAT_TOO_NEW");
    expect(codeOf(() => parse(resealed(bytes, 4, 255)))).toBe("FORMAT_TOO_NEW");
  });

  test.each(formats)("a damaged $name that claims a newer version is just damaged", ({ name, bytes, parse }) => {
    const changed = bytes.slice();
    changed[4] = 2;
    if (name === "label") expect(codeOf(() => parse(changed))).toBe("LABEL_DAMAGED");
    else expect(parse(changed)).toBeUndefined();
  });

  test.each(formats)("a $name of version 0 is damaged", ({ name, bytes, parse }) => {
    const changed = resealed(bytes, 4, 0);
    if (name === "label") expect(codeOf(() => parse(changed))).toBe("LABEL_DAMAGED");
    else expect(parse(changed)).toBeUndefined();
  });

  test("the message says which release reads it", () => {
    expect(() => parseState(resealed(encodeState(state), 4, 3))).toThrow(/format version 3; this one reads up to 1: upgrade/);
  });

  test("bytes no version uses must be zero", () => {
    const reserved: Record<string, number[]> = {
      frame: [5, 11, 96, 119],
      trailer: [5, 28, 72, 119],
      "shard file": [5, 10, 56],
      piece: [6, 28, 48],
      state: [5, 6, 56],
    };
    for (const { name, bytes, parse } of formats) {
      for (const at of reserved[name] ?? []) expect(parse(resealed(bytes, at, 2)), `${name} byte ${at}`).toBeUndefined();
    }
    expect(codeOf(() => parseLabel(resealed(encodeLabel(label), 6, 1)))).toBe("LABEL_DAMAGED");
  });
});

describe("frames", () => {
  test("places follow from the header", () => {
    expect([frameBytes(frame), recordsPosition(frame), shardPosition(frame)]).toEqual([128 + 256 + 128, 384, 640]);
  });

  test("a drive without a slot has a hole of a shard", () => {
    expect(frameBytes({ ...frame, slot: noSlot } as FrameHeader)).toBe(frameBytes(frame));
  });

  test("two drives' headers are of one batch whatever their slot and shard", () => {
    expect(sameBatch(frame, { ...frame, slot: 2, shardChecksum: checksum(Uint8Array.of(1)) })).toBe(true);
    const others: Partial<FrameHeader>[] = [
      { epoch: 3 },
      { sequence: 8 },
      { recordsChecksum: checksum(Uint8Array.of(1)) },
      { layout: { ...layout, rotation: 0 } },
    ];
    for (const other of others) expect(sameBatch(frame, { ...frame, ...other })).toBe(false);
  });

  test("headers out of range are never written, and not taken where they are read", () => {
    const impossible: Partial<FrameHeader>[] = [
      { slot: 3 },
      { survive: 5 },
      { position: 100 },
      { sequence: -1 },
      { sequence: 2 ** 53 },
      { shardBytes: 100 },
      { payloadBytes: 257 },
      { recordsBytes: 2 ** 26 + 1 },
      { pack: 2 ** 32 },
      { setId: "00" },
      { setId: "G".repeat(32) },
      { layout: { ...layout, data: 0, parity: 3 } },
      { layout: { ...layout, rotation: 3 } },
      { layout: { ...layout, drives: 0b1111n } },
      { layout: { data: 22, parity: 4, rotation: 0, drives: (1n << 26n) - 1n } },
    ];
    for (const change of impossible) {
      expect(() => writeFrameHeader(new Uint8Array(128), 0, { ...frame, ...change }), JSON.stringify(Object.keys(change))).toThrow(
        InvariantError,
      );
    }
    const bytes = formats[0]?.bytes as Uint8Array;
    for (const [at, value] of [
      [6, 0],
      [7, 5],
      [8, 3],
      [9, 3],
      [10, 5],
      [23, 0x20],
      [31, 0xff],
      [32, 1],
      [37, 2],
      [40, 1],
      [48, 0xff],
    ] as const) {
      expect(parseFrameHeader(resealed(bytes, at, value)), `byte ${at}`).toBeUndefined();
    }
  });

  test("a header is looked for only within the bytes", () => {
    const bytes = formats[0]?.bytes as Uint8Array;
    expect(parseFrameHeader(bytes, 1)).toBeUndefined();
    expect(parseFrameHeader(bytes, -1)).toBeUndefined();
    expect(parseFrameHeader(concatBytes([new Uint8Array(7), bytes]), 7)).toEqual(frame);
  });
});

describe("footers and pieces", () => {
  test("a body that is no footer's is FORMAT_DAMAGED when it is iterated unchecked", () => {
    expect(codeOf(() => [...iterateFooter(new Uint8Array(128))])).toBe("FORMAT_DAMAGED");
    expect(codeOf(() => [...iterateFooter(formats[0]?.bytes as Uint8Array)])).toBe("FORMAT_DAMAGED");
    expect([...iterateFooter(new Uint8Array(0))]).toEqual([]);
  });

  test("each part of a piece is checked by itself", () => {
    const header = formats[3]?.bytes as Uint8Array;
    for (const part of [0, 1]) {
      const { start, end } = partRange(piece.pieceBytes, part);
      expect(end - start).toBe(part === 0 ? 65_536 : 128);
      const bytes = pieceBytes.slice(start, end);
      expect(matchesPart(header, 0, part, bytes)).toBe(true);
      bytes[7] = (bytes[7] as number) ^ 1;
      expect(matchesPart(header, 0, part, bytes)).toBe(false);
    }
  });

  test("pieces and shard files know where they belong", () => {
    expect(samePiece(piece, { ...piece })).toBe(true);
    expect(samePiece(piece, { ...piece, stripe: 4 })).toBe(false);
    expect(sameBlob(shardFile, { ...shardFile, slot: 1 })).toBe(true);
    expect(sameBlob(shardFile, { ...shardFile, blob: { epoch: 1, counter: 3 } })).toBe(false);
  });
});
