/**
 * How much of each pack is live: one pass over the index, in slices. An entry keeps two things alive: its record, in the pack of the batch
 * that put it, and its payload, which may lie in an older one. Bytes are those on each drive.
 *
 * An entry counts what it takes when written together with others; frames of a single small operation are mostly padding, which counts as
 * garbage because writing them again gives it back. A payload that several entries share counts for each of them.
 */
import { packedShape } from "../format/packed-location.ts";
import type { SetEntry } from "./erasure-set.ts";
import { sequenceOf } from "./index-entry.ts";
import type { OpenSet } from "./open-set.ts";
import { type Pacer, unhurried } from "./pace.ts";
import { type PackFacts, packBytes, sealedPacks } from "./pack-facts.ts";
import { firstKey, visitSlice } from "./visit-slice.ts";

/** What a record takes beside its key and value: heads of byte strings, and where its own payload lies. */
const recordOverheadBytes = 24;

export interface PackUse extends PackFacts {
  /** Bytes on each drive that entries keep alive. */
  readonly liveBytes: number;
}

/** What a set's packs hold. */
export interface SetUse {
  /** Ascending; the last one is being filled. */
  readonly packs: readonly PackUse[];
  readonly totalBytes: number;
  readonly liveBytes: number;
  readonly entries: number;
}

/** Bytes of a record on each drive: it lies in its frame and in the pack's footer. */
export function recordBytes(keyBytes: number, valueBytes: number): number {
  return 2 * (keyBytes + valueBytes + recordOverheadBytes);
}

/** @throws ABORTED, LOG_DAMAGED */
export async function measurePacks(
  set: OpenSet,
  options: { readonly pacer?: Pacer | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<SetUse> {
  const { pacer = unhurried, signal } = options;
  const active = set.activePack;
  const sealed = await sealedPacks(set);
  const firstActive = Math.max(0, ...sealed.map((facts) => facts.lastSequence)) + 1;
  const tail = { pack: active, firstSequence: firstActive, lastSequence: Number.MAX_SAFE_INTEGER, bytes: await packBytes(set, active) };
  const counter = new LiveCounter([...sealed, tail]);
  let start: Uint8Array | undefined = firstKey;
  while (start !== undefined) {
    start = visitSlice(set, start, (key, entry) => counter.count(key, entry));
    await pacer.spend(0, signal);
  }
  return counter.result();
}

class LiveCounter {
  readonly #packs: readonly PackFacts[];
  readonly #live: Float64Array;
  readonly #places: ReadonlyMap<number, number>;
  #entries = 0;

  constructor(packs: readonly PackFacts[]) {
    this.#packs = packs;
    this.#live = new Float64Array(packs.length);
    this.#places = new Map(packs.map(({ pack }, i) => [pack, i]));
  }

  count(key: Uint8Array, { order, value, payload }: SetEntry): void {
    this.#entries++;
    this.#add(this.#placeOf(sequenceOf(order)), recordBytes(key.byteLength, value.byteLength));
    if (payload === undefined) return;
    const { pack, data, length } = packedShape(payload);
    // What was put in a new pack since the pass began counts for the one that was being filled then.
    this.#add(this.#places.get(pack) ?? this.#packs.length - 1, length / data);
  }

  #add(place: number, bytes: number): void {
    this.#live[place] = (this.#live[place] ?? 0) + bytes;
  }

  #placeOf(sequence: number): number {
    let low = 0;
    let high = this.#packs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#packs[middle] as PackFacts).firstSequence <= sequence) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  result(): SetUse {
    const packs = this.#packs.map((facts, i) => ({ ...facts, liveBytes: Math.min(facts.bytes, Math.ceil(this.#live[i] as number)) }));
    const sum = (of: (pack: PackUse) => number): number => packs.reduce((total, pack) => total + of(pack), 0);
    return { packs, totalBytes: sum((pack) => pack.bytes), liveBytes: sum((pack) => pack.liveBytes), entries: this.#entries };
  }
}
