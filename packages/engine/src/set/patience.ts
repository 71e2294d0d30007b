/**
 * Waiting, but not for ever: who waits for a drive asks to be told when it takes too long.
 *
 * One timer serves all who wait, and it is armed only when something is still waited for a turn of the event loop later: the common case,
 * an answer within a moment, costs an entry in a set. After the process itself has stood still (stopped, or busy for long) nobody is told
 * before there has been a chance to see what the drives have answered meanwhile.
 */
import type { Clock } from "../base/clock.ts";

/** Standing still for longer than this is the process's fault and no drive's. */
const standstillMs = 50;

/** What `until` gives when it has taken too long. */
export const late: unique symbol = Symbol("late");

/** Somebody who waits. */
export interface Waiting {
  /** On the clock's monotonic time. NaN spares asking the clock: it is set to `lookMsMax` after the next look then. */
  dueMs: number;
  /** Called once, when it is due: it is not waited for any more then, unless `watch` is called again. Must not throw. */
  onLate(): void;
}

export class Patience {
  readonly clock: Clock;
  readonly #waiting = new Set<Waiting>();
  readonly #lookMsMax: () => number;
  #running = false;

  /** Looks at those who wait at least every `lookMsMax` milliseconds. */
  constructor(clock: Clock, lookMsMax: () => number) {
    this.clock = clock;
    this.#lookMsMax = lookMsMax;
  }

  watch(waiting: Waiting): void {
    this.#waiting.add(waiting);
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => void this.#run());
  }

  /** False when it was late already, or not waited for. */
  forget(waiting: Waiting): boolean {
    return this.#waiting.delete(waiting);
  }

  /** What the work gives, or `late` when it has not settled by then. It goes on, and nobody hears of its failure. */
  until<T>(work: Promise<T>, dueMs: number): Promise<T | typeof late> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { dueMs, onLate: () => resolve(late) };
      this.watch(waiting);
      work.then(
        (value) => {
          this.#waiting.delete(waiting);
          resolve(value);
        },
        (error: unknown) => {
          this.#waiting.delete(waiting);
          reject(error);
        },
      );
    });
  }

  async #run(): Promise<void> {
    let stoodStill = false;
    while (this.#waiting.size > 0) {
      const beforeMs = this.clock.monotonicMs();
      const restMs = Math.max(1, Math.min(this.#lookMsMax(), this.#nextDueMs(beforeMs) - beforeMs));
      await this.clock.sleep(restMs);
      stoodStill = !stoodStill && this.clock.monotonicMs() - beforeMs - restMs > standstillMs;
      // What has come in while the timer ran out is dealt with first.
      await new Promise((resolve) => setImmediate(resolve));
      if (!stoodStill) this.#tellLate();
    }
    this.#running = false;
  }

  #nextDueMs(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting) {
      if (Number.isNaN(waiting.dueMs)) waiting.dueMs = nowMs + this.#lookMsMax();
      nextMs = Math.min(nextMs, waiting.dueMs);
    }
    return nextMs;
  }

  #tellLate(): void {
    const nowMs = this.clock.monotonicMs();
    for (const waiting of [...this.#waiting]) {
      if (waiting.dueMs <= nowMs && this.#waiting.delete(waiting)) waiting.onLate();
    }
  }
}
