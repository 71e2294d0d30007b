/**
 * The inner loop of XXH3 for long inputs, as vector code: eight accumulators of 64 bits, two to a vector, kept in locals between
 * `read` and `write`.
 */
import { lanesAt, secretAt } from "./wasm-arena.ts";
import { type Code, type FunctionBuilder, i32, join, type Local, v128, valueType } from "./wasm-encoder.ts";
import { prime32x1, secretOfScramble } from "./xxh3-constants.ts";

const even = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const odd = [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31];
const swapped = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];

/** Emits the rounds of stripes and scrambles over the eight 64-bit accumulators, two to a vector. */
export class LaneCode {
  readonly #f: FunctionBuilder;
  readonly #lanes: Local[];
  readonly #data: readonly [Local, Local];
  readonly #keyed: readonly [Local, Local];
  readonly #evens: Local;
  readonly #odds: Local;

  constructor(f: FunctionBuilder) {
    this.#f = f;
    this.#lanes = f.locals(valueType.v128, 4);
    this.#data = [f.local(valueType.v128), f.local(valueType.v128)];
    this.#keyed = [f.local(valueType.v128), f.local(valueType.v128)];
    this.#evens = f.local(valueType.v128);
    this.#odds = f.local(valueType.v128);
  }

  read(): void {
    for (const [i, lane] of this.#lanes.entries()) this.#f.emit(lane.set(v128.load(i32.constant(0), lanesAt + 16 * i)));
  }

  write(): void {
    for (const [i, lane] of this.#lanes.entries()) this.#f.emit(v128.store(i32.constant(0), lane.get, lanesAt + 16 * i));
  }

  /** Every lane takes the product of the halves of its keyed input, and its neighbour's input. */
  stripe(input: Code, inputOffset: number, keys: Code, keyOffset: number): Code {
    const code: Code[] = [];
    const [dataA, dataB] = this.#data;
    const [keyedA, keyedB] = this.#keyed;
    for (let i = 0; i < 4; i += 2) {
      const laneA = this.#lanes[i] as Local;
      const laneB = this.#lanes[i + 1] as Local;
      const keyed = (data: Local, at: number): Code =>
        v128.xor(data.tee(v128.load(input, inputOffset + at)), v128.load(keys, secretAt + keyOffset + at));
      const added = (lane: Local, data: Local, product: Code): Code =>
        lane.set(v128.add64(v128.add64(lane.get, v128.shuffle(data.get, data.get, swapped)), product));
      code.push(
        keyedA.set(keyed(dataA, 16 * i)),
        keyedB.set(keyed(dataB, 16 * i + 16)),
        this.#evens.set(v128.shuffle(keyedA.get, keyedB.get, even)),
        this.#odds.set(v128.shuffle(keyedA.get, keyedB.get, odd)),
        added(laneA, dataA, v128.multiplyLow32(this.#evens.get, this.#odds.get)),
        added(laneB, dataB, v128.multiplyHigh32(this.#evens.get, this.#odds.get)),
      );
    }
    return join(...code);
  }

  /** lane = (lane ^ lane >> 47 ^ key) · prime; the 64-bit product with a 32-bit prime from two of 32 bits. */
  scramble(): Code {
    const code: Code[] = [];
    const prime = v128.constant(new Uint8Array(Uint32Array.from({ length: 4 }, () => Number(prime32x1)).buffer));
    const [mixed] = this.#keyed;
    for (const [i, lane] of this.#lanes.entries()) {
      const shifted = v128.xor(lane.get, v128.shiftRight64(lane.get, i32.constant(47)));
      const keys = v128.load(i32.constant(0), secretAt + secretOfScramble + 16 * i);
      const low = v128.multiplyLow32(v128.shuffle(mixed.get, mixed.get, even), prime);
      const high = v128.multiplyLow32(v128.shuffle(mixed.get, mixed.get, odd), prime);
      code.push(mixed.set(v128.xor(shifted, keys)), lane.set(v128.add64(low, v128.shiftLeft64(high, i32.constant(32)))));
    }
    return join(...code);
  }
}
