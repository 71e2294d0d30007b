/** Runs work beside the one that starts it, at most `max` at a time. One producer starts; the first failure is thrown to it. */
export class Slots {
  readonly #max: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** Waits for a free slot, then starts the work and returns. Throws what earlier work failed with. */
  async start(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#max) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#throwFailure();
    const run = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#running.delete(run);
        this.#wake?.();
      });
    this.#running.add(run);
  }

  /** Waits for all that runs and throws the first failure. */
  async finish(): Promise<void> {
    await this.settle();
    this.#throwFailure();
  }

  /** Waits for all that runs. Never throws. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
