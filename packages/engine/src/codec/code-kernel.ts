import type { CodeKernel } from "./kernel.ts";
import { referenceKernel } from "./reference-kernel.ts";

export { checkShape } from "./shape.ts";

/** The fastest kernel this process can run; always the same one. */
export function codeKernel(): CodeKernel {
  return referenceKernel;
}
