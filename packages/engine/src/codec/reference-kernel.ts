/**
 * The coding kernel in plain TypeScript: the fallback where WebAssembly is absent, and what the generated kernel is tested against.
 *
 * Every output shard is a sum of coefficients times source shards. Planes make multiplication by g three XORs of whole words, so a
 * sum is evaluated by Horner's rule over the bits of the coefficients: from bit 7 down, multiply the accumulator by g and add the
 * sources whose coefficient has that bit. One routine thus serves encoding and every loss pattern.
 */
import { equalBytes } from "../base/bytes.ts";
import { invariant } from "../base/invariant.ts";
import { unitBytes } from "../base/limits.ts";
import { multiply } from "./galois-field.ts";
import type { CodeKernel, CodeShape } from "./kernel.ts";
import { coefficient, coefficients, invertMatrix } from "./matrix.ts";
import { checkEncoding, checkShape, checkShards, planRecovery, type RecoveryPlan } from "./shape.ts";

/** In a sum's steps: multiply the accumulator by g. Other steps name the source to add. */
const multiplyByGenerator = -1;
/** Shards are verified in pieces of this size, which bounds the memory it takes. */
const verifyPieceBytes = 16 * 1024;

type Words = Int32Array | Uint8Array;

/** The kernel in plain TypeScript. */
export const referenceKernel: CodeKernel = {
  name: "reference",

  encode(shape, data, parity) {
    checkEncoding(shape, data, parity);
    parity.forEach((target, row) => {
      sumShards(encodingRow(shape, row), data, target);
    });
  },

  verify(shape, shards) {
    checkShape(shape);
    const length = checkShards(shards, shape.data + shape.parity, "verification takes k + m shards");
    const scratch = new Uint8Array(Math.min(length, verifyPieceBytes));
    for (let start = 0; start < length; start += verifyPieceBytes) {
      const pieces = shards.map((shard) => shard.subarray(start, start + verifyPieceBytes));
      const data = pieces.slice(0, shape.data);
      for (let row = 0; row < shape.parity; row++) {
        const given = pieces[shape.data + row] as Uint8Array;
        const computed = scratch.subarray(0, given.byteLength);
        sumShards(encodingRow(shape, row), data, computed);
        if (!equalBytes(computed, given)) return false;
      }
    }
    return true;
  },

  reconstruct(shape, shards, wanted) {
    const plan = planRecovery(shape, shards, wanted);
    const survivors = survivorsOf(shape, plan);
    const sources = survivors.map((index) => shards[index] as Uint8Array);
    const rows = recoveryRows(shape, plan, survivors);
    for (const [index, target] of wanted) {
      const row = index < shape.data ? (rows[index] as Uint8Array) : reencodingRow(shape, index - shape.data, rows);
      sumShards(row, sources, target);
    }
  },
};

function encodingRow(shape: CodeShape, row: number): Uint8Array {
  return Uint8Array.from({ length: shape.data }, (_, j) => coefficient(row, j));
}

/** The k shards everything is computed from: the data that is there, then the parity used as equations. */
function survivorsOf(shape: CodeShape, plan: RecoveryPlan): number[] {
  const data = Array.from({ length: shape.data }, (_, j) => j).filter((j) => !plan.unknowns.includes(j));
  return [...data, ...plan.equations.map((row) => shape.data + row)];
}

/**
 * For every data shard, its coefficients over the survivors. Equation r says: parity_r + Σ present c_rj·data_j = Σ unknown c_rj·data_j;
 * the inverse of the unknowns' coefficients turns the left sides into the unknowns.
 */
