import type { ErasureSet, SetEntry } from "./erasure-set.ts";
import { isUpkeepKey } from "./index-entry.ts";

/** Entries looked at without letting the event loop go round: about a millisecond. */
const sliceEntriesMax = 1000;

/** The first key of a set's map, but for the sequence the index keeps for itself. */
export const firstKey = Uint8Array.of(0x01);

/** Visits the next entries from `start` on; gives where to go on, undefined at the end. */
export function visitSlice(set: ErasureSet, start: Uint8Array, visit: (key: Uint8Array, entry: SetEntry) => void): Uint8Array | undefined {
  let count = 0;
  let last: Uint8Array = start;
  set.scan({ start, end: undefined }, (key, entry) => {
    count++;
    last = key;
    if (!isUpkeepKey(key)) visit(key, entry());
    return count < sliceEntriesMax;
  });
  if (count < sliceEntriesMax) return undefined;
  const next = new Uint8Array(last.byteLength + 1);
  next.set(last);
  return next;
}
