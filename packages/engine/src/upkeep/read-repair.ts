/**
 * Repairs what reads found wrong and got around: the frame, or the blob, one after another in the background. The line is bounded and nothing
 * stands in it twice; what does not fit is left to the next scrub.
 */
import { isHoldfastError } from "../base/errors.ts";
import type { CheckFinding, RepairStep } from "../set/finding.ts";
import type { OpenSet } from "../set/open-set.ts";
import type { Pacer } from "../set/pace.ts";
import { nameOfFault, repairFault } from "../set/repair-fault.ts";
import type { ReadFault } from "../set/set-context.ts";

/** Faults in line. */
const lineMax = 256;

export interface ReadRepairOptions {
  readonly pacer: Pacer;
  readonly signal?: AbortSignal | undefined;
  /** Told of everything that was found wrong, repaired or not. */
  readonly onFinding?: ((finding: CheckFinding) => void) | undefined;
}

/** What was repaired since the store was opened. */
export interface ReadRepairCounts {
  readonly repaired: number;
  readonly unrepairable: number;
  /** Faults that found no room in the line. */
  readonly dropped: number;
}

/** The faults of one set that wait to be repaired. */
export class ReadRepair {
  readonly #set: OpenSet;
  readonly #line = new Map<string, ReadFault>();
  readonly #counts = { repaired: 0, unrepairable: 0, dropped: 0 };

  /** Listens to the reads of a set from now on; `onFault` is told when there is something in line. */
  constructor(set: OpenSet, onFault: () => void = () => undefined) {
    this.#set = set;
    set.context.hooks.onReadFault = (fault) => {
      this.#join(fault);
      onFault();
    };
  }

  get counts(): ReadRepairCounts {
    return { ...this.#counts };
  }

  /** Faults in line. */
  get waiting(): number {
    return this.#line.size;
  }

  #join(fault: ReadFault): void {
    const name = nameOfFault(fault);
    if (this.#line.has(name)) return;
    if (this.#line.size >= lineMax) this.#counts.dropped++;
    else this.#line.set(name, fault);
  }

  /** Repairs what is in line; true when there was something. @throws ABORTED, STORE_CLOSED */
  async run(options: ReadRepairOptions): Promise<boolean> {
    let done = false;
    for (;;) {
      const [next] = this.#line;
      if (next === undefined) return done;
      const [name, fault] = next;
      try {
        for await (const step of repairFault(this.#set, fault, options)) this.#note(step, options);
      } catch (error) {
        if (!isHoldfastError(error) || isHoldfastError(error, "ABORTED", "STORE_CLOSED")) throw error;
        // What keeps it from being repaired now is told of in its own place; the next read or scrub finds it again.
      }
      this.#line.delete(name);
      done = true;
    }
  }

  #note(step: RepairStep, options: ReadRepairOptions): void {
    for (const finding of step.findings) {
      if (finding.repaired) this.#counts.repaired++;
      if (!finding.repairable) this.#counts.unrepairable++;
      options.onFinding?.(finding);
    }
  }
}
