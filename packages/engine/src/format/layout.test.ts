import { describe, expect, test } from "vitest";
import { InvariantError } from "../base/invariant.ts";
import { driveOfSlot, drivesOfMask, isLayout, isShape, maskOfDrives, noSlot, participants, slotOfDrive } from "./layout.ts";

const layout = { data: 3, parity: 2, drives: maskOfDrives([63, 1, 31, 32, 40]), rotation: 2 };

describe("layout", () => {
  test("drives of a mask are in ascending order, whatever the bits", () => {
    expect(participants(layout)).toEqual([1, 31, 32, 40, 63]);
    expect(drivesOfMask(0n)).toEqual([]);
    expect(drivesOfMask((1n << 64n) - 1n)).toEqual(Array.from({ length: 64 }, (_, drive) => drive));
  });

  test("slots go round from the rotation, and back", () => {
    expect([0, 1, 2, 3, 4].map((slot) => driveOfSlot(layout, slot))).toEqual([32, 40, 63, 1, 31]);
    for (let slot = 0; slot < 5; slot++) expect(slotOfDrive(layout, driveOfSlot(layout, slot))).toBe(slot);
    expect(slotOfDrive(layout, 2)).toBe(noSlot);
    expect(() => driveOfSlot(layout, 5)).toThrow(InvariantError);
  });

  test("more masks than are remembered give the same answers", () => {
    for (let bits = 1; bits < 3_000; bits++) {
      const drives = drivesOfMask(BigInt(bits) << 20n);
      expect(maskOfDrives(drives)).toBe(BigInt(bits) << 20n);
    }
  });

  test("only shapes the code knows are layouts", () => {
    expect([
      isShape(1, 0),
      isShape(60, 3),
      isShape(21, 4),
      isShape(60, 4),
      isShape(61, 0),
      isShape(22, 4),
      isShape(0, 1),
      isShape(2, 5),
    ]).toEqual([true, true, true, false, false, false, false, false]);
    expect(isLayout(layout)).toBe(true);
    expect(isLayout({ ...layout, rotation: 5 })).toBe(false);
    expect(isLayout({ ...layout, parity: 1 })).toBe(false);
    expect(isLayout({ ...layout, drives: -1n })).toBe(false);
    expect(isLayout({ ...layout, drives: layout.drives | (1n << 64n) })).toBe(false);
  });
});
