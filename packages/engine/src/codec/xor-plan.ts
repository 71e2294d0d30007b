/**
 * Multiplying planes by a small matrix takes only XORs, many of which share parts. The greedy method of Christof Paar ("Optimized
 * arithmetic for Reed-Solomon encoders", 1997) finds the shared parts: as long as two terms occur together in two or more outputs,
 * the pair that does so most often becomes a term of its own.
 */
import { invariant } from "../base/invariant.ts";
import { multiply } from "./galois-field.ts";
import type { Matrix } from "./matrix.ts";

/** A straight-line program: terms 0..inputs-1 are given, every temporary is one XOR of two earlier terms. */
export interface XorPlan {
  /** Input 8·j + b is plane b of column j. */
  readonly inputs: number;
  readonly temporaries: readonly (readonly [number, number])[];
  /** Output 8·i + b, plane b of row i, is the XOR of these terms. */
  readonly outputs: readonly (readonly number[])[];
}

/** Plans the product of a matrix of at most four rows with a vector of symbols. */
export function planXors(matrix: Matrix): XorPlan {
  invariant(matrix.length >= 1 && matrix.length <= 4, "the outputs of a plan fit the 32 bits of a mask");
  const masks = inputMasks(matrix);
  const inputs = masks.length;
  const temporaries: [number, number][] = [];
  const pairs = new PairCounts(masks);
  for (;;) {
    const pair = pairs.mostFrequent();
    if (pair === undefined) break;
    const [a, b] = pair;
    const both = (masks[a] as number) & (masks[b] as number);
    masks[a] = (masks[a] as number) & ~both;
    masks[b] = (masks[b] as number) & ~both;
    masks.push(both);
    temporaries.push(pair);
    pairs.recount(a, b, masks.length - 1);
  }
  const outputs = Array.from({ length: 8 * matrix.length }, (_, output) => {
    return [...masks.keys()].filter((term) => (((masks[term] as number) >>> output) & 1) === 1);
  });
  return { inputs, temporaries, outputs };
}

/** For every input, the outputs it is part of, one bit each: a column of the matrix written in bits. */
function inputMasks(matrix: Matrix): number[] {
  const masks: number[] = [];
  for (let column = 0; column < (matrix[0] as Uint8Array).length; column++) {
    for (let plane = 0; plane < 8; plane++) {
      masks.push(matrix.reduce((mask, row, i) => mask | (multiply(row[column] as number, 1 << plane) << (8 * i)), 0));
    }
  }
  return masks;
}

/** How many outputs each pair of terms has in common; only what a step changed is counted again. */
class PairCounts {
  readonly #masks: readonly number[];
  /** counts[a][b] for b < a. */
  readonly #counts: Uint8Array[] = [];

  constructor(masks: readonly number[]) {
    this.#masks = masks;
    for (let term = 0; term < masks.length; term++) this.#countAll(term);
  }

  recount(...terms: readonly number[]): void {
    for (const term of terms) this.#countAll(term);
  }

  #countAll(term: number): void {
    const mask = this.#masks[term] as number;
    const row = Uint8Array.from({ length: term }, (_, other) => countBits(mask & (this.#masks[other] as number)));
    this.#counts[term] = row;
    for (let other = term + 1; other < this.#counts.length; other++) {
      (this.#counts[other] as Uint8Array)[term] = countBits(mask & (this.#masks[other] as number));
    }
  }

  mostFrequent(): [number, number] | undefined {
    let best: [number, number] | undefined;
    let most = 1;
    for (let a = 1; a < this.#counts.length; a++) {
      const row = this.#counts[a] as Uint8Array;
      for (let b = 0; b < a; b++) {
        if ((row[b] as number) <= most) continue;
        most = row[b] as number;
        best = [b, a];
      }
    }
    return best;
  }
}

function countBits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
