import type { CodeKernel } from "./kernel.ts";
import { referenceKernel } from "./reference-kernel.ts";
import { wasmArena } from "./wasm-arena.ts";
import { createWasmKernel } from "./wasm-kernel.ts";

export { checkShape } from "./shape.ts";

let chosen: CodeKernel | undefined;

/** The fastest kernel this thread can run; always the same one. */
export function codeKernel(): CodeKernel {
  chosen ??= chooseKernel();
  return chosen;
}

function chooseKernel(): CodeKernel {
  const arena = wasmArena();
  if (arena === undefined) return referenceKernel;
  return createWasmKernel(arena, { fence: Number.parseInt(process.versions.v8, 10) < 13 });
}
