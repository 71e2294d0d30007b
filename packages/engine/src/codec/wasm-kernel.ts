/**
 * The coding kernel as WebAssembly generated for the shape, or the pattern of losses, at hand. Shards are copied into the arena step
 * by step, a step being small enough to stay in the processor's caches, and results are copied out.
 */
import { LRUCache } from "lru-cache";
import { equalBytes } from "../base/bytes.ts";
import type { CodeKernel, CodeShape } from "./kernel.ts";
import { encodeEncoder, encodeSolver, type KernelProgram, type SolverOptions } from "./kernel-program.ts";
import { checkShape, checkShards, planRecovery, type RecoveryPlan } from "./shape.ts";
import { instantiate, slotAt, slotBytes, type WasmArena } from "./wasm-arena.ts";

/** Programs kept: 12+4 has 136 patterns of one or two losses. A program takes 1 to 30 KB, and about a millisecond to make. */
const programsMax = 512;

/** A buffer and the shard whose slot it fills or is filled from. */
type SlotBuffers = readonly (readonly [shard: number, bytes: Uint8Array])[];

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
    checkShape(shape);
    const length = checkShards(data, shape.data, "encoding takes k data shards");
    checkShards([data[0] as Uint8Array, ...parity], shape.parity + 1, "encoding fills m parity shards");
    if (shape.parity === 0) return;
    const program = this.#encoder(shape.data, allRows(shape));
    const sources = slotsFrom(0, data);
    const targets = slotsFrom(shape.data, parity);
    for (let position = 0; position < length; position += slotBytes) {
      const bytes = Math.min(slotBytes, length - position);
      this.#copyIn(sources, position, bytes);
      program.run(bytes);
      this.#copyOut(targets, position, bytes);
    }
  }

  verify(shape: CodeShape, shards: readonly Uint8Array[]): boolean {
    checkShape(shape);
    const length = checkShards(shards, shape.data + shape.parity, "verification takes k + m shards");
    if (shape.parity === 0) return true;
    const program = this.#encoder(shape.data, allRows(shape));
    const sources = slotsFrom(0, shards.slice(0, shape.data));
    const given = slotsFrom(shape.data, shards.slice(shape.data));
    for (let position = 0; position < length; position += slotBytes) {
      const bytes = Math.min(slotBytes, length - position);
      this.#copyIn(sources, position, bytes);
      program.run(bytes);
      if (!this.#slotsEqual(given, position, bytes)) return false;
    }
    return true;
  }

  reconstruct(shape: CodeShape, shards: readonly (Uint8Array | undefined)[], wanted: ReadonlyMap<number, Uint8Array>): void {
    const plan = planRecovery(shape, shards, wanted);
    if (plan.length === 0 || wanted.size === 0) return;
    const programs = this.#recoveryPrograms(shape, plan);
    const needed = (index: number): boolean => index < shape.data || plan.equations.includes(index - shape.data);
    const sources = shards.flatMap((bytes, index) => (bytes !== undefined && needed(index) ? [[index, bytes] as const] : []));
    const targets = [...wanted];
    for (let position = 0; position < plan.length; position += slotBytes) {
      const bytes = Math.min(slotBytes, plan.length - position);
      this.#copyIn(sources, position, bytes);
      for (const program of programs) program.run(bytes);
      this.#copyOut(targets, position, bytes);
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
    return this.#program(`encode ${data} ${rows}`, () => encodeEncoder(data, rows, this.#fence));
  }

  #solver(options: SolverOptions): KernelProgram {
    const { data, unknowns, equations, wanted } = options;
    return this.#program(`solve ${data} ${unknowns} ${equations} ${wanted}`, () => encodeSolver(options, this.#fence));
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
    for (const [shard, source] of sources) this.#arena.bytes.set(part(source, position, bytes), slotAt(shard));
  }

  #copyOut(targets: SlotBuffers, position: number, bytes: number): void {
    for (const [shard, target] of targets) target.set(this.#slot(shard, bytes), position);
  }

  #slotsEqual(given: SlotBuffers, position: number, bytes: number): boolean {
    return given.every(([shard, expected]) => equalBytes(this.#slot(shard, bytes), part(expected, position, bytes)));
  }

  #slot(shard: number, bytes: number): Uint8Array {
    return this.#arena.bytes.subarray(slotAt(shard), slotAt(shard) + bytes);
  }
}

function allRows(shape: CodeShape): number[] {
  return Array.from({ length: shape.parity }, (_, row) => row);
}

function slotsFrom(first: number, buffers: readonly Uint8Array[]): SlotBuffers {
  return buffers.map((bytes, i) => [first + i, bytes] as const);
}

/** bytes[position, position + length), without a new view where that is all of them. */
function part(bytes: Uint8Array, position: number, length: number): Uint8Array {
  return length === bytes.byteLength ? bytes : bytes.subarray(position, position + length);
}
