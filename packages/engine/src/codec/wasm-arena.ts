/**
 * The one WebAssembly memory of a thread, of fixed size: generated code works here, and ordinary buffers are copied in and out in
 * blocks that stay in the processor's caches. One memory, because each reserves gigabytes of address space for its guard pages.
 *
 * Everything that uses it is synchronous and leaves nothing behind, so its parts need no owner between calls.
 */
import { invariant } from "../base/invariant.ts";
import { setDrivesMax } from "../base/limits.ts";
import { KiB } from "../base/units.ts";
import { encodeModule, FunctionBuilder, v128 } from "./wasm-encoder.ts";

/** A word that is always zero; generated code may test it. */
export const zeroWordAt = 0;
/** The kernel's scratch: one unit per equation. */
export const scratchAt = 2 * KiB;
/** XXH3's secret (192 bytes), accumulators (64) and result (8). */
export const secretAt = 3 * KiB;
export const lanesAt = secretAt + 256;
export const resultAt = lanesAt + 64;
/** Where input to be hashed is copied, 64 bytes of what came before it ahead of it. */
export const windowBytes = 16 * KiB;
export const windowAt = 5 * KiB;

/** A shard is coded in steps of this many bytes. */
export const slotBytes = 16 * KiB;
/** From one slot to the next: off a power of two, or the slots of a stripe would compete for the same lines of the L1 cache. */
const slotStrideBytes = slotBytes + 1 * KiB;
const slotsAt = 24 * KiB;

/** Where the slot of a shard starts. */
export function slotAt(shard: number): number {
  return slotsAt + shard * slotStrideBytes;
}

/** Pages of 64 KiB of the whole: 24 KiB and 64 slots of 17 KiB, a little over a MiB. */
export const arenaPages = Math.ceil((slotsAt + setDrivesMax * slotStrideBytes) / (64 * KiB));

/** What this project uses of the global `WebAssembly`, for which Node's own types have no declarations. */
interface WebAssemblyApi {
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
}

const webAssembly = (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly;

/** False under `--jitless`. */
export const hasWebAssembly = webAssembly !== undefined;

/** The memory and its bytes. */
export interface WasmArena {
  readonly memory: object;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

let arena: WasmArena | undefined;

/** The thread's arena; undefined where WebAssembly or its vectors are absent (`--jitless`, very old processors). */
export function wasmArena(): WasmArena | undefined {
  if (arena === undefined && webAssembly !== undefined && supportsVectors(webAssembly)) {
    const memory = new webAssembly.Memory({ initial: arenaPages, maximum: arenaPages });
    arena = { memory, bytes: new Uint8Array(memory.buffer) };
  }
  return arena;
}

function supportsVectors(api: WebAssemblyApi): boolean {
  const probe = new FunctionBuilder([]).emit(v128.store([0x41, 0], v128.zero));
  return api.validate(encodeModule({ memoryPages: 1, functions: [probe], exports: {} }));
}

/** Compiles a module made by `encodeModule`, ties it to the arena and gives its exports. */
export function instantiate(where: WasmArena, moduleBytes: Uint8Array<ArrayBuffer>): unknown {
  invariant(webAssembly !== undefined, "an arena exists only where WebAssembly does");
  return new webAssembly.Instance(new webAssembly.Module(moduleBytes), { env: { memory: where.memory } }).exports;
}
