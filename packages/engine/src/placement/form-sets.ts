/**
 * Drives to sets.
 *
 * The drives are sorted by region, zone, node and capacity, and dealt to the sets like cards. Every domain of every level is a run
 * of that order, so each set gets the c drives of a domain evenly: at most ⌈c / sets⌉, which is the least any way of dealing can
 * reach. In particular no two drives of a set share a domain wherever the topology allows it, at all levels at once.
 */

import { HoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { setDrivesMax } from "../base/limits.ts";
import type { Profile } from "./profile.ts";
import { validateProfile } from "./profile.ts";
import type { PlannedSet } from "./set-account.ts";
import { describeSet } from "./set-account.ts";
import type { DriveDescription } from "./topology.ts";
import { compareNames } from "./topology.ts";

/**
 * Forms as many sets of at least k + m drives as the drives allow, of sizes that differ by one at most. The same drives give the same
 * sets in whatever order they are named.
 * @throws SETTINGS_INVALID
 */
export function formSets(drives: readonly DriveDescription[], profile: Profile): PlannedSet[] {
  validateProfile(profile, drives.length);
  checkDistinct(drives);
  const sorted = [...drives].sort(compareDrives);
  const sets = Math.floor(sorted.length / (profile.data + profile.parity));
  const hands = Array.from({ length: sets }, (_, set) => sorted.filter((_drive, card) => card % sets === set));
  for (const hand of hands) checkSize(hand.length);
  return hands.map((hand) => describeSet(hand, profile));
}

function compareDrives(a: DriveDescription, b: DriveDescription): number {
  return (
    compareNames(a.region, b.region) ||
    compareNames(a.zone, b.zone) ||
    compareNames(a.node, b.node) ||
    b.capacityBytes - a.capacityBytes ||
    compareNames(a.id, b.id)
  );
}

function checkDistinct(drives: readonly DriveDescription[]): void {
  const seen = new Set<string>();
  for (const { id } of drives) {
    invariant(!seen.has(id), "a drive is described once");
    seen.add(id);
  }
}

/** A set may be wider than its profile, up to what its slot maps hold. */
function checkSize(drives: number): void {
  if (drives <= setDrivesMax) return;
  throw new HoldfastError(
    "SETTINGS_INVALID",
    `erasure: the profile makes sets of ${drives} drives, at most ${setDrivesMax} can be one set; use a wider profile`,
    {
      details: { field: "erasure", drives },
    },
  );
}
