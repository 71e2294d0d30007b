import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes } from "../base/bytes.ts";
import { isHoldfastError } from "../base/errors.ts";
import type { DriveId, SetId, StoreId } from "../base/ids.ts";
import { checksum } from "../codec/xxh3.ts";
import { decodeBlobLocation, encodeBlobLocation } from "./blob-location.ts";
import { encodeFooter, type FooterEntry, iterateFooter, parseFooter, parseTrailer, trailerBytes } from "./footer.ts";
import { type FrameHeader, noSlot, parseFrameHeader, type StripeLayout, writeFrameHeader } from "./frame.ts";
import { type DriveLabel, encodeLabel, parseLabel } from "./label.ts";
import { maskOfDrives } from "./layout.ts";
import { decodePackedLocation, encodePackedLocation } from "./packed-location.ts";
import { decodeRecords } from "./records.ts";
import { encodeRetired, parseRetired } from "./retired.ts";
import { type PieceHeader, parsePieceHeader, parseShardFileHeader, writePieceHeader, writeShardFileHeader } from "./shard-file.ts";
import { pieceHeaderBytesOf } from "./shard-geometry.ts";
import { encodeState, parseState } from "./state.ts";

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u53 = fc.maxSafeNat();
const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const sum = fc.uint8Array({ minLength: 8, maxLength: 8 });
const layout: fc.Arbitrary<StripeLayout> = fc
  .tuple(fc.integer({ min: 1, max: 21 }), fc.integer({ min: 0, max: 4 }), fc.nat())
  .chain(([data, parity, turn]) =>
    fc
      .shuffledSubarray(
        Array.from({ length: 64 }, (_, drive) => drive),
        { minLength: data + parity, maxLength: data + parity },
      )
      .map((drives) => ({ data, parity, drives: maskOfDrives(drives), rotation: turn % (data + parity) })),
  );
const blob = fc.record({ epoch: u32, counter: u32 });
const shardBytes = fc.integer({ min: 0, max: 2 ** 20 }).map((units) => units * 128);
const position = fc.integer({ min: 0, max: 2 ** 38 }).map((units) => units * 128);

const frame: fc.Arbitrary<FrameHeader> = fc
  .record({
    setId: id,
    pack: u32,
    position,
    sequence: u53,
    epoch: u32,
    survive: fc.nat({ max: 4 }),
    timeMs: u53,
    layout,
    recordsBytes: fc.nat({ max: 2 ** 26 }),
    shardBytes,
    payloadBytes: u32,
    slot: fc.nat({ max: 255 }),
    recordsChecksum: sum,
    shardChecksum: sum,
  })
  .map((header) => ({
    ...header,
    slot: header.slot < header.layout.data + header.layout.parity ? header.slot : noSlot,
    payloadBytes: Math.min(header.payloadBytes, header.layout.data * header.shardBytes),
  }));

const packedLocation = fc
  .record({ pack: u32, shardPosition: position, shardBytes, layout, offset: u32, length: u32, checksum: sum })
  .map((location) => {
    const capacity = Math.min(location.layout.data * location.shardBytes, 2 ** 32 - 1);
    const offset = Math.min(location.offset, capacity);
    return { ...location, offset, length: Math.min(location.length, capacity - offset) };
  });

const blobPlace = fc
  .record({
    blob,
    sizeBytes: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    stripeBytes: fc.integer({ min: 2 ** 16, max: 2 ** 32 - 1 }),
    layout,
  })
  .filter(({ sizeBytes, stripeBytes }) => sizeBytes / stripeBytes < 2 ** 32 - 1);

const shardFile = fc
  .record({ setId: id, blob, layout, slot: fc.nat(), stripeBytes: fc.integer({ min: 1, max: 2 ** 32 - 1 }), timeMs: u53 })
  .map((header) => ({ ...header, slot: header.slot % (header.layout.data + header.layout.parity) }));

const piece: fc.Arbitrary<PieceHeader> = fc.record({
  blob,
  slot: fc.nat({ max: 63 }),
  stripe: u32,
  pieceBytes: fc.integer({ min: 1, max: 2_000 }).map((units) => units * 128),
  dataBytes: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
});

