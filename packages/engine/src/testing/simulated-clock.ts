import type { Clock } from "../base/clock.ts";
import { abortedError, throwIfAborted } from "../base/errors.ts";

/** A clock that stands still until it is told to move; sleepers wait until it has. */
export interface SimulatedClock extends Clock {
  /** Time passes, and whoever has slept long enough wakes, in the order of waking. */
  advance(ms: number): void;
  /** The wall clock is set, forwards or back; sleepers do not notice. */
  step(ms: number): void;
}

/** For whole stores under a simulator: unlike `createManualClock`, `sleep` does not advance it. */
export function createSimulatedClock(startMs = Date.UTC(2026, 0, 1)): SimulatedClock {
  let wallMs = startMs;
  let elapsedMs = 0;
  const sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      throwIfAborted(signal);
      const sleeper = { untilMs: elapsedMs + ms, wake: finish };
      sleepers.add(sleeper);
      function finish(): void {
        signal?.removeEventListener("abort", abort);
        resolve();
      }
      function abort(): void {
        sleepers.delete(sleeper);
        reject(abortedError(signal as AbortSignal));
      }
      signal?.addEventListener("abort", abort, { once: true });
    });
  return {
    nowMs: () => wallMs,
    monotonicMs: () => elapsedMs,
    sleep,
    rest: sleep,
    advance(ms) {
      wallMs += ms;
      elapsedMs += ms;
      const due = [...sleepers].filter(({ untilMs }) => untilMs <= elapsedMs).sort((a, b) => a.untilMs - b.untilMs);
      for (const sleeper of due) {
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
    step(ms) {
      wallMs += ms;
    },
  };
}
