import { invariant } from "../base/invariant.ts";

/** Bounds how many operations are under way at once; the others wait in the order they came. */
export class Gate {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    invariant(Number.isInteger(limit) && limit >= 1, "a gate lets at least one operation through");
    this.#limit = limit;
  }

  /** Takes a place: at once (undefined), or when the promise resolves. Give it back with `leave`. */
  enter(): Promise<void> | undefined {
    if (this.#running < this.#limit) {
      this.#running++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives a place back; it passes straight on to who waits longest. */
  leave(): void {
    invariant(this.#running > 0, "only who entered the gate leaves it");
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}
