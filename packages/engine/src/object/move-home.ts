/**
 * The home set keeps the records of all buckets and the counter of bucket ids. Whichever set has the counter is the home: of several the
 * one whose counter has the highest generation, because moving the home copies the records first, then puts the counter, one generation
 * higher, and only then deletes everything in the old home. A crash in between leaves copies that count for nothing and are cleared by
 * the next move.
 */
import { invariant } from "../base/invariant.ts";
import type { ErasureSet, SetEntry } from "../set/erasure-set.ts";
import type { ObjectContext } from "./context.ts";
import { bucketCounterKey, endOf, keyTags } from "./keys.ts";
import { packRecord, recordVersion } from "./record-codec.ts";
import { RecordFields } from "./record-fields.ts";

/** The counter of bucket ids. */
export interface BucketCounter {
  readonly nextId: number;
  /** How often the home was moved. */
  readonly generation: number;
}

/** Entries of one commit. */
const commitEntriesMax = 1000;

/** The counter in a set; undefined where no bucket was ever made and no home was moved to. @throws INDEX_DAMAGED */
export function readCounter(reader: Pick<ErasureSet, "get">): BucketCounter | undefined {
  const entry = reader.get(bucketCounterKey);
  if (entry === undefined) return undefined;
  const fields = new RecordFields(entry.value, "the bucket counter");
  return { nextId: fields.integer(1), generation: fields.integerOrZero(2) };
}

/** The bytes of the counter. */
export function packCounter({ nextId, generation }: BucketCounter): Uint8Array {
  return packRecord([recordVersion, nextId, generation === 0 ? null : generation]);
}

/** The set that keeps the buckets; `first` when none does yet. @throws INDEX_DAMAGED */
export function findHome(sets: readonly ErasureSet[], first: ErasureSet): ErasureSet {
  invariant(sets.includes(first), "the home set is one of the sets");
  let home = first;
  let generation = -1;
  for (const set of [first, ...sets]) {
    const counter = readCounter(set);
    if (counter === undefined || counter.generation <= generation) continue;
    home = set;
    generation = counter.generation;
  }
  return home;
}

/** Makes `to` the home; does nothing but clear old copies when it is. Alone in the gate of the topology: it lasts some commits. */
export async function moveHome(context: ObjectContext, to: ErasureSet): Promise<void> {
  const { topology } = context;
  await topology.gate.alone(async () => {
    const from = topology.homeSet;
    for (const set of topology.sets) if (set !== from) await clearHome(set);
    if (from === to) return;
    const counter = readCounter(from) ?? { nextId: 1, generation: 0 };
    for (const keys of slices(homeKeys(from))) {
      const entries = keys.map((key) => ({ key, value: (from.get(key) as SetEntry).value.slice() }));
      await to.commit({ decide: (tx) => entries.forEach(({ key, value }) => void tx.put(key, value)) });
    }
    await to.commit({
      decide: (tx) => tx.put(bucketCounterKey, packCounter({ ...counter, generation: counter.generation + 1 })),
    });
    topology.moveHome(to);
    await clearHome(from);
  });
}

/** The counter last: while it is there, so is everything else, or another one counts more. */
async function clearHome(set: ErasureSet): Promise<void> {
  for (const keys of slices(homeKeys(set))) await set.commit({ decide: (tx) => keys.forEach((key) => void tx.delete(key)) });
  if (readCounter(set) !== undefined) await set.commit({ decide: (tx) => tx.delete(bucketCounterKey) });
}

function homeKeys(set: ErasureSet): Uint8Array[] {
  const keys: Uint8Array[] = [];
  const start = Uint8Array.of(keyTags.bucket);
  set.scan({ start, end: endOf(start) }, (key) => {
    keys.push(key.slice());
    return true;
  });
  return keys;
}

function* slices(keys: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  for (let at = 0; at < keys.length; at += commitEntriesMax) yield keys.slice(at, at + commitEntriesMax);
}
