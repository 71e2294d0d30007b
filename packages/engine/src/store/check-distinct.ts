import { sep } from "node:path";
import { HoldfastError } from "../base/errors.ts";
import type { DriveProbe } from "../drive/probe-drive.ts";

/** Checks that no path leads to the directory of another one, or into it. @throws DRIVE_DUPLICATED */
export function checkDistinct(probes: readonly Pick<DriveProbe, "path" | "realPath">[]): void {
  const sorted = probes.map((probe) => ({ ...probe, within: probe.realPath.endsWith(sep) ? probe.realPath : probe.realPath + sep }));
  // With the separator at the end, everything inside a directory sorts right behind it.
  sorted.sort((a, b) => (a.within < b.within ? -1 : a.within > b.within ? 1 : 0));
  for (const [i, { path, within }] of sorted.entries()) {
    const other = sorted[i - 1];
    if (other === undefined || !within.startsWith(other.within)) continue;
    const how =
      within === other.within
        ? `are the same directory (${other.realPath}); name every drive once`
        : "lie one inside the other; give every drive a directory of its own";
    throw new HoldfastError("DRIVE_DUPLICATED", `drives ${other.path} and ${path} ${how}`, { details: { path, other: other.path } });
  }
}
