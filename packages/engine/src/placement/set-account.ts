import type { Profile } from "./profile.ts";
import type { DomainLevel, DriveDescription } from "./topology.ts";
import { countDomains, domainLevels } from "./topology.ts";

/** A set as planned: its drives and an account of what it stands. */
export interface PlannedSet {
  readonly drives: readonly DriveDescription[];
  readonly profile: Profile;
  /** The widest level at which no two drives of the set share a domain; `drive` when some share a node. */
  readonly separation: DomainLevel | "drive";
  /** Drives of the set in the fullest domain of each level. */
  readonly domainDrivesMax: Readonly<Record<DomainLevel, number>>;
  /** How many drives, or whole domains of a level, may be lost at once without losing data, whichever they are. */
  readonly survives: Readonly<Record<DomainLevel | "drive", number>>;
  /** What the set can store of objects: its smallest drive on all of them, less parity. The weight of the set for `createSetChooser`. */
  readonly usableBytes: number;
}

/** Takes stock of drives that form a set. */
export function describeSet(drives: readonly DriveDescription[], profile: Profile): PlannedSet {
  const domainDrivesMax = perLevel((level) => Math.max(...countDomains(drives, level).values()));
  const smallest = Math.min(...drives.map((drive) => drive.capacityBytes));
  return {
    drives,
    profile,
    separation: domainLevels.find((level) => domainDrivesMax[level] === 1) ?? "drive",
    domainDrivesMax,
    survives: { ...perLevel((level) => Math.floor(profile.parity / domainDrivesMax[level])), drive: profile.parity },
    usableBytes: Math.floor((smallest * drives.length * profile.data) / (profile.data + profile.parity)),
  };
}

function perLevel(measure: (level: DomainLevel) => number): Record<DomainLevel, number> {
  return { region: measure("region"), zone: measure("zone"), node: measure("node") };
}
