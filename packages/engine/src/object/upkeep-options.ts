import type { Pacer } from "../set/pace.ts";

/** What every piece of the object room's upkeep takes. */
export interface ObjectUpkeepOptions<P> {
  /** Ends it between two small steps, with `ABORTED`; starting again goes on with what is left. */
  readonly signal?: AbortSignal | undefined;
  /** Keeps it from being in the way of what callers wait for; as fast as it goes when undefined. */
  readonly pacer?: Pacer | undefined;
  /** Told now and then how far it is. Must not throw. */
  readonly onProgress?: ((progress: P) => void) | undefined;
}
