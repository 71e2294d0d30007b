import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { createSetChooser, negativeLog2 } from "./choose-set.ts";
import { murmur3 } from "./key-hash.ts";

const keys = Array.from({ length: 40_000 }, (_, number) => utf8(`photos/2026/${number}.jpg`));
const share = (chosen: readonly string[], id: string): number => chosen.filter((other) => other === id).length / chosen.length;
const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 });
const setsOf = (of: readonly number[]) => of.map((weight, number) => ({ id: `set-${number}`, weight }));
const total = (of: readonly number[]): number => of.reduce((sum, weight) => sum + weight, 0);

describe("murmur3", () => {
  it.each([
    ["", 0, 0],
    ["", 1, 0x514e28b7],
    ["test", 0, 0xba6bd213],
    ["hello", 0, 0x248bfa47],
    ["hello, world", 0, 0x149bbb7f],
    ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
  ])("has the published value of %j with seed %i", (text, seed, expected) => {
    expect(murmur3(utf8(text), seed)).toBe(expected);
  });
});

describe("negativeLog2", () => {
  it("agrees with the library's logarithm", () => {
    fc.assert(
      fc.property(fc.double({ min: 2 ** -53, max: 1 - 2 ** -53, noNaN: true }), (fraction) => {
        const value = negativeLog2(fraction);
        expect(value).toBeGreaterThan(0);
        expect(Math.abs(value + Math.log2(fraction))).toBeLessThan(2 ** -32);
      }),
    );
  });
});

describe("createSetChooser", () => {
  it("gives each set its share of the keys", () => {
    fc.assert(
      fc.property(weights, (of) => {
        const choose = createSetChooser(setsOf(of));
        const chosen = keys.map((key) => choose(key).id);
        // Five standard deviations of the share of a fair draw.
        for (const { id, weight } of setsOf(of)) {
          const fair = weight / total(of);
          expect(Math.abs(share(chosen, id) - fair)).toBeLessThanOrEqual(5 * Math.sqrt((fair * (1 - fair)) / keys.length));
        }
      }),
      { numRuns: 8 },
    );
  });

  it("moves only the keys a new set takes, and takes them in proportion to its weight", () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 20 }), (of, added) => {
        const before = createSetChooser(setsOf(of));
        const after = createSetChooser([...setsOf(of), { id: "new", weight: added }]);
        const moved = keys.filter((key) => before(key).id !== after(key).id);
        expect(moved.every((key) => after(key).id === "new")).toBe(true);
        const fair = added / (total(of) + added);
        expect(Math.abs(moved.length / keys.length - fair)).toBeLessThan(5 * Math.sqrt((fair * (1 - fair)) / keys.length));
      }),
      { numRuns: 8 },
    );
  });

  it("moves keys only towards a set that has gained weight", () => {
    const before = createSetChooser(setsOf([3, 3, 3]));
    const after = createSetChooser(setsOf([3, 4, 3]));
    const moved = keys.filter((key) => before(key).id !== after(key).id);
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.every((key) => after(key).id === "set-1")).toBe(true);
  });

  it("does not depend on the order or the unit of what it is given", () => {
    const sets = setsOf([1, 2, 3, 4]);
    const [one, other] = [
      createSetChooser(sets),
      createSetChooser(sets.map(({ id, weight }) => ({ id, weight: weight * 2 ** 40 })).reverse()),
    ];
    for (const key of keys.slice(0, 2000)) expect(other(key).id).toBe(one(key).id);
  });

  it("chooses as it always has", () => {
    const choose = createSetChooser([
      { id: "00000000000000000000000000000000", weight: 1 },
      { id: "11111111111111111111111111111111", weight: 1 },
      { id: "22222222222222222222222222222222", weight: 2.5 },
    ]);
    const golden = ["", "a", "b", "photos/cat.jpg", "photos/dog.jpg", "0", "1", "2", "3", "ключ", "🦊", "x".repeat(1024)];
    expect(golden.map((key) => choose(utf8(key)).id[0]).join("")).toBe("020202120202");
    expect(negativeLog2(0.3)).toBe(1.7369655941729434);
  });
});
