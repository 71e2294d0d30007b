/**
 * The generated kernels: straight-line WebAssembly for one shape, or one pattern of losses. A program works on the arena's slots (data
 * shard j in slot j, parity row r in slot k + r) and runs over them unit by unit: 128 bytes, 8 planes of 16.
 *
 * A parity row is a Horner chain over the data shards from the last to the first: multiply by g^e, add the shard. Multiplying by g
 * renames the planes and costs three XORs. Rows 0 and 1 share their loads: six planes of row 0 ride along while row 1 is summed,
 * which is what fits 16 vector registers; the other two take a pass of their own.
 *
 * Lost data is solved from syndromes. The same chain over the data that is there, plus the parity itself, gives for each equation
 * Σ g^(e·j)·lost_j; the inverse of those coefficients, as planned XORs, gives the lost shards.
 *
 * Older V8 (before 13) moves all loads of a unit ahead of the XORs and then runs out of registers. The fence, a branch never taken
 * that would clear the accumulators, holds them in place. It changes no byte of the result.
 */
import { invariant } from "../base/invariant.ts";
import { unitBytes } from "../base/limits.ts";
import { coefficients, invertMatrix, rowExponents } from "./matrix.ts";
import { arenaPages, scratchAt, slotAt, zeroWordAt } from "./wasm-arena.ts";
import { type Code, encodeModule, FunctionBuilder, i32, join, type Local, repeatWhile, v128, valueType, when } from "./wasm-encoder.ts";
import { planXors, type XorPlan } from "./xor-plan.ts";

const planeBytes = unitBytes / 8;
/** Planes of row 0 that are summed together with row 1. */
const sharedPlanes = 6;
const planeNumbers = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** The locals that hold the planes of a symbol: plane b in planes[b]. */
type Planes = readonly Local[];

/** Which rows a program computes, and from what. */
interface RowSums {
  readonly rows: readonly number[];
  /** Which data shards are there. */
  readonly present: readonly boolean[];
  /** True when the rows' own parity shards are added, which makes syndromes. */
  readonly syndromes: boolean;
}

/** What a program exports: `run(bytes)` works on that many bytes of every slot, at least one unit. */
export interface KernelProgram {
  run(bytes: number): void;
}

/** The module that computes the given parity rows from all k data shards. */
export function encodeEncoder(data: number, rows: readonly number[], fence: boolean): Uint8Array<ArrayBuffer> {
  const unit = new UnitCode(data, fence);
  const present = new Array<boolean>(data).fill(true);
  unit.sumRows({ rows, present, syndromes: false }, (row, planes) => unit.store(data + row, planes));
  return unit.encode();
}

/** Lost data shards and how to get them back. */
export interface SolverOptions {
  readonly data: number;
  /** The data shards that are missing. */
  readonly unknowns: readonly number[];
  /** As many parity rows. */
  readonly equations: readonly number[];
  /** The unknowns to compute. */
  readonly wanted: readonly number[];
}

/** The module that computes wanted missing data shards from the other data shards and the equations' parity shards. */
export function encodeSolver(options: SolverOptions, fence: boolean): Uint8Array<ArrayBuffer> {
  const { data, unknowns, equations, wanted } = options;
  const inverse = invertMatrix(coefficients(equations, unknowns));
  invariant(inverse !== undefined, "the equations of any lost shards can be solved");
  const unit = new UnitCode(data, fence);
  const present = Array.from({ length: data }, (_, j) => !unknowns.includes(j));
  const sums = { rows: equations, present, syndromes: true };
  const matrix = wanted.map((shard) => inverse[unknowns.indexOf(shard)] as Uint8Array);
  if (unknowns.length === 1) {
    unit.sumRows(sums, (_, planes) => {
      if (matrix[0]?.[0] === 1) unit.store(wanted[0] as number, planes);
      else unit.runPlan(planXors(matrix), wanted, (input) => (planes[input] as Local).get);
    });
  } else {
    unit.sumRows(sums, (row, planes) => unit.storeScratch(equations.indexOf(row), planes));
    unit.runPlan(planXors(matrix), wanted, (input) => unit.loadScratch(input));
  }
  return unit.encode();
}

/** The code of one unit, inside the loop over all of them. */
class UnitCode {
  readonly #f = new FunctionBuilder([valueType.i32]);
  readonly #length = this.#f.parameters[0] as Local;
  readonly #offset = this.#f.local(valueType.i32);
  readonly #never = this.#f.local(valueType.i32);
  readonly #loaded = this.#f.local(valueType.v128);
  readonly #first = this.#f.locals(valueType.v128, 8);
  readonly #second = this.#f.locals(valueType.v128, sharedPlanes);
  readonly #code: Code[] = [];
  readonly #data: number;
  readonly #fence: boolean;

  constructor(data: number, fence: boolean) {
    this.#data = data;
    this.#fence = fence;
  }

