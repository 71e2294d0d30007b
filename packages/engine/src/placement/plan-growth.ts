/**
 * New drives in a store. Nothing that exists is torn apart: a set keeps all its drives, so no shard has to move.
 *
 * Enough new drives to be sets of their own become such, if those are separated at least as well as the worst set there is: then
 * keys move to the new sets alone, in proportion to their weight. Otherwise each drive joins the set that it suits best: the one with
 * the fewest drives in its node, then zone, then region, then the fewest drives at all. New batches use it from then on.
 */
import { setDrivesMax } from "../base/limits.ts";
import { formSets } from "./form-sets.ts";
import type { PlannedSet } from "./set-account.ts";
import { describeSet } from "./set-account.ts";
import type { DomainLevel, DriveDescription } from "./topology.ts";
import { compareNames, domainLevels, domainOf } from "./topology.ts";

/** A set that exists. */
export interface ExistingSet extends PlannedSet {
  readonly id: string;
}

export interface GrowthPlan {
  /** Sets to be made of new drives. */
  readonly newSets: readonly PlannedSet[];
  /** Sets that get drives, as they are afterwards. */
  readonly extendedSets: readonly ExistingSet[];
  /** New drives for which every set is full. */
  readonly unplaced: readonly DriveDescription[];
}

/** Plans what becomes of `added`; all existing sets have one profile. The order of the drives makes no difference. */
export function planGrowth(existing: readonly ExistingSet[], added: readonly DriveDescription[]): GrowthPlan {
  const first = existing[0];
  if (first === undefined || added.length === 0) return { newSets: [], extendedSets: [], unplaced: added };
  const { profile } = first;
  if (added.length >= profile.data + profile.parity) {
    const newSets = formSets(added, profile);
    if (worst(newSets) <= worst(existing)) return { newSets, extendedSets: [], unplaced: [] };
  }
  return extend(existing, added);
}

function extend(existing: readonly ExistingSet[], added: readonly DriveDescription[]): GrowthPlan {
  const grown = existing.map((set) => ({ set, drives: [...set.drives] })).sort((a, b) => compareNames(a.set.id, b.set.id));
  const unplaced: DriveDescription[] = [];
  for (const drive of [...added].sort((a, b) => compareNames(a.id, b.id))) {
    const open = grown.filter(({ drives }) => drives.length < setDrivesMax);
    if (open.length === 0) unplaced.push(drive);
    else open.reduce((best, other) => (compareFit(other.drives, best.drives, drive) < 0 ? other : best)).drives.push(drive);
  }
  const extended = grown.filter(({ set, drives }) => drives.length > set.drives.length);
  return { newSets: [], extendedSets: extended.map(({ set, drives }) => ({ ...describeSet(drives, set.profile), id: set.id })), unplaced };
}

/** Below zero when `drive` suits the set of drives `a` better than `b`. */
function compareFit(a: readonly DriveDescription[], b: readonly DriveDescription[], drive: DriveDescription): number {
  for (const level of domainLevels.toReversed()) {
    const difference = neighbours(a, drive, level) - neighbours(b, drive, level);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function neighbours(drives: readonly DriveDescription[], drive: DriveDescription, level: DomainLevel): number {
  const domain = domainOf(drive, level);
  return drives.filter((other) => domainOf(other, level) === domain).length;
}

/** The separation of the worst of some sets: 0 for region, 1 for zone, 2 for node, 3 for drive. */
function worst(sets: readonly PlannedSet[]): number {
  return Math.max(...sets.map(({ separation }) => (separation === "drive" ? domainLevels.length : domainLevels.indexOf(separation))));
}
