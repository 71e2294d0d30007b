/**
 * Merging the names of several sets into one listing. Every set is read ahead by about its share of the page, and again when that is
 * used up, so that a page costs about as much over many sets as over one.
 */
import { compareBytes } from "../base/bytes.ts";
import type { ErasureSet } from "../set/erasure-set.ts";
import type { ListedName } from "./list-scan.ts";

/** Reads at most `limit` names of a set after `last` (the start of the listing when undefined); fewer only at the end. */
export type ReadNames<T> = (set: ErasureSet, last: ListedName<T> | undefined, limit: number) => ListedName<T>[];

interface Lane<T> {
  readonly set: ErasureSet;
  names: ListedName<T>[];
  at: number;
  isAtEnd: boolean;
}

/** Names each set is read ahead beyond its share of the page. */
const slack = 16;

/** At most `limit` names of all sets in order, common prefixes once. */
export function mergeNames<T>(sets: readonly ErasureSet[], limit: number, read: ReadNames<T>): ListedName<T>[] {
  const [only] = sets;
  if (only !== undefined && sets.length === 1) return limit > 0 ? read(only, undefined, limit) : [];
  const share = Math.min(limit, Math.ceil(limit / sets.length) + slack);
  const lanes = sets.map((set): Lane<T> => ({ set, names: [], at: 0, isAtEnd: false }));
  const merged: ListedName<T>[] = [];
  while (merged.length < limit) {
    const next = takeLeast(lanes, (lane) => refill(lane, share, read));
    if (next === undefined) break;
    const last = merged.at(-1);
    const isRepeated =
      next.value === undefined && last?.value === undefined && last !== undefined && compareBytes(last.name, next.name) === 0;
    if (!isRepeated) merged.push(next);
  }
  return merged;
}

function takeLeast<T>(lanes: readonly Lane<T>[], refillLane: (lane: Lane<T>) => void): ListedName<T> | undefined {
  let least: Lane<T> | undefined;
  for (const lane of lanes) {
    if (lane.at === lane.names.length) refillLane(lane);
    const head = lane.names[lane.at];
    if (head === undefined) continue;
    const best = least?.names[least.at];
    if (best === undefined || compareBytes(head.name, best.name) < 0) least = lane;
  }
  return least?.names[least.at++];
}

function refill<T>(lane: Lane<T>, limit: number, read: ReadNames<T>): void {
  if (lane.isAtEnd) return;
  lane.names = read(lane.set, lane.names.at(-1), limit);
  lane.at = 0;
  lane.isAtEnd = lane.names.length < limit;
}