  encode(): Uint8Array<ArrayBuffer> {
    if (this.#fence) this.#f.emit(this.#never.set(i32.load(i32.constant(0), zeroWordAt)));
    const next = this.#offset.tee(i32.add(this.#offset.get, i32.constant(unitBytes)));
    this.#f.emit(repeatWhile(i32.isBelow(next, this.#length.get), ...this.#code));
    return encodeModule({ memoryPages: arenaPages, functions: [this.#f], exports: { run: 0 } });
  }

  /** Computes the rows, rows 0 and 1 together, and hands each to `sink`, which must store or use it up at once. */
  sumRows(sums: RowSums, sink: (row: number, planes: Planes) => void): void {
    const shared = sums.rows.includes(0) && sums.rows.includes(1) && sums.present.includes(true);
    if (shared) this.#sumRows0And1(sums, sink);
    for (const row of sums.rows) if (!shared || row > 1) sink(row, this.#sumRow(row, sums));
  }

  store(shard: number, planes: Planes): void {
    for (const b of planeNumbers) this.#emit(v128.store(this.#offset.get, (planes[b] as Local).get, slotAt(shard) + planeBytes * b));
  }

  storeScratch(equation: number, planes: Planes): void {
    for (const b of planeNumbers) this.#emit(v128.store(i32.constant(0), (planes[b] as Local).get, scratchOf(8 * equation + b)));
  }

  loadScratch(input: number): Code {
    return v128.load(i32.constant(0), scratchOf(input));
  }

  /** Computes the plan's outputs into the wanted shards; temporaries come as late as they can, so that few are alive at a time. */
  runPlan(plan: XorPlan, wanted: readonly number[], input: (index: number) => Code): void {
    const temporaries = new Map<number, Local>();
    const compute = (term: number): Code => {
      if (term < plan.inputs) return input(term);
      const known = temporaries.get(term);
      if (known !== undefined) return known.get;
      const [a, b] = plan.temporaries[term - plan.inputs] as readonly [number, number];
      const local = this.#f.local(valueType.v128);
      const value = v128.xor(compute(a), compute(b));
      this.#emit(local.set(value));
      temporaries.set(term, local);
      return local.get;
    };
    for (const [output, terms] of plan.outputs.entries()) {
      const value = terms.map(compute).reduce(v128.xor);
      const slot = slotAt(wanted[output >> 3] as number);
      this.#emit(v128.store(this.#offset.get, value, slot + planeBytes * (output & 7)));
    }
  }

  #emit(code: Code): void {
    this.#code.push(code);
  }

  #load(shard: number, plane: number): Code {
    return v128.load(this.#offset.get, slotAt(shard) + planeBytes * plane);
  }

  /** accumulator += value, or = value where it is the first. */
  #add(accumulator: Local, value: Code, isFirst: boolean): void {
    this.#emit(accumulator.set(isFirst ? value : v128.xor(accumulator.get, value)));
  }

  #sumRow(row: number, sums: RowSums): Planes {
    let planes: Planes = this.#first;
    let isFirst = true;
    const addShard = (shard: number): void => {
      for (const b of planeNumbers) this.#add(planes[b] as Local, this.#load(shard, b), isFirst);
      isFirst = false;
      this.#holdInPlace(planes);
    };
    for (let j = this.#data - 1; j >= 0; j--) {
      if (!isFirst) planes = this.#multiply(planes, rowExponents[row] as number);
      if (sums.present[j]) addShard(j);
    }
    if (sums.syndromes) addShard(this.#data + row);
    return planes;
  }

  #sumRows0And1(sums: RowSums, sink: (row: number, planes: Planes) => void): void {
    let planes: Planes = this.#first;
    let isFirst = true;
    for (let j = this.#data - 1; j >= 0; j--) {
      if (!isFirst) planes = this.#multiply(planes, 1);
      if (!sums.present[j]) continue;
      for (const b of planeNumbers) this.#addToBoth(planes[b] as Local, this.#second[b], this.#load(j, b), isFirst);
      isFirst = false;
      this.#holdInPlace([...planes, ...this.#second]);
    }
    if (sums.syndromes) {
      for (const b of planeNumbers) this.#add(planes[b] as Local, this.#load(this.#data + 1, b), false);
      for (const [b, plane] of this.#second.entries()) this.#add(plane, this.#load(this.#data, b), false);
    }
    sink(1, planes);
    sink(0, [...this.#second, ...this.#sumLastPlanes(sums)]);
  }

  /** Adds one loaded vector to row 1's plane and, if there is one, to row 0's. */
  #addToBoth(plane: Local, shared: Local | undefined, value: Code, isFirst: boolean): void {
    if (shared === undefined) {
      this.#add(plane, value, isFirst);
      return;
    }
    const loadOnce = this.#loaded.tee(value);
    this.#emit(shared.set(isFirst ? loadOnce : v128.xor(loadOnce, shared.get)));
    this.#add(plane, this.#loaded.get, isFirst);
  }

  /** Row 0's planes that did not ride along with row 1. */
  #sumLastPlanes(sums: RowSums): Planes {
    const planes = this.#first.slice(sharedPlanes);
    const shards = sums.present.flatMap((isThere, j) => (isThere ? [j] : []));
    if (sums.syndromes) shards.push(this.#data);
    for (const [at, shard] of shards.entries()) {
      for (const [i, plane] of planes.entries()) this.#add(plane, this.#load(shard, sharedPlanes + i), at === 0);
      this.#holdInPlace(planes);
    }
    return planes;
  }

  /** Multiplies by g^exponent: the planes move on by one, and the one that falls off comes back in where 0x11D has bits. */
  #multiply(planes: Planes, exponent: number): Planes {
    let result = [...planes];
    for (let times = 0; times < Math.abs(exponent); times++) {
      const fallen = (exponent > 0 ? result[7] : result[0]) as Local;
      // 0x11D has bits 0, 2, 3, 4 and 8: going up they are planes 1 to 3 before the move, going down planes 2 to 4.
      for (const b of exponent > 0 ? [1, 2, 3] : [2, 3, 4]) this.#add(result[b] as Local, fallen.get, false);
      result = exponent > 0 ? [fallen, ...result.slice(0, 7)] : [...result.slice(1), fallen];
    }
    return result;
  }

  #holdInPlace(planes: Planes): void {
    if (!this.#fence) return;
    this.#emit(when(this.#never.get, join(...planes.map((plane) => plane.set(v128.zero)))));
  }
}

function scratchOf(input: number): number {
  return scratchAt + planeBytes * input;
}
