import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../base/random.ts";
import { multiply } from "./galois-field.ts";
import { coefficients, invertMatrix, type Matrix } from "./matrix.ts";
import { planXors, type XorPlan } from "./xor-plan.ts";

/** Runs a plan on symbols, bit by bit. */
function runPlan(plan: XorPlan, symbols: Uint8Array): Uint8Array {
  const terms = Array.from({ length: plan.inputs }, (_, input) => ((symbols[input >> 3] as number) >> (input & 7)) & 1);
  for (const [a, b] of plan.temporaries) terms.push((terms[a] as number) ^ (terms[b] as number));
  const result = new Uint8Array(plan.outputs.length / 8);
  for (const [output, parts] of plan.outputs.entries()) {
    const bit = parts.reduce((sum, term) => sum ^ (terms[term] as number), 0);
    result[output >> 3] = (result[output >> 3] as number) | (bit << (output & 7));
  }
  return result;
}

function xorCount(plan: XorPlan): number {
  return plan.temporaries.length + plan.outputs.reduce((sum, terms) => sum + Math.max(0, terms.length - 1), 0);
}

describe("XOR plans", () => {
  it("compute the product with the matrix", () => {
    const random = createSeededRandom(21);
    for (let round = 0; round < 40; round++) {
      const matrix: Matrix = Array.from({ length: 1 + random.below(4) }, () => random.bytes(1 + (round % 4)));
      const plan = planXors(matrix);
      for (let i = 0; i < 10; i++) {
        const symbols = random.bytes(1 + (round % 4));
        const expected = matrix.map((row) => row.reduce((sum, factor, j) => sum ^ multiply(factor, symbols[j] as number), 0));
        expect([...runPlan(plan, symbols)]).toEqual(expected);
      }
    }
  });

  it("copy where the matrix is one, and share what can be shared", () => {
    expect(planXors([Uint8Array.of(1)])).toEqual({ inputs: 8, temporaries: [], outputs: [[0], [1], [2], [3], [4], [5], [6], [7]] });
    const solution = invertMatrix(coefficients([0, 1, 2, 3], [0, 1, 2, 3])) as Matrix;
    const plain = solution.reduce((sum, row) => sum + [...row].reduce((ones, factor) => ones + onesOf(factor), 0), -32);
    expect(xorCount(planXors(solution))).toBeLessThan(plain * 0.6);
  });
});

/** Ones in the bit matrix that multiplies by a factor. */
function onesOf(factor: number): number {
  let ones = 0;
  for (let b = 0; b < 8; b++) for (let rest = multiply(factor, 1 << b); rest > 0; rest >>= 1) ones += rest & 1;
  return ones;
}