function recoveryRows(shape: CodeShape, plan: RecoveryPlan, survivors: readonly number[]): Uint8Array[] {
  const solution = invertMatrix(coefficients(plan.equations, plan.unknowns));
  invariant(solution !== undefined, "the equations of any lost shards can be solved");
  return Array.from({ length: shape.data }, (_, index) => {
    const unknown = plan.unknowns.indexOf(index);
    if (unknown < 0) return Uint8Array.from(survivors, (survivor) => (survivor === index ? 1 : 0));
    const weights = solution[unknown] as Uint8Array;
    return Uint8Array.from(survivors, (survivor) => {
      if (survivor >= shape.data) return weights[plan.equations.indexOf(survivor - shape.data)] as number;
      return plan.equations.reduce((sum, row, at) => sum ^ multiply(weights[at] as number, coefficient(row, survivor)), 0);
    });
  });
}

/** A parity row's coefficients over the survivors, given those of all data shards. */
function reencodingRow(shape: CodeShape, row: number, dataRows: readonly Uint8Array[]): Uint8Array {
  const sum = new Uint8Array(shape.data);
  dataRows.forEach((dataRow, j) => {
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) ^ multiply(coefficient(row, j), dataRow[i] as number);
  });
  return sum;
}

/** target = Σ row[i]·sources[i]. All have one length; the target overlaps no source. */
function sumShards(row: Uint8Array, sources: readonly Uint8Array[], target: Uint8Array): void {
  const steps = hornerSteps(row);
  const aligned = target.byteOffset % 4 === 0 && sources.every((source) => source.byteOffset % 4 === 0);
  const view = aligned ? wordsOf : (bytes: Uint8Array): Words => bytes;
  runSteps(steps, sources.map(view), view(target), aligned ? 4 : 16);
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function hornerSteps(row: Uint8Array): Int32Array {
  const steps: number[] = [];
  for (let bit = 7; bit >= 0; bit--) {
    if (steps.length > 0) steps.push(multiplyByGenerator);
    row.forEach((factor, source) => {
      if (((factor >> bit) & 1) === 1) steps.push(source);
    });
  }
  return Int32Array.from(steps);
}

/** Runs the steps for every word of a plane, of every unit. XOR takes words in any byte order. */
function runSteps(steps: Int32Array, sources: readonly Words[], target: Words, planeWords: number): void {
  const unitWords = planeWords * 8;
  invariant(target.byteLength % unitBytes === 0, "a shard is a whole number of 128-byte units");
  for (let unit = 0; unit < target.length; unit += unitWords) {
    for (let word = unit; word < unit + planeWords; word++) sumWord(steps, sources, target, word, planeWords);
  }
}

/** One word of all eight planes; `p` is the distance between planes. */
function sumWord(steps: Int32Array, sources: readonly Words[], target: Words, word: number, p: number): void {
  let a0 = 0;
  let a1 = 0;
  let a2 = 0;
  let a3 = 0;
  let a4 = 0;
  let a5 = 0;
  let a6 = 0;
  let a7 = 0;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as number;
    if (step === multiplyByGenerator) {
      // x^8 = x^4 + x^3 + x^2 + 1: the top plane comes back in at 0, 2, 3 and 4.
      const top = a7;
      a7 = a6;
      a6 = a5;
      a5 = a4;
      a4 = a3 ^ top;
      a3 = a2 ^ top;
      a2 = a1 ^ top;
      a1 = a0;
      a0 = top;
      continue;
    }
    const source = sources[step] as Words;
    a0 ^= source[word] as number;
    a1 ^= source[word + p] as number;
    a2 ^= source[word + 2 * p] as number;
    a3 ^= source[word + 3 * p] as number;
    a4 ^= source[word + 4 * p] as number;
    a5 ^= source[word + 5 * p] as number;
    a6 ^= source[word + 6 * p] as number;
    a7 ^= source[word + 7 * p] as number;
  }
  target[word] = a0;
  target[word + p] = a1;
  target[word + 2 * p] = a2;
  target[word + 3 * p] = a3;
  target[word + 4 * p] = a4;
  target[word + 5 * p] = a5;
  target[word + 6 * p] = a6;
  target[word + 7 * p] = a7;
}
