/**
 * The coding kernel as WebAssembly generated for the shape, or the pattern of losses, at hand. Shards are copied into the arena step
 * by step, a step being small enough to stay in the processor's caches, and results are copied out.
 */
import { LRUCache } from "lru-cache";
import { equalBytes } from "../base/bytes.ts";
import type { CodeKernel, CodeShape } from "./kernel.ts";
import { encodeEncoder, encodeSolver, type KernelProgram, type SolverOptions } from "./kernel-program.ts";
import { checkEncoding, checkShape, checkShards, planRecovery, type RecoveryPlan } from "./shape.ts";
import { instantiate, slotAt, slotBytes, type WasmArena } from "./wasm-arena.ts";

/** Programs kept: 12+4 has 136 patterns of one or two losses. A program takes 1 to 30 KB, and about a millisecond to make. */
const programsMax = 512;

/** Buffers by shard number; undefined where the shard has no part in what is done. */
type SlotBuffers = readonly (Uint8Array | undefined)[];

/** Creates the generated kernel. `fence` chooses the code for V8 before 13; see kernel-program.ts. */
export function createWasmKernel(arena: WasmArena, options: { readonly fence: boolean }): CodeKernel {
  return new WasmKernel(arena, options.fence);
}

class WasmKernel implements CodeKernel {
  readonly name: string;
  readonly #arena: WasmArena;
  readonly #fence: boolean;
  readonly #programs = new LRUCache<string, KernelProgram>({ max: programsMax });

  constructor(arena: WasmArena, fence: boolean) {
    this.#arena = arena;
    this.#fence = fence;
    this.name = fence ? "wasm-fenced" : "wasm";
  }

  encode(shape: CodeShape, data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
    const length = checkEncoding(shape, data, parity);
    if (shape.parity === 0) return;
    const program = this.#encoder(shape.data, allRows[shape.parity] as readonly number[]);
    for (let position = 0; position < length; position += slotBytes) {
      const bytes = Math.min(slotBytes, length - position);
      this.#copyIn(data, position, bytes);
      program.run(bytes);
      this.#copyOut(shape.data, parity, position, bytes);
    }
  }

  verify(shape: CodeShape, shards: readonly Uint8Array[]): boolean {
    checkShape(shape);
    const length = checkShards(shards, shape.data + shape.parity, "verification takes k + m shards");
    if (shape.parity === 0) return true;
    const program = this.#encoder(shape.data, allRows[shape.parity] as readonly number[]);
    const data = shards.slice(0, shape.data);
    for (let position = 0; position < length; position += slotBytes) {
      const bytes = Math.min(slotBytes, length - position);
      this.#copyIn(data, position, bytes);
      program.run(bytes);
      for (let shard = shape.data; shard < shards.length; shard++) {
        if (!equalBytes(this.#slot(shard, bytes), part(shards[shard] as Uint8Array, position, bytes))) return false;
      }
    }
    return true;
  }

  reconstruct(shape: CodeShape, shards: SlotBuffers, wanted: ReadonlyMap<number, Uint8Array>): void {
    const plan = planRecovery(shape, shards, wanted);
    if (plan.length === 0 || wanted.size === 0) return;
    const programs = this.#recoveryPrograms(shape, plan);
    const sources = shards.map((bytes, index) => (index < shape.data || plan.equations.includes(index - shape.data) ? bytes : undefined));
    const targets = shards.map((_, index) => wanted.get(index));
    for (let position = 0; position < plan.length; position += slotBytes) {
      const bytes = Math.min(slotBytes, plan.length - position);
      this.#copyIn(sources, position, bytes);
      for (const program of programs) program.run(bytes);
      this.#copyOut(0, targets, position, bytes);
    }
  }

  /** Missing data is solved first; wanted parity is then encoded from all data, so it needs every unknown. */
  #recoveryPrograms(shape: CodeShape, plan: RecoveryPlan): KernelProgram[] {
    const { unknowns, equations, wantedData, wantedRows } = plan;
    const programs: KernelProgram[] = [];
    const wanted = wantedRows.length > 0 ? unknowns : wantedData;
    if (wanted.length > 0) programs.push(this.#solver({ data: shape.data, unknowns, equations, wanted }));
    if (wantedRows.length > 0) programs.push(this.#encoder(shape.data, wantedRows));
    return programs;
  }

  #encoder(data: number, rows: readonly number[]): KernelProgram {
    return this.#program(keyOf(data, rows), () => encodeEncoder(data, rows, this.#fence));
  }

  #solver(options: SolverOptions): KernelProgram {
    const { data, unknowns, equations, wanted } = options;
    return this.#program(keyOf(data, equations, unknowns, wanted), () => encodeSolver(options, this.#fence));
  }

  #program(key: string, encodeBytes: () => Uint8Array<ArrayBuffer>): KernelProgram {
    let program = this.#programs.get(key);
    if (program === undefined) {
      program = instantiate(this.#arena, encodeBytes()) as KernelProgram;
      this.#programs.set(key, program);
    }
    return program;
  }

  #copyIn(sources: SlotBuffers, position: number, bytes: number): void {
    for (let shard = 0; shard < sources.length; shard++) {
      const source = sources[shard];
      if (source !== undefined) this.#arena.bytes.set(part(source, position, bytes), slotAt(shard));
    }
  }

  #copyOut(firstShard: number, targets: SlotBuffers, position: number, bytes: number): void {
    for (let i = 0; i < targets.length; i++) targets[i]?.set(this.#slot(firstShard + i, bytes), position);
  }

  #slot(shard: number, bytes: number): Uint8Array {
    return this.#arena.bytes.subarray(slotAt(shard), slotAt(shard) + bytes);
  }
}

/** The rows of all parity shards, by m. */
const allRows: readonly (readonly number[])[] = [[], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3]];

/** Every number is below 64, so a character each, with one that is not a number between the lists, names a program. */
function keyOf(data: number, ...lists: readonly (readonly number[])[]): string {
  let key = String.fromCharCode(data);
  for (const list of lists) {
    key += "|";
    for (const value of list) key += String.fromCharCode(value);
  }
  return key;
}

/** bytes[position, position + length), without a new view where that is all of them. */
function part(bytes: Uint8Array, position: number, length: number): Uint8Array {
  return length === bytes.byteLength ? bytes : bytes.subarray(position, position + length);
}
