import { abortedError, HoldfastError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";

interface Waiter<Need, Grant> {
  readonly need: Need;
  readonly settle: (grant: Grant) => void;
  readonly fail: (error: Error) => void;
}

export interface WaitingLineOptions {
  readonly lengthMax: number;
  /** What the line waits for, for people. */
  readonly what: string;
  /** Called when somebody has left the line unserved: the next one may be served now. */
  readonly onLeave: () => void;
}

/** Callers waiting for something, first come, first served. Its owner looks at `first` and serves; waiters may leave by their signal. */
export class WaitingLine<Need, Grant> {
  private readonly waiters: Waiter<Need, Grant>[] = [];
  private readonly options: WaitingLineOptions;

  constructor(options: WaitingLineOptions) {
    this.options = options;
  }

  get length(): number {
    return this.waiters.length;
  }

  /** What the first in line needs. */
  get first(): Need | undefined {
    return this.waiters[0]?.need;
  }

  /** Resolves once served. @throws QUEUE_FULL, ABORTED, what `disperse` is given */
  join(need: Need, signal: AbortSignal | undefined): Promise<Grant> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      if (this.waiters.length >= this.options.lengthMax) throw queueFull(this.options);
      const leave = (): void => {
        const place = this.waiters.indexOf(waiter);
        invariant(place >= 0, "who waits is in the line");
        this.waiters.splice(place, 1);
        reject(abortedError(signal as AbortSignal));
        this.options.onLeave();
      };
      const waiter: Waiter<Need, Grant> = {
        need,
        settle: (grant) => {
          signal?.removeEventListener("abort", leave);
          resolve(grant);
        },
        fail: (error) => {
          signal?.removeEventListener("abort", leave);
          reject(error);
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.waiters.push(waiter);
    });
  }

  /** Serves the first in line. */
  serve(grant: Grant): void {
    const waiter = this.waiters.shift();
    invariant(waiter !== undefined, "somebody waits to be served");
    waiter.settle(grant);
  }

  /** Sends everybody away. */
  disperse(error: Error): void {
    for (const waiter of this.waiters.splice(0)) waiter.fail(error);
  }
}

function queueFull(options: WaitingLineOptions): HoldfastError {
  return new HoldfastError(
    "QUEUE_FULL",
    `${options.lengthMax} callers wait for ${options.what} already; retry when some of them have finished`,
    {
      details: { waiting: options.lengthMax },
    },
  );
}
