/**
 * Merging the names of several sets into one listing. Every set is read ahead by about its share of the page, and again when that is
 * used up, so that a page costs about as much over many sets as over one.
 */
import { compareBytes } from "../base/bytes.ts";
import type { ErasureSet } from "../set/erasure-set.ts";
import type { ListedName } from "./list-scan.ts";
import { shownBy, type Topology } from "./topology.ts";

/** What is read of one set. */
export interface SetPage<T> {
  readonly set: ErasureSet;
  /** The last name before the page; the start of the listing when undefined. */
  readonly last: ListedName<T> | undefined;
  readonly limit: number;
  /** Answers whether a key the set has is shown: not when it has but a part of it, or has it no more. All are when undefined. */
  readonly isShown: ((name: Uint8Array) => boolean) | undefined;
}

/** Reads at most `limit` names of a set; fewer only at the end. */
export type ReadNames<T> = (page: SetPage<T>) => ListedName<T>[];

interface Lane<T> {
  readonly set: ErasureSet;
  names: ListedName<T>[];
  at: number;
  isAtEnd: boolean;
}

/** Names each set is read ahead beyond its share of the page. */
const slack = 16;

/** At most `limit` names of a bucket in all sets in order, common prefixes once; all within one turn. */
export function mergeNames<T>(
  { topology, bucketId, limit }: { readonly topology: Topology; readonly bucketId: number; readonly limit: number },
  read: ReadNames<T>,
): ListedName<T>[] {
  const { sets } = topology;
  const [only] = sets;
  if (only !== undefined && sets.length === 1) return limit > 0 ? read({ set: only, last: undefined, limit, isShown: undefined }) : [];
  const isShownIn = shownBy(topology, bucketId);
  const readLane = (lane: Lane<T>): ListedName<T>[] => {
    const isShown = isShownIn === undefined ? undefined : (name: Uint8Array): boolean => isShownIn(lane.set, name);
    return read({ set: lane.set, last: lane.names.at(-1), limit: share, isShown });
  };
  const share = Math.min(limit, Math.ceil(limit / sets.length) + slack);
  const lanes = sets.map((set): Lane<T> => ({ set, names: [], at: 0, isAtEnd: false }));
  const merged: ListedName<T>[] = [];
  while (merged.length < limit) {
    const next = takeLeast(lanes, (lane) => refill(lane, share, readLane));
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

function refill<T>(lane: Lane<T>, limit: number, read: (lane: Lane<T>) => ListedName<T>[]): void {
  if (lane.isAtEnd) return;
  lane.names = read(lane);
  lane.at = 0;
  lane.isAtEnd = lane.names.length < limit;
}
