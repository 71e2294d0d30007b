import { decodeBlobLocation } from "../format/blob-location.ts";
import { formatBlobId } from "../format/blob-name.ts";
import type { ReadFault, SetContext } from "./set-context.ts";

/** The same fault is told of again after so long, should it still be there. */
const repeatMs = 30_000;
/** Faults remembered; beyond it the oldest is forgotten, and may be told of again. */
const rememberedMax = 1024;

/** Tells whoever listens of what reads found wrong and got around: each stripe and each blob once in a while, however often it is read. */
export class ReadFaults {
  readonly #context: Pick<SetContext, "hooks" | "clock">;
  readonly #toldMs = new Map<string, number>();

  constructor(context: Pick<SetContext, "hooks" | "clock">) {
    this.#context = context;
  }

  /** Never throws. */
  tell(fault: ReadFault): void {
    const { hooks, clock } = this.#context;
    if (hooks.onReadFault === undefined) return;
    const name = fault.kind === "packed" ? `${fault.pack}@${fault.position}` : formatBlobId(decodeBlobLocation(fault.location).blob);
    const nowMs = clock.monotonicMs();
    if (nowMs - (this.#toldMs.get(name) ?? Number.NEGATIVE_INFINITY) < repeatMs) return;
    this.#toldMs.delete(name);
    this.#toldMs.set(name, nowMs);
    if (this.#toldMs.size > rememberedMax) this.#toldMs.delete(this.#toldMs.keys().next().value as string);
    try {
      hooks.onReadFault(fault);
    } catch {
      // whoever listens answers for itself: the read has succeeded
    }
  }
}
