/**
 * From paths to drives of a store: locks them, reads their labels, and tells the store's own drives from strangers. A drive is who its
 * label says, wherever it is mounted: drives listed in another order are told apart; one that belongs elsewhere is refused.
 */
import type { Clock } from "../base/clock.ts";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import type { Drive } from "../drive/drive.ts";
import { openLocalDrive } from "../drive/local-drive.ts";
import { type DriveLock, lockDrive, thisProcess } from "../drive/lock-drive.ts";
import { type DriveProbe, makeDriveDirectory, probeDrive } from "../drive/probe-drive.ts";
import { type DriveLabel, parseLabel } from "../format/label.ts";

export const labelFileName = "label";

/** A drive that was named in the settings and is there. */
export interface FoundDrive {
  readonly path: string;
  readonly drive: Drive;
  /** Undefined on a drive that cannot be written to. */
  readonly lock: DriveLock | undefined;
  /** Undefined on an empty drive. */
  readonly label: DriveLabel | undefined;
  /** Why it takes no writes. */
  readonly writeProblem: HoldfastError | undefined;
}

/** What was found at the paths of the settings. */
export interface FoundDrives {
  readonly found: readonly FoundDrive[];
  /** Path and reason of those that are not there. */
  readonly missing: readonly { readonly path: string; readonly problem: HoldfastError }[];
}

/** Replaces the drive at a path in tests, e.g. to inject faults. */
export type WrapDrive = (drive: Drive, path: string) => Drive;

/**
 * Looks at, locks and opens every drive.
 * @throws STORE_LOCKED, DRIVE_DUPLICATED, DRIVE_NOT_A_DIRECTORY, LABEL_DAMAGED, FORMAT_TOO_NEW; what it had locked is unlocked again
 */
export async function findDrives(paths: readonly string[], options: { create: boolean; clock: Clock; wrap?: WrapDrive | undefined }): Promise<FoundDrives> {
  const probes: DriveProbe[] = [];
  for (const path of paths) probes.push(await probeDrive(path));
  checkDistinct(probes);
  const isNew = !(await anyLabel(probes));
  if (isNew && options.create) await prepareNew(probes);
  const found: FoundDrive[] = [];
  const missing: { path: string; problem: HoldfastError }[] = [];
  try {
    for (const [i, path] of paths.entries()) {
      const probe = isNew && options.create ? await probeDrive(path) : (probes[i] as DriveProbe);
      if (probe.problem === undefined) found.push(await openFound(probe, options));
      else if (isHoldfastError(probe.problem, "DRIVE_NOT_A_DIRECTORY")) throw probe.problem;
      else missing.push({ path: probe.path, problem: probe.problem });
    }
    return { found, missing };
  } catch (error) {
    await releaseDrives(found);
    throw error;
  }
}

/** Unlocks and closes drives. Never throws. */
export async function releaseDrives(found: readonly FoundDrive[]): Promise<void> {
  for (const { drive, lock } of found) {
    await drive.close().catch(() => undefined);
    await lock?.release();
  }
}

function checkDistinct(probes: readonly DriveProbe[]): void {
  const seen = new Map<string, string>();
  for (const probe of probes) {
    const other = seen.get(probe.realPath);
    if (other !== undefined) {
      throw new HoldfastError("DRIVE_DUPLICATED", `${probe.path} and ${other} are the same directory; name every drive once`, { details: { path: probe.path, other } });
    }
    seen.set(probe.realPath, probe.path);
  }
}

async function anyLabel(probes: readonly DriveProbe[]): Promise<boolean> {
  for (const probe of probes) {
    if (probe.problem !== undefined) continue;
    const drive = await openLocalDrive(probe.path);
    const there = await drive.readFile(labelFileName).then(
      () => true,
      () => false,
    );
    await drive.close();
    if (there) return true;
  }
  return false;
}

/** Makes the directories of a new store; those that are there must be empty and writable. */
async function prepareNew(probes: readonly DriveProbe[]): Promise<void> {
  for (const probe of probes) {
    if (isHoldfastError(probe.problem, "DRIVE_NOT_FOUND")) await makeDriveDirectory(probe.path);
    else if (probe.writeProblem !== undefined) throw probe.writeProblem;
    else if (!probe.empty) {
      throw new HoldfastError("DRIVE_NOT_EMPTY", `${probe.path} is not empty (${probe.foundNames.join(", ")}) and no drive of a store; name an empty directory`, {
        details: { path: probe.path, found: probe.foundNames },
      });
    }
  }
}

async function openFound(probe: DriveProbe, options: { clock: Clock; wrap?: WrapDrive | undefined }): Promise<FoundDrive> {
  const { path, writeProblem } = probe;
  const lock = writeProblem === undefined ? await lockDrive(path, await thisProcess(options.clock), options.clock) : undefined;
  try {
    const local = await openLocalDrive(path);
    if (lock !== undefined) await local.clearUnfinished();
    const drive = options.wrap?.(local, path) ?? local;
    const bytes = await drive.readFile(labelFileName).catch((error: unknown) => {
      if (isHoldfastError(error, "FILE_NOT_FOUND")) return undefined;
      throw error;
    });
    const label = bytes === undefined ? undefined : parseLabelOf(path, bytes);
    return { path, drive, lock, label, writeProblem };
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

function parseLabelOf(path: string, bytes: Uint8Array): DriveLabel {
  try {
    return parseLabel(bytes);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(error.code, `${path}: ${error.message}`, { cause: error, details: { ...error.details, path } });
  }
}

/** The drives of one store by their id. */
export interface StoreDrives {
  /** The newest label: what the store is. */
  readonly label: DriveLabel;
  readonly members: ReadonlyMap<DriveId, FoundDrive>;
}

/**
 * Checks that labelled drives are different members of one store.
 * @throws DRIVE_FOREIGN for a drive of another store, an empty one, or one the store does not know; DRIVE_DUPLICATED for a copied drive
 */
export function gatherStore(found: readonly FoundDrive[]): StoreDrives {
  const label = newestLabel(found);
  const known = new Set(label.sets.flatMap((set) => set.drives));
  const members = new Map<DriveId, FoundDrive>();
  for (const drive of found) {
    const own = drive.label;
    if (own === undefined) continue;
    if (own.storeId !== label.storeId || !known.has(own.driveId)) {
      throw new HoldfastError("DRIVE_FOREIGN", `${drive.path} belongs to store ${own.storeId}, not to ${label.storeId}; mount the right drive there, or open that store by itself`, {
        details: { path: drive.path, storeId: own.storeId, expectedStoreId: label.storeId },
      });
    }
    const other = members.get(own.driveId);
    if (other !== undefined) {
      throw new HoldfastError("DRIVE_DUPLICATED", `${drive.path} is a copy of ${other.path} (drive ${own.driveId}); take one of them away`, {
        details: { path: drive.path, other: other.path, driveId: own.driveId },
      });
    }
    members.set(own.driveId, drive);
  }
  return { label, members };
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
