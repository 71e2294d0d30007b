/**
 * Looks after an open store in the background: two loops, one that looks at the drives every few seconds, one that does what is to be done.
 * Work is done one task after another, in the order of their importance; whoever finds something to do nudges. Nothing here keeps the
 * process alive, and `stop` ends whatever is under way: every task goes on where it was the next time.
 */
import type { Clock } from "../base/clock.ts";
import { isHoldfastError } from "../base/errors.ts";

/** One kind of upkeep. */
export interface UpkeepTask {
  readonly name: string;
  /** Does what there is to do now; true when it did something after which the tasks before it should be asked again. */
  run(signal: AbortSignal): Promise<boolean>;
}

export interface KeeperParts {
  readonly clock: Clock;
  /** Looks at every drive. */
  readonly watch: () => Promise<void>;
  /** The most important one first. */
  readonly tasks: readonly UpkeepTask[];
  readonly watchEveryMs: number;
  /** How long the work rests when nobody nudges. */
  readonly workEveryMs: number;
  /** Told when a task fails; it is tried again later. */
  readonly onTrouble: (task: string, error: unknown) => void;
}

export class Keeper {
  readonly #parts: KeeperParts;
  readonly #stopping = new AbortController();
  #loops: Promise<unknown> = Promise.resolve();
  #working: Promise<unknown> = Promise.resolve();
  #wake = new AbortController();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** Begins to work in the background. */
  start(): void {
    const { watchEveryMs, workEveryMs, watch } = this.#parts;
    this.#loops = Promise.all([
      this.#guard("watch", watch),
      this.#every(
        watchEveryMs,
        () => this.#stopping.signal,
        () => this.#guard("watch", watch),
      ),
      this.#every(
        workEveryMs,
        () => this.#wake.signal,
        () => this.#work(),
      ),
    ]);
  }

  /** There may be something to do. */
  nudge(): void {
    this.#wake.abort();
  }

  /** Ends the loops and what they do; resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    await this.#loops;
    await this.#working;
  }

  /** Does everything there is to do now: until no task finds anything more. */
  round(signal: AbortSignal): Promise<void> {
    const either = signal === this.#stopping.signal ? signal : AbortSignal.any([signal, this.#stopping.signal]);
    return this.alone(async () => {
      for (let at = 0; at < this.#parts.tasks.length && !either.aborted; ) {
        const task = this.#parts.tasks[at] as UpkeepTask;
        const again = await this.#guard(task.name, () => task.run(either));
        at = again === true && at > 0 ? 0 : at + 1;
      }
    });
  }

  /** Runs work while no round is under way. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#working.then(work);
    this.#working = done.catch(() => undefined);
    return done;
  }

  /** `early` ends a rest before its time. */
  async #every(ms: number, early: () => AbortSignal, work: () => Promise<unknown>): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#parts.clock.rest(ms, early()).catch(() => undefined);
      if (!this.#stopping.signal.aborted) await work();
    }
  }

  async #work(): Promise<void> {
    // Whoever nudges from now on is heard after this round.
    this.#wake = new AbortController();
    await this.round(this.#stopping.signal);
  }

  async #guard<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!isHoldfastError(error, "ABORTED", "STORE_CLOSED")) this.#parts.onTrouble(name, error);
      return undefined;
    }
  }
}
