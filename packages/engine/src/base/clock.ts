/** Time, injected so that a whole store can run under a simulator. Only this file may read the machine's clocks. */
export interface Clock {
  /** Wall time in milliseconds since the epoch. May step; never used to order events. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's `ABORTED` error at once when it fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

import { abortedError, throwIfAborted } from "./errors.ts";

/** The machine's clocks. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      const timer = setTimeout(finish, ms);
      function finish(): void {
        signal?.removeEventListener("abort", abort);
        resolve();
      }
      function abort(): void {
        clearTimeout(timer);
        reject(abortedError(signal as AbortSignal));
      }
      signal?.addEventListener("abort", abort, { once: true });
    });
  },
};

/** A clock that stands still until it is told to move; `sleep` advances it. For tests and simulations. */
export function createManualClock(startMs = Date.UTC(2026, 0, 1)): Clock & { advance(ms: number): void; set(ms: number): void } {
  let wallMs = startMs;
  let elapsedMs = 0;
  return {
    nowMs: () => wallMs,
    monotonicMs: () => elapsedMs,
    async sleep(ms, signal) {
      throwIfAborted(signal);
      wallMs += ms;
      elapsedMs += ms;
    },
    advance(ms) {
      wallMs += ms;
      elapsedMs += ms;
    },
    set(ms) {
      wallMs = ms;
    },
  };
}
