import { invariant } from "../base/invariant.ts";
import { indexKeyBytesMax } from "../base/limits.ts";
import type { IndexMutation } from "./ordered-index.ts";

/** States the index's demands on keys before anything is changed, so that a write can't stop half-way on one. */
export function checkMutations(mutations: readonly IndexMutation[]): void {
  for (const { key } of mutations) {
    invariant(key.byteLength >= 1 && key.byteLength <= indexKeyBytesMax, "index keys have 1 to 1,900 bytes");
  }
}
