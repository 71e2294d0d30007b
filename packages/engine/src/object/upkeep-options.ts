/** What every piece of the object room's upkeep takes. */
export interface ObjectUpkeepOptions<P> {
  /** Ends it between two small steps, with `ABORTED`; starting again goes on with what is left. */
  readonly signal?: AbortSignal | undefined;
  /** Waited for after reading so many bytes: what keeps upkeep from taking the drives for itself. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
  /** Told now and then how far it is. Must not throw. */
  readonly onProgress?: ((progress: P) => void) | undefined;
}
