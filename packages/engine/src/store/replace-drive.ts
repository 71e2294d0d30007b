/**
 * A new drive in the place of an old one, under its number.
 *
 *   1  the empty drive is marked as not voting, then labelled: from here an opening that finds it goes on with it
 *   2  the old drive, if it is there, is let go; the others get the label: from here it is a stranger
 *   3  the new one joins its set, and healing makes what belongs on it
 */
import { HoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import { withReplacement } from "./change-label.ts";
import { giveBack } from "./drive-access.ts";
import { patiently } from "./held-drives.ts";
import type { DriveSettings } from "./settings.ts";
import type { StoreDrives } from "./store-drives.ts";
import { type DrivePlace, hasLeft } from "./topology.ts";

export interface ReplaceOptions {
  /** Called when there is no other way but forward: settings that name the old path are to name the new one from now on. */
  readonly onLabelled?: (() => Promise<void>) | undefined;
}

/** What came of a replacement. */
export interface ReplacedDrive {
  readonly oldId: DriveId;
  readonly newId: DriveId;
  readonly path: string;
}

/**
 * Puts the empty directory `newPath` (made when it is not there) in the place of a drive that is missing, failed or healthy, named by its path
 * or id. Resolves when the new drive takes writes.
 * @throws DRIVE_NOT_FOUND, DRIVE_NOT_EMPTY, DRIVE_FOREIGN, DRIVE_DUPLICATED, DRIVES_MISSING, WRITE_QUORUM_LOST, and why it cannot be written
 */
export function replaceDrive(drives: StoreDrives, old: string, newPath: string, options: ReplaceOptions = {}): Promise<ReplacedDrive> {
  return drives.exclusive(async () => {
    const place = findDrive(drives, old);
    return replaceInPlace(drives, place, { path: drives.pathOf(newPath), ...options });
  });
}

/** The same for a place, where changes are made already. */
export async function replaceInPlace(
  drives: StoreDrives,
  place: DrivePlace,
  { path, onLabelled }: ReplaceOptions & { readonly path: string },
): Promise<ReplacedDrive> {
  const oldId = drives.idAt(place);
  const oldPath = drives.held.homeOf(oldId);
  const joining = await drives.openNew(path);
  let decided = false;
  try {
    await drives.markFresh(joining, place.setId);
    await drives.change({
      sets: withReplacement(drives.label.sets, place, joining.id),
      movingFrom: drives.label.movingFrom,
      joining: [joining],
      needs: new Map([[place.setId, drives.witnessesOfLoss(place.setId, oldId)]]),
      without: oldId,
      onLabelled,
      onDecided: () => {
        decided = true;
        void drives.unseat(place, { state: "offline", reason: `it is being replaced by ${path}` });
        drives.held.forgetHome(oldId);
        renamePlace(drives, oldPath, path);
      },
    });
  } catch (error) {
    if (!decided) await giveBack(joining.found);
    throw error;
  }
  await patiently(drives.memberAt(place)?.left() ?? Promise.resolve(), `what was asked of drive ${oldPath ?? oldId}`);
  await drives.seat(place);
  return { oldId, newId: joining.id, path };
}

function renamePlace(drives: StoreDrives, from: string | undefined, to: string): void {
  const known: DriveSettings | undefined = from === undefined ? undefined : drives.places.get(from);
  if (from !== undefined) drives.places.delete(from);
  drives.places.set(to, { region: "", zone: "", node: "", ...known, path: to });
}

/** The place of a drive by its path or id. @throws DRIVE_NOT_FOUND */
export function findDrive(drives: StoreDrives, named: string): DrivePlace {
  const path = drives.pathOf(named);
  for (const set of drives.label.sets) {
    for (const [ordinal, id] of set.drives.entries()) {
      if (hasLeft(set, ordinal)) continue;
      if (id === named || drives.held.homeOf(id) === path) return { setId: set.setId, ordinal };
    }
  }
  throw new HoldfastError(
    "DRIVE_NOT_FOUND",
    `${named} is no drive of the store: name its path, or, when it is missing, its id as holdfast status shows it`,
    {
      details: { drive: named },
    },
  );
}
