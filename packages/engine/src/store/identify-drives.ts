/**
 * Tells a store's own drives from strangers. A drive is who its label says, wherever it is mounted: drives named in another order are told
 * apart; one that belongs elsewhere is refused.
 */
import { HoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import type { DriveLabel } from "../format/label.ts";
import { isHalfAdded } from "./drive-files.ts";
import type { FoundDrive } from "./find-drives.ts";
import { hasLeft } from "./topology.ts";

/** The drives of one store by their id. */
export interface IdentifiedDrives {
  /** The newest label: what the store is. */
  readonly label: DriveLabel;
  readonly members: ReadonlyMap<DriveId, FoundDrive>;
  /** Drives of the store that it does without: they have left it, alone or with their set, or joining it was interrupted and never decided. */
  readonly strays: readonly FoundDrive[];
}

/**
 * Checks that labelled drives, of which there is at least one, are different members of one store. Drives without a label are left out.
 * @throws DRIVE_FOREIGN for a drive of another store, or one the store does not know; DRIVE_DUPLICATED for a copied drive
 */
export async function gatherStore(found: readonly FoundDrive[]): Promise<IdentifiedDrives> {
  const label = newestLabel(found);
  const known = new Set(label.sets.flatMap((set) => set.drives));
  const left = new Set(label.sets.flatMap((set) => set.drives.filter((_, ordinal) => hasLeft(set, ordinal))));
  const members = new Map<DriveId, FoundDrive>();
  const strays: FoundDrive[] = [];
  for (const drive of found) {
    const own = drive.label;
    if (own === undefined) continue;
    if (own.storeId !== label.storeId) {
      const [path, other] = [drive.path, found.find((candidate) => candidate.label?.storeId === label.storeId)?.path];
      throw foreign(
        `drive ${path} belongs to store ${own.storeId}, and ${other} to ${label.storeId}: mount the right drive there, or open that store by itself`,
        drive,
        label,
      );
    }
    const isOfSet = label.sets.some(({ setId }) => setId === own.setId);
    if (left.has(own.driveId) || !isOfSet || (!known.has(own.driveId) && (await isHalfAdded(drive.drive)))) {
      strays.push(drive);
      continue;
    }
    if (!known.has(own.driveId)) {
      const fix = "name the directory that replaced it instead, or leave it out (empty it to use it again)";
      throw foreign(`drive ${drive.path} was taken out of the store: ${fix}`, drive, label);
    }
    const twin = members.get(own.driveId);
    if (twin !== undefined) {
      throw new HoldfastError(
        "DRIVE_DUPLICATED",
        `drive ${drive.path} is a copy of ${twin.path} (both are drive ${own.driveId}): leave one of them out`,
        {
          details: { path: drive.path, other: twin.path, driveId: own.driveId },
        },
      );
    }
    members.set(own.driveId, drive);
  }
  return { label, members, strays };
}

function foreign(message: string, drive: FoundDrive, label: DriveLabel): HoldfastError {
  return new HoldfastError("DRIVE_FOREIGN", message, {
    details: { path: drive.path, storeId: drive.label?.storeId, expectedStoreId: label.storeId },
  });
}

/** The label of the store most drives belong to, in its newest form. */
function newestLabel(found: readonly FoundDrive[]): DriveLabel {
  const labels = found.flatMap((drive) => (drive.label === undefined ? [] : [drive.label]));
  const votes = new Map<string, number>();
  for (const { storeId } of labels) votes.set(storeId, (votes.get(storeId) ?? 0) + 1);
  const winner = [...votes].sort((a, b) => b[1] - a[1])[0]?.[0];
  const own = labels.filter((label) => label.storeId === winner).sort((a, b) => b.labelSequence - a.labelSequence);
  return own[0] as DriveLabel;
}
