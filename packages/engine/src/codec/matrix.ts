/**
 * Matrices over GF(2^8): the code's coefficients and the equations that recover lost shards.
 *
 * Parity row r gives data shard j the coefficient g^(e_r·j), with e = 0, 1, -1, 2. Any square part of that matrix is invertible
 * for k ≤ 60 with m ≤ 3 and for k ≤ 21 with m = 4 (checked exhaustively by the tests), so any k shards give back the rest.
 */
import { invariant } from "../base/invariant.ts";
import { generatorPower, inverse, multiply } from "./galois-field.ts";

/** Rows of field elements. */
export type Matrix = readonly Uint8Array[];

/** e_r: what parity row r raises g to, per data shard. Part of the stored format. */
export const rowExponents = [0, 1, -1, 2] as const;

/** The coefficient of data shard `column` in parity row `row`. */
export function coefficient(row: number, column: number): number {
  const exponent = rowExponents[row];
  invariant(exponent !== undefined, "a parity row is one of the code's four");
  return generatorPower(exponent * column);
}

/** The coefficients of the given parity rows at the given data shards. */
export function coefficients(rows: readonly number[], columns: readonly number[]): Matrix {
  return rows.map((row) => Uint8Array.from(columns, (column) => coefficient(row, column)));
}

/** The inverse of a square matrix, or undefined when it has none (Gauss-Jordan elimination). */
export function invertMatrix(matrix: Matrix): Matrix | undefined {
  const size = matrix.length;
  // Each row carries the matrix on its left and what becomes the inverse on its right.
  const rows: Uint8Array[] = matrix.map((row, at) => {
    const wide = new Uint8Array(2 * size);
    wide.set(row);
    wide[size + at] = 1;
    return wide;
  });
  for (let column = 0; column < size; column++) {
    const pivot = rows.findIndex((row, at) => at >= column && row[column] !== 0);
    if (pivot < 0) return undefined;
    const pivotRow = rows[pivot] as Uint8Array;
    rows[pivot] = rows[column] as Uint8Array;
    rows[column] = pivotRow;
    scaleRow(pivotRow, inverse(pivotRow[column] as number));
    for (const row of rows) {
      if (row !== pivotRow) addScaledRow(row, pivotRow, row[column] as number);
    }
  }
  return rows.map((row) => row.slice(size));
}

function scaleRow(row: Uint8Array, factor: number): void {
  for (let i = 0; i < row.length; i++) row[i] = multiply(row[i] as number, factor);
}

function addScaledRow(row: Uint8Array, other: Uint8Array, factor: number): void {
  if (factor === 0) return;
  for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) ^ multiply(other[i] as number, factor);
}