const footer = fc
  .record({ setId: id, pack: u32, position, frames: fc.array(fc.tuple(frame, fc.uint8Array({ maxLength: 300 })), { maxLength: 5 }) })
  .map(({ frames, ...rest }) => ({
    ...rest,
    entries: frames
      .map(([header, records]) => ({
        header: { ...header, setId: rest.setId, pack: rest.pack, recordsBytes: records.byteLength, recordsChecksum: checksum(records) },
        records,
      }))
      .sort((a, b) => a.header.sequence - b.header.sequence),
  }));

const state = fc.record({
  setId: id,
  epoch: u32,
  firstSequence: u53,
  clean: fc.boolean(),
  lastSequence: u53,
  activePack: u32,
  activePosition: u53,
});

const retired = fc
  .record({ setId: id, throughSequence: u53, bounds: fc.uniqueArray(u32, { maxLength: 20 }) })
  .map(({ bounds, ...rest }) => {
    const sorted = bounds.sort((a, b) => a - b);
    const pairs = Array.from({ length: sorted.length >> 1 }, (_, i) => ({
      first: sorted[2 * i] as number,
      last: sorted[2 * i + 1] as number,
    }));
    return { ...rest, ranges: pairs.filter(({ first }, i) => i === 0 || first > (pairs[i - 1]?.last ?? 0) + 1) };
  });

const label: fc.Arbitrary<DriveLabel> = fc
  .record({
    storeId: id,
    setIds: fc.uniqueArray(id, { minLength: 1, maxLength: 4 }),
    driveIds: fc.uniqueArray(id, { minLength: 20, maxLength: 20 }),
    own: fc.nat(),
    createdMs: u53,
    labelSequence: u53,
  })
  .map(({ storeId, setIds, driveIds, own, createdMs, labelSequence }) => {
    const sets = setIds.map((setId, i) => ({
      setId: setId as SetId,
      data: 3,
      parity: 2,
      drives: driveIds.slice(i * 5, i * 5 + 5) as DriveId[],
    }));
    const set = sets[own % sets.length] as (typeof sets)[number];
    const slotInSet = own % 5;
    return {
      storeId: storeId as StoreId,
      driveId: set.drives[slotInSet] as DriveId,
      setId: set.setId,
      slotInSet,
      createdMs,
      sets,
      labelSequence,
    };
  });

function filled(length: number, write: (target: Uint8Array) => void): Uint8Array {
  const target = new Uint8Array(length).fill(0xff);
  write(target);
  return target;
}

function readFooter(bytes: Uint8Array): { entries: readonly FooterEntry[] } | undefined {
  const trailer = parseTrailer(bytes, bytes.byteLength - trailerBytes);
  const entries = trailer === undefined ? undefined : parseFooter(trailer, bytes.subarray(0, bytes.byteLength - trailerBytes));
  if (entries === undefined) return undefined;
  expect([...iterateFooter(bytes.subarray(0, bytes.byteLength - trailerBytes))]).toEqual(entries);
  return { entries };
}

interface Format<T> {
  readonly name: string;
  readonly value: fc.Arbitrary<T>;
  encode(value: T): Uint8Array;
  parse(bytes: Uint8Array): unknown;
  /** What `parse` gives for intact bytes. */
  expected?(value: T): unknown;
}

/** The formats that carry a checksum: whatever happens to the bytes, the value or nothing comes out. */
const sealed: readonly Format<unknown>[] = [
  define({
    name: "frame header",
    value: frame,
    encode: (value) => filled(128, (to) => writeFrameHeader(to, 0, value)),
    parse: parseFrameHeader,
  }),
  define({ name: "footer", value: footer, encode: encodeFooter, parse: readFooter, expected: ({ entries }) => ({ entries }) }),
  define({
    name: "shard file header",
    value: shardFile,
    encode: (value) => filled(128, (to) => writeShardFileHeader(to, 0, value)),
    parse: parseShardFileHeader,
  }),
  define({
    name: "piece header",
    value: piece,
    encode: (value) =>
      filled(pieceHeaderBytesOf(value.pieceBytes), (to) =>
        writePieceHeader(to, 0, value, new Uint8Array(value.pieceBytes).fill(value.stripe)),
      ),
    parse: parsePieceHeader,
  }),
  define({ name: "state", value: state, encode: encodeState, parse: parseState }),
  define({ name: "retired packs", value: retired, encode: encodeRetired, parse: parseRetired }),
  define({ name: "label", value: label, encode: encodeLabel, parse: damagedIsUndefined(parseLabel, "LABEL_DAMAGED") }),
];

