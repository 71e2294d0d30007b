import { packOf } from "../format/packed-location.ts";
import type { Batch } from "./batch.ts";
import type { OpenSet } from "./open-set.ts";
import type { PackFacts } from "./pack-facts.ts";
import type { Fate, FoundEntry } from "./relog.ts";

/** The packs a compaction is about to give up. */
export class Victims {
  /** Ascending. */
  #packs: readonly PackFacts[];
  #numbers: ReadonlySet<number>;

  constructor(packs: readonly PackFacts[]) {
    this.#packs = packs;
    this.#numbers = new Set(packs.map(({ pack }) => pack));
  }

  get packs(): readonly PackFacts[] {
    return this.#packs;
  }

  get numbers(): ReadonlySet<number> {
    return this.#numbers;
  }

  /** The highest sequence in any of them. */
  get throughSequence(): number {
    return Math.max(0, ...this.#packs.map(({ lastSequence }) => lastSequence));
  }

  /** Keeps packs after all. */
  spare(packs: ReadonlySet<number>): void {
    this.#packs = this.#packs.filter(({ pack }) => !packs.has(pack));
    this.#numbers = new Set(this.#packs.map(({ pack }) => pack));
  }

  /** What is to become of an entry so that nothing of it lies in them. */
  fateOf({ sequence, payload }: FoundEntry): Fate {
    if (payload !== undefined && this.#numbers.has(payload.pack)) return "payload";
    return this.packWith(sequence) === undefined ? "stays" : "record";
  }

  /** The one that holds a batch. */
  packWith(sequence: number): number | undefined {
    let low = 0;
    let high = this.#packs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#packs[middle] as PackFacts).lastSequence < sequence) low = middle + 1;
      else high = middle;
    }
    const found = this.#packs[low];
    return found !== undefined && found.firstSequence <= sequence ? found.pack : undefined;
  }
}

/**
 * Sees every batch that is committed while a compaction runs. New records lie in new packs, but may take a payload over that lies in a victim:
 * a copy, a version that moves aside. Their keys are gathered here.
 */
export class CommitWatch {
  readonly #set: OpenSet;
  readonly #victims: Victims;
  readonly #keys = new Map<string, Uint8Array>();
  readonly #listener = (batch: Batch): void => this.#look(batch);
  /** Whether anything was committed since: then the end of the log lies behind every victim. */
  hasSeenBatch = false;

  constructor(set: OpenSet, victims: Victims) {
    this.#set = set;
    this.#victims = victims;
    set.context.hooks.onCommitted.add(this.#listener);
  }

  #look({ changes }: Batch): void {
    if (changes.length > 0) this.hasSeenBatch = true;
    for (const { key, text, entry } of changes) {
      if (entry?.payload !== undefined && this.#victims.numbers.has(packOf(entry.payload))) this.#keys.set(text, key);
      else this.#keys.delete(text);
    }
  }

  get isClear(): boolean {
    return this.#keys.size === 0;
  }

  /** The keys gathered so far; they are gathered anew from here on. */
  take(): Uint8Array[] {
    const keys = [...this.#keys.values()];
    this.#keys.clear();
    return keys;
  }

  stop(): void {
    this.#set.context.hooks.onCommitted.delete(this.#listener);
  }
}
