/**
 * A gate per bucket: commits of the bucket pass through together; changing or deleting the bucket is done alone.
 *
 * One process owns a store, so this is all it takes to keep `delete bucket` (which looks into every set) and a put (which goes to
 * one) apart: who is alone knows that every commit of the bucket has settled and none starts. Entering is synchronous unless somebody
 * is alone, which lasts milliseconds: bodies are read and blobs are written before the gate.
 */
export class BucketGate {
  #inside = 0;
  #closed = false;
  #drained: (() => void) | undefined;
  #waiting: (() => void)[] = [];

  /** Enters; undefined when that is done already, else a promise for it. Leave exactly once. */
  enter(): Promise<void> | undefined {
    if (this.#closed) return this.#enterLater();
    this.#inside++;
    return undefined;
  }

  leave(): void {
    this.#inside--;
    if (this.#inside === 0) this.#drained?.();
  }

  /** Runs `run` while nobody is inside. */
  async alone<T>(run: () => Promise<T>): Promise<T> {
    while (this.#closed) await this.#opened();
    this.#closed = true;
    try {
      if (this.#inside > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
      return await run();
    } finally {
      this.#closed = false;
      this.#drained = undefined;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) wake();
    }
  }

  async #enterLater(): Promise<void> {
    while (this.#closed) await this.#opened();
    this.#inside++;
  }

  #opened(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
