import { describe, expect, it } from "vitest";
import { dataMax, dataMaxWithFourParity } from "../base/limits.ts";
import { createSeededRandom } from "../base/random.ts";
import { inverse, multiply } from "./galois-field.ts";
import { coefficient, coefficients, invertMatrix, type Matrix } from "./matrix.ts";

function product(a: Matrix, b: Matrix): number[][] {
  return a.map((row) => Array.from(b, (_, j) => row.reduce((sum, value, i) => sum ^ multiply(value, b[i]?.[j] as number), 0)));
}

function identity(size: number): number[][] {
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)));
}

/** Every way to choose `count` of 0..n-1. */
function* choices(n: number, count: number, from = 0): Generator<number[]> {
  if (count === 0) yield [];
  else for (let i = from; i <= n - count; i++) for (const rest of choices(n, count - 1, i + 1)) yield [i, ...rest];
}

/** Elimination without the inverse: says only whether there is one, quickly enough for 100,000 matrices. */
function isInvertible(matrix: Matrix): boolean {
  const rows: Uint8Array[] = matrix.map((row) => Uint8Array.from(row));
  for (let c = 0; c < rows.length; c++) {
    const pivot = rows.findIndex((row, at) => at >= c && row[c] !== 0);
    if (pivot < 0) return false;
    [rows[c], rows[pivot]] = [rows[pivot] as Uint8Array, rows[c] as Uint8Array];
    const pivotRow = rows[c] as Uint8Array;
    for (let r = c + 1; r < rows.length; r++) {
      const row = rows[r] as Uint8Array;
      const factor = multiply(row[c] as number, inverse(pivotRow[c] as number));
      for (let j = c; j < rows.length; j++) row[j] = (row[j] as number) ^ multiply(factor, pivotRow[j] as number);
    }
  }
  return true;
}

function singularParts(dataShards: number, parityRows: number): number {
  let singular = 0;
  for (let size = 1; size <= Math.min(parityRows, dataShards); size++) {
    for (const rows of choices(parityRows, size)) {
      for (const columns of choices(dataShards, size)) if (!isInvertible(coefficients(rows, columns))) singular++;
    }
  }
  return singular;
}

describe("matrices", () => {
  it("invert what can be inverted and refuse the rest", () => {
    const random = createSeededRandom(7);
    let inverted = 0;
    for (let round = 0; round < 300; round++) {
      const size = 1 + random.below(6);
      const matrix = Array.from({ length: size }, () => random.bytes(size));
      const before = matrix.map((row) => [...row]);
      const result = invertMatrix(matrix);
      expect(result !== undefined).toBe(isInvertible(matrix));
      expect(matrix.map((row) => [...row])).toEqual(before);
      if (result === undefined) continue;
      inverted++;
      expect(product(matrix, result)).toEqual(identity(size));
    }
    expect(inverted).toBeGreaterThan(200);
    expect(invertMatrix([Uint8Array.of(3, 6), Uint8Array.of(1, 2)])).toBeUndefined();
    expect(invertMatrix([Uint8Array.of(0, 1), Uint8Array.of(1, 0)])).toBeDefined();
  });

  it("has the coefficients the stored format names", () => {
    const row = (r: number): number[] => [0, 1, 2, 3, 8].map((j) => coefficient(r, j));
    expect(row(0)).toEqual([1, 1, 1, 1, 1]);
    expect(row(1)).toEqual([0x01, 0x02, 0x04, 0x08, 0x1d]);
    expect(row(2)).toEqual([0x01, 0x8e, 0x47, 0xad, inverse(0x1d)]);
    expect(row(3)).toEqual([0x01, 0x04, 0x10, 0x40, 0x4c]);
    expect(() => coefficient(4, 0)).toThrow("invariant");
  });

  it("gives a code in which any k shards are enough (MDS), up to its limits", () => {
    expect(singularParts(dataMax, 3)).toBe(0);
    expect(singularParts(dataMaxWithFourParity, 4)).toBe(0);
    expect(singularParts(dataMaxWithFourParity + 1, 4)).toBeGreaterThan(0);
  });
});
