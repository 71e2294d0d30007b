import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import type { DriveId, SetId, StoreId } from "../base/ids.ts";
import { InvariantError } from "../base/invariant.ts";
import { writeChecksum } from "../codec/xxh3.ts";
import { type DriveLabel, encodeLabel, type LabelSet, parseLabel } from "./label.ts";

const drives = ["1", "2", "3"].map((digit) => digit.repeat(32) as DriveId);
const setId = "b".repeat(32) as SetId;
const label: DriveLabel = {
  storeId: "a".repeat(32) as StoreId,
  driveId: drives[2] as DriveId,
  setId,
  slotInSet: 2,
  createdMs: 1_700_000_000_000,
  sets: [{ setId, data: 2, parity: 1, drives }],
  labelSequence: 3,
};

/** A label file around any value, with a checksum that fits. */
function fileOf(value: unknown): Uint8Array {
  const map = new Packr({ useRecords: false }).pack(value);
  const bytes = new Uint8Array(12 + map.byteLength + 8);
  bytes.set(encodeLabel(label).subarray(0, 12));
  new DataView(bytes.buffer).setUint32(8, map.byteLength, true);
  bytes.set(map, 12);
  writeChecksum(bytes, bytes.byteLength - 8, bytes.subarray(0, -8));
  return bytes;
}

function isDamaged(bytes: Uint8Array): boolean {
  try {
    parseLabel(bytes);
    return false;
  } catch (error) {
    return isHoldfastError(error, "LABEL_DAMAGED");
  }
}

describe("labels", () => {
  test("a label made by any MessagePack writer is read", () => {
    expect(parseLabel(fileOf(label))).toEqual(label);
  });

  test("fields of a later release are kept and written back", () => {
    const later = { ...label, region: "eu", tiers: [1, 2] };
    const parsed = parseLabel(fileOf(later));
    expect(parsed).toEqual({ ...label, extra: { region: "eu", tiers: [1, 2] } });
    expect(parseLabel(encodeLabel(parsed))).toEqual(parsed);
  });

  test("fields of a later release in a set are ignored", () => {
    const sets = label.sets.map((set) => ({ ...set, weight: 2 }));
    expect(parseLabel(fileOf({ ...label, sets }))).toEqual(label);
  });

  test("a store that changes its shape has a label of version 2, which is read back", () => {
    const more = [...drives, "4".repeat(32) as DriveId, "5".repeat(32) as DriveId];
    const other = "c".repeat(32) as SetId;
    const sets = [
      { setId, data: 2, parity: 1, drives: more, weight: 5, drainingDrives: [2], leftDrives: [0, 4] },
      { setId: other, data: 1, parity: 0, drives: ["6".repeat(32) as DriveId], weight: 0, draining: true },
    ];
    const changing: DriveLabel = { ...label, sets, movingFrom: [{ setId, weight: 3 }], extra: { region: "eu" } };
    expect(encodeLabel(changing)[4]).toBe(2);
    expect(parseLabel(encodeLabel(changing))).toEqual(changing);
    expect(encodeLabel({ ...label, sets: [{ ...(label.sets[0] as LabelSet), drainingDrives: [], leftDrives: [] }] })[4]).toBe(1);
  });

  test.each([
    ["a weight below zero", { weight: -1 }],
    ["a drive that left and is none", { leftDrives: [3] }],
    ["drives that left in disorder", { drives: [...drives, "4".repeat(32) as DriveId, "5".repeat(32) as DriveId], leftDrives: [1, 0] }],
    ["more drives gone than the set can do without", { leftDrives: [0] }],
    ["drives being emptied that are no list", { drainingDrives: 1 }],
  ])("%s is LABEL_DAMAGED", (_, change) => {
    const bytes = fileOf({ ...label, sets: [{ ...label.sets[0], ...change }] });
    bytes[4] = 2;
    writeChecksum(bytes, bytes.byteLength - 8, bytes.subarray(0, -8));
    expect(isDamaged(bytes)).toBe(true);
  });

  test.each([
    ["no map", [1, 2]],
    ["null", null],
    ["an empty map", {}],
    ["a malformed store id", { ...label, storeId: "A".repeat(32) }],
    ["a time that is no number", { ...label, createdMs: "now" }],
    ["a negative sequence", { ...label, labelSequence: -1 }],
    ["sets that are no list", { ...label, sets: { 0: label.sets[0] } }],
    ["a set that is no map", { ...label, sets: [7] }],
    ["drives that are no list", { ...label, sets: [{ setId, data: 2, parity: 1, drives: "1" }] }],
    ["a shape that cannot be", { ...label, sets: [{ setId, data: 2, parity: 5, drives }] }],
    ["too few drives", { ...label, sets: [{ setId, data: 3, parity: 1, drives }] }],
    ["a drive named twice", { ...label, sets: [{ setId, data: 2, parity: 1, drives: [drives[2], drives[2], drives[2]] }] }],
    ["a set that is not among the sets", { ...label, setId: "c".repeat(32) }],
    ["another drive in its place", { ...label, slotInSet: 1 }],
    ["a place that is none", { ...label, slotInSet: 1.5 }],
    ["a place that is text", { ...label, slotInSet: "length" }],
  ])("%s is LABEL_DAMAGED", (_, value) => {
    expect(isDamaged(fileOf(value))).toBe(true);
  });

  test("a file cut short, gone on or empty is LABEL_DAMAGED", () => {
    const bytes = encodeLabel(label);
    for (let length = 0; length < bytes.byteLength; length++) expect(isDamaged(bytes.subarray(0, length))).toBe(true);
    expect(isDamaged(Buffer.concat([bytes, Uint8Array.of(0)]))).toBe(true);
  });

  test("a label that cannot be is never written", () => {
    expect(() => encodeLabel({ ...label, slotInSet: 0 })).toThrow(InvariantError);
    expect(() => encodeLabel({ ...label, sets: [] })).toThrow(InvariantError);
  });
});
