/**
 * Which sets there are and which of them keeps which object key, while the store is in use.
 *
 * Changing the topology maps some keys to another set than before. Until such a key has been moved (see move-key.ts) it is in transit: it
 * is in the set it is mapped to now, or in one it was mapped to before, or in both with the same contents. Where it is to be read is a
 * matter of looking, all in one turn of the event loop; where it is to be changed is always the set it is mapped to now, after it has been
 * moved there (see commit-on-key.ts).
 *
 *   set without any entry of the key   does not have it
 *   set with entries and the mark      has a part of it, which counts for nothing: another set has it whole
 *   set with entries and no mark       has it whole
 *
 * Of several sets that have it whole the one it is mapped to now is read: the others' are left over from a move.
 *
 * The gate keeps commits and changes of the topology apart: inside it nothing of what this file answers changes but by commits.
 */
import { invariant } from "../base/invariant.ts";
import type { ErasureSet } from "../set/erasure-set.ts";
import { BucketGate } from "./bucket-gate.ts";
import { holdsKey, holdsWholeKey, isMarked, type ObjectKey } from "./key-entries.ts";

/** The set that keeps everything about an object key. Pure. */
export type ChooseSet = (bucketId: number, keyBytes: Uint8Array) => ErasureSet;

/** Sets, and the mapping of keys to them. */
export interface TopologyState {
  /** All sets, each once. */
  readonly sets: readonly ErasureSet[];
  readonly chooseSet: ChooseSet;
  /** Earlier mappings by which keys may still lie; none when every key is where it belongs. */
  readonly previous: readonly ChooseSet[];
}

export class Topology {
  /** Commits pass through together; changes of the topology are made alone. */
  readonly gate = new BucketGate();
  /** Counts changes of keys that could not be moved, and so were changed where they are. */
  changesOutOfPlace = 0;
  #state: TopologyState;
  #homeSet: ErasureSet;
  #generation = 0;

  constructor(state: TopologyState, homeSet: ErasureSet) {
    this.#state = state;
    this.#homeSet = homeSet;
    this.#check();
  }

  get sets(): readonly ErasureSet[] {
    return this.#state.sets;
  }

  /** The set that keeps the buckets. */
  get homeSet(): ErasureSet {
    return this.#homeSet;
  }

  /** Counts the changes. */
  get generation(): number {
    return this.#generation;
  }

  /** True when keys may be in transit. */
  get isMoving(): boolean {
    return this.#state.previous.length > 0;
  }

  /** The set a key is mapped to. */
  choose({ bucketId, keyBytes }: ObjectKey): ErasureSet {
    return this.#state.chooseSet(bucketId, keyBytes);
  }

  /** The other sets a key may still lie in. */
  sourcesOf(key: ObjectKey): readonly ErasureSet[] {
    if (!this.isMoving) return [];
    const chosen = this.choose(key);
    const earlier = this.#state.previous.map((choose) => choose(key.bucketId, key.keyBytes));
    return [...new Set(earlier)].filter((set) => set !== chosen);
  }

  /** The set that has a key now; to be read in the same turn. The one it is mapped to when none has it. */
  ownerOf(key: ObjectKey): ErasureSet {
    const chosen = this.choose(key);
    const sources = this.sourcesOf(key);
    if (sources.length === 0 || holdsWholeKey(chosen, key)) return chosen;
    return sources.find((set) => holdsWholeKey(set, key)) ?? chosen;
  }

  /** True when nothing of a key is anywhere but where it is mapped to: it can be changed there. */
  isSettled(key: ObjectKey): boolean {
    const sources = this.sourcesOf(key);
    return sources.length === 0 || (sources.every((set) => !holdsKey(set, key)) && !isMarked(this.choose(key), key));
  }

  /** Puts another state in place; alone in the gate. */
  replace(state: TopologyState): void {
    this.#state = state;
    this.#generation++;
    this.#check();
  }

  /** Names another home; alone in the gate. */
  moveHome(to: ErasureSet): void {
    this.#homeSet = to;
    this.#generation++;
    this.#check();
  }

  #check(): void {
    const { sets } = this.#state;
    invariant(new Set(sets).size === sets.length, "a topology names every set once");
    invariant(sets.includes(this.#homeSet), "the home set is one of the sets");
  }
}

/** Answers whether a listing shows an entry it found in a set: not those that are left over from a move or not yet whole. */
export type IsShown = (set: ErasureSet, name: Uint8Array) => boolean;

/** For the entries of a bucket, asked in their order within one turn. Undefined shows all. */
export function shownBy(topology: Topology, bucketId: number): IsShown | undefined {
  if (!topology.isMoving) return undefined;
  let last: { readonly name: Uint8Array; readonly owner: ErasureSet } | undefined;
  return (set, name) => {
    if (last === undefined || Buffer.compare(last.name, name) !== 0) {
      last = { name: name.slice(), owner: topology.ownerOf({ bucketId, keyBytes: name }) };
    }
    return last.owner === set;
  };
}
