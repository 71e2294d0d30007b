import { abortedError } from "../base/errors.ts";

/** Ends a piece of work by its caller's signal or because the set is being closed, whichever comes first. Release it at the end. */
export class StopSignal {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #closing: AbortSignal;
  #rejectPending: ((error: unknown) => void) | undefined;

  /** `closing` is aborted with the error to end with. */
  constructor(caller: AbortSignal | undefined, closing: AbortSignal) {
    this.#caller = caller;
    this.#closing = closing;
    for (const signal of [caller, closing]) {
      signal?.addEventListener("abort", this.#stop, { once: true });
      if (signal?.aborted === true) this.#stop();
    }
  }

  /** For calls that take a signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @throws ABORTED, STORE_CLOSED */
  check(): void {
    if (this.#controller.signal.aborted) throw this.error();
  }

  /** Waits for `work`, but no longer than until it is stopped. One at a time. */
  race<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.check();
      this.#rejectPending = reject;
      work.then(resolve, reject);
    });
  }

  release(): void {
    this.#rejectPending = undefined;
    for (const signal of [this.#caller, this.#closing]) signal?.removeEventListener("abort", this.#stop);
  }

  readonly #stop = (): void => {
    this.#controller.abort();
    this.#rejectPending?.(this.error());
  };

  /** What to end with once stopped. */
  error(): unknown {
    return this.#closing.aborted ? this.#closing.reason : abortedError(this.#caller as AbortSignal);
  }
}