/** The formats that others embed and vouch for. */
const embedded: readonly Format<unknown>[] = [
  define({
    name: "packed location",
    value: packedLocation,
    encode: encodePackedLocation,
    parse: damagedIsUndefined(decodePackedLocation, "FORMAT_DAMAGED"),
  }),
  define({
    name: "blob location",
    value: blobPlace,
    encode: encodeBlobLocation,
    parse: damagedIsUndefined(decodeBlobLocation, "FORMAT_DAMAGED"),
  }),
];

function define<T>(format: Format<T>): Format<unknown> {
  // Each format is only ever given values of its own; the parameter of `parse` for a position stays unused.
  return { ...format, parse: (bytes: Uint8Array) => format.parse(bytes) } as Format<unknown>;
}

function damagedIsUndefined<T>(
  parse: (bytes: Uint8Array) => T,
  code: "LABEL_DAMAGED" | "FORMAT_DAMAGED",
): (bytes: Uint8Array) => T | undefined {
  return (bytes) => {
    try {
      return parse(bytes);
    } catch (error) {
      if (isHoldfastError(error, code)) return undefined;
      throw error;
    }
  };
}

/** One way to spoil bytes. */
const damage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc.oneof(
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => (bytes: Uint8Array) => {
    const spoilt = bytes.slice();
    if (spoilt.byteLength > 0) spoilt[at % spoilt.byteLength] = (spoilt[at % spoilt.byteLength] as number) ^ bits;
    return spoilt;
  }),
  fc.nat().map((at) => (bytes: Uint8Array) => bytes.slice(0, at % (bytes.byteLength + 1))),
  fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 40 })).map(([at, extra]) => (bytes: Uint8Array) => {
    const cut = at % (bytes.byteLength + 1);
    return concatBytes([bytes.subarray(0, cut), extra, bytes.subarray(cut)]);
  }),
  fc.tuple(fc.nat(), fc.nat({ max: 64 })).map(([at, length]) => (bytes: Uint8Array) => {
    const spoilt = bytes.slice();
    const start = at % (bytes.byteLength + 1);
    return spoilt.fill(0, start, start + length);
  }),
);

describe("every format", () => {
  test.each([...sealed, ...embedded])("$name: what is written is read", ({ value, encode, parse, expected }) => {
    fc.assert(
      fc.property(value, (original) => {
        expect(parse(encode(original))).toEqual(expected === undefined ? original : expected(original));
      }),
    );
  });

  test.each(sealed)("$name: damaged bytes give the value or nothing, never another value", ({ value, encode, parse, expected }) => {
    fc.assert(
      fc.property(value, fc.array(damage, { minLength: 1, maxLength: 3 }), (original, damages) => {
        const parsed = parse(damages.reduce((bytes, spoil) => spoil(bytes), encode(original)));
        if (parsed !== undefined) expect(parsed).toEqual(expected === undefined ? original : expected(original));
      }),
      { numRuns: 400 },
    );
  });

  test.each(embedded)("$name: damaged bytes give a value in range or nothing", ({ value, encode, parse }) => {
    fc.assert(
      fc.property(value, fc.array(damage, { minLength: 1, maxLength: 3 }), (original, damages) => {
        const parsed = parse(damages.reduce((bytes, spoil) => spoil(bytes), encode(original)));
        // Encoding asserts every range.
        if (parsed !== undefined) encode(parsed);
      }),
      { numRuns: 400 },
    );
  });

  test.each([...sealed, ...embedded])("$name: arbitrary bytes never throw", ({ parse }) => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parse(bytes)));
  });

  test("records: damaged and arbitrary bytes give records or FORMAT_DAMAGED", () => {
    const parse = damagedIsUndefined(decodeRecords, "FORMAT_DAMAGED");
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parse(bytes)));
  });
});
