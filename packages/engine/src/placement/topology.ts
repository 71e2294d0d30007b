/**
 * Failure domains. A drive lies in a node, a node in a zone, a zone in a region; what fails together shares a domain. Names are
 * whatever the operator calls things: a zone is told from one of the same name in another region, a node likewise.
 */

/** A drive as placement sees it. */
export interface DriveDescription {
  readonly id: string;
  readonly region: string;
  readonly zone: string;
  readonly node: string;
  readonly capacityBytes: number;
}

/** Levels of domains, the widest first. */
export const domainLevels = ["region", "zone", "node"] as const;
export type DomainLevel = (typeof domainLevels)[number];

/** The name of a drive's domain, unique over the whole topology. */
export function domainOf(drive: DriveDescription, level: DomainLevel): string {
  if (level === "region") return JSON.stringify([drive.region]);
  if (level === "zone") return JSON.stringify([drive.region, drive.zone]);
  return JSON.stringify([drive.region, drive.zone, drive.node]);
}

/** Domain to number of drives in it. */
export function countDomains(drives: readonly DriveDescription[], level: DomainLevel): Map<string, number> {
  const counts = new Map<string, number>();
  for (const drive of drives) {
    const domain = domainOf(drive, level);
    counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
  return counts;
}

/** Below zero, zero, above zero: by UTF-16 code units, the same on every machine and in every locale. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
