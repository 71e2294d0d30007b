import type { HoldfastError } from "../base/errors.ts";

/**
 * The index: an ordered map of byte strings, derived from the packs and rebuildable at any time, so it keeps no promise of
 * durability of its own beyond `flush`. Keys are 1 to 1,900 bytes and sort byte by byte; values are any bytes.
 *
 * Everything is synchronous. `write` is atomic: after a crash of the process all of it or none is there. One writer; a `scan` sees
 * the state at its start. Arrays handed out are the caller's; arrays handed in are not kept or changed.
 */
export interface OrderedIndex {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Applies all mutations in order, atomically. */
  write(mutations: readonly IndexMutation[]): void;
  /**
   * Visits entries in [start, end) in order, or backwards from just below `end` with `reverse`. The visitor answers true to go on,
   * false to stop, or a key to seek to: forwards the first entry at or above it is next, backwards the first one below it.
   * A seek never moves against the direction.
   */
  scan(range: IndexRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array): void;
  /** A promise for when the index has caught up, while it is so far behind its writes that the writer should wait; else undefined. */
  pressure(): Promise<void> | undefined;
  /** Number of entries, exact. */
  count(): number;
  /** Removes every entry. */
  clear(): void;
  /** Resolves when all that was written would survive a power cut. */
  flush(): Promise<void>;
  close(): Promise<void>;
  /** For an index that lies on a drive, and may be found to be damaged or made anew. */
  readonly renewal?: IndexRenewal | undefined;
}

/** What is done about an index that is damaged. */
export interface IndexRenewal {
  /** What was wrong with the index that the opening found, and why this one began empty. */
  readonly found: HoldfastError | undefined;
  /** Why the index cannot be trusted: then reads throw it, writes are dropped, and the next opening begins with an empty one. */
  readonly damage: HoldfastError | undefined;
  /** Called once when damage is found. Must not throw. */
  onDamage: ((error: HoldfastError) => void) | undefined;
  /** From now on the index counts as damaged. */
  distrust(error: HoldfastError): void;
  /** An empty index beside this one; one at a time, so that the next waits until this one is closed, also when it was adopted. */
  openBeside(): Promise<BesideIndex>;
}

/** An index that is being made to take another one's place. Closing it without that removes it. */
export interface BesideIndex extends OrderedIndex {
  /** Takes the other's place, in the turn in which it is called; resolves when the other one is gone. */
  adopt(): Promise<void>;
}

export interface IndexRange {
  readonly start: Uint8Array;
  /** Exclusive; undefined is the end of the map. */
  readonly end: Uint8Array | undefined;
  readonly reverse?: boolean;
}

/** A put, or a delete where `value` is undefined. */
export interface IndexMutation {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}
