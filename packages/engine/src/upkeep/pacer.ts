import type { Clock } from "../base/clock.ts";
import { throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Pacer } from "../set/pace.ts";

/** Work between two pauses that counts, at most: time in which the job had nothing to do is no reason to rest. */
const workMsMax = 1000;

/** Bytes a second that several jobs share. */
export class Bandwidth {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  /** When everything taken so far is paid for. */
  #paidMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, bytesPerSecond: number) {
    invariant(bytesPerSecond > 0, "a bandwidth lets something pass");
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Takes some bytes; returns how many milliseconds to wait for it. What is taken first is paid for by who comes next. */
  take(bytes: number): number {
    const now = this.#clock.monotonicMs();
    const startMs = Math.max(now, this.#paidMs);
    this.#paidMs = startMs + bytes / this.#bytesPerMs;
    return startMs - now;
  }
}

export interface PacerOptions {
  readonly clock: Clock;
  /** Shared with other jobs; unbounded when undefined. */
  readonly bandwidth?: Bandwidth | undefined;
  /** False for background work, which does not keep the process alive while it pauses. */
  readonly keepsAlive?: boolean | undefined;
  /** The part of its time the job may work, 0 < duty ≤ 1; the rest it pauses. */
  readonly duty?: number | undefined;
}

/** A pacer for one job. */
export function createPacer(options: PacerOptions): Pacer {
  const { clock, bandwidth, duty = 1 } = options;
  invariant(duty > 0 && duty <= 1, "a job works some part of its time");
  let resumedMs = clock.monotonicMs();
  return {
    async spend(bytes, signal) {
      throwIfAborted(signal);
      const workedMs = Math.min(workMsMax, clock.monotonicMs() - resumedMs);
      const restMs = Math.max(bandwidth?.take(bytes) ?? 0, workedMs * (1 / duty - 1));
      if (restMs >= 1) await (options.keepsAlive === true ? clock.sleep(restMs, signal) : clock.rest(restMs, signal));
      else await new Promise((resolve) => setImmediate(resolve));
      resumedMs = clock.monotonicMs();
    },
  };
}
