/** Time, injected so that a whole store can run under a simulator. Only this file may read the machine's clocks. */
export interface Clock {
  /** Wall time in milliseconds since the epoch. May step; never used to order events. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's `ABORTED` error at once when it fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** The same, without keeping the process alive: for what is done in the background. */
  rest(ms: number, signal?: AbortSignal): Promise<void>;
}

import { abortedError, throwIfAborted } from "./errors.ts";

/** The machine's clocks. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => wait(ms, signal, true),
  rest: (ms, signal) => wait(ms, signal, false),
};

function wait(ms: number, signal: AbortSignal | undefined, keepsAlive: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    throwIfAborted(signal);
    const timer = setTimeout(finish, ms);
    if (!keepsAlive) timer.unref();
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
}

/** Keeps the process alive until the answer is called: for work somebody waits for that rests now and then. */
export function keepAlive(): () => void {
  const timer = setInterval(() => undefined, 2 ** 30);
  return () => clearInterval(timer);
}

/** A clock that stands still until it is told to move; `sleep` advances it, and `rest` ends only with its signal. For tests and simulations. */
export function createManualClock(startMs = Date.UTC(2026, 0, 1)): Clock & { advance(ms: number): void; set(ms: number): void } {
  let wallMs = startMs;
  let elapsedMs = 0;
  const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    throwIfAborted(signal);
    wallMs += ms;
    elapsedMs += ms;
  };
  return {
    nowMs: () => wallMs,
    monotonicMs: () => elapsedMs,
    sleep,
    rest: (_, signal) =>
      new Promise((_resolve, reject) => {
        throwIfAborted(signal);
        signal?.addEventListener("abort", () => reject(abortedError(signal)), { once: true });
      }),
    advance(ms) {
      wallMs += ms;
      elapsedMs += ms;
    },
    set(ms) {
      wallMs = ms;
    },
  };
}
