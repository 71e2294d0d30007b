/**
 * From the paths of the settings to locked, opened drives with their labels.
 *
 * Nothing is changed before everything has been looked at: a new store is made only where every path is an empty, writable directory or
 * none at all. Where any drive has a label the paths are those of a store that exists: then a drive that is not there, cannot be read or
 * has lost its label is listed as missing with the reason, for the store opens without it; and what is no drive of it is left untouched.
 */
import type { Clock } from "../base/clock.ts";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { Drive } from "../drive/drive.ts";
import { openLocalDrive } from "../drive/local-drive.ts";
import { type DriveLock, lockDrive, thisProcess } from "../drive/lock-drive.ts";
import { type DriveProbe, makeDriveDirectory, probeDrive } from "../drive/probe-drive.ts";
import { type DriveLabel, parseLabel } from "../format/label.ts";
import { checkDistinct } from "./check-distinct.ts";
import { isHalfMade, labelFileName } from "./drive-files.ts";

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

/** A drive that was named in the settings and cannot be used. */
export interface MissingDrive {
  readonly path: string;
  readonly problem: HoldfastError;
}

/** What was found at the paths of the settings, in their order. */
export interface FoundDrives {
  readonly found: readonly FoundDrive[];
  readonly missing: readonly MissingDrive[];
}

/** Replaces the drive at a path in tests, e.g. to inject faults. */
export type WrapDrive = (drive: Drive, path: string) => Drive;

export interface FindOptions {
  /** Whether a new store may be made. */
  readonly create: boolean;
  readonly clock: Clock;
  readonly wrap?: WrapDrive | undefined;
}

/** A path before anything is locked or changed. */
interface Look {
  readonly probe: DriveProbe;
  readonly labelled: boolean;
  /** Free to be taken for a new store. */
  readonly empty: boolean;
}

/**
 * Looks at, locks and opens every drive.
 * @throws STORE_LOCKED, STORE_NOT_FOUND, DRIVE_DUPLICATED, DRIVE_NOT_A_DIRECTORY, DRIVE_NOT_EMPTY, DRIVE_UNWRITABLE, DRIVE_UNREADABLE,
 *   LABEL_DAMAGED, FORMAT_TOO_NEW; what it had locked is unlocked again
 */
export async function findDrives(paths: readonly string[], options: FindOptions): Promise<FoundDrives> {
  const looks: Look[] = [];
  for (const path of paths) looks.push(await lookAt(path));
  checkDistinct(looks.map(({ probe }) => probe));
  const exists = looks.some((look) => look.labelled);
  if (!exists && !options.create) throw storeNotFound(looks);
  const found: FoundDrive[] = [];
  try {
    if (exists) return { found, missing: await openMembers(looks, found, options) };
    await makeDirectories(looks);
    for (const { probe } of looks)
      found.push(await openFound(probe.path, probe.problem === undefined ? probe.writeProblem : undefined, options));
    return { found, missing: [] };
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

async function lookAt(path: string): Promise<Look> {
  const probe = await probeDrive(path);
  if (probe.problem !== undefined) return { probe, labelled: false, empty: false };
  const drive = await openLocalDrive(probe.path);
  try {
    await drive.readFile(labelFileName);
    return { probe, labelled: true, empty: false };
  } catch (error) {
    // A label that is there and cannot be read is a label: no new store is made over it.
    if (!isHoldfastError(error, "FILE_NOT_FOUND")) return { probe, labelled: true, empty: false };
    return { probe, labelled: false, empty: probe.empty || (await isHalfMade(drive, probe.foundNames)) };
  } finally {
    await drive.close();
  }
}

function storeNotFound(looks: readonly Look[]): HoldfastError {
  const reasons = looks.map(({ probe }) => probe.problem?.message ?? `${probe.path} has no label`);
  return new HoldfastError(
    "STORE_NOT_FOUND",
    `there is no store on these drives: make one with holdfast init, or open with create: true (${reasons.join("; ")})`,
    {
      details: { paths: looks.map(({ probe }) => probe.path) },
    },
  );
}

/** Makes the directories of a new store; those that are there must be empty and writable. Checks all before it makes any. */
async function makeDirectories(looks: readonly Look[]): Promise<void> {
  const toMake: string[] = [];
  for (const { probe, empty } of looks) {
    if (isHoldfastError(probe.problem, "DRIVE_NOT_FOUND")) toMake.push(probe.path);
    else if (probe.writeProblem !== undefined) throw probe.writeProblem;
    else if (!empty) throw notEmpty(probe, "name an empty directory");
  }
  for (const path of toMake) await makeDriveDirectory(path);
}

function notEmpty(probe: DriveProbe, fix: string): HoldfastError {
  return new HoldfastError(
    "DRIVE_NOT_EMPTY",
    `${probe.path} is not empty (${probe.foundNames.join(", ")}) and has no label of a store: ${fix}`,
    {
      details: { path: probe.path, found: probe.foundNames },
    },
  );
}

/** Opens the drives of a store that exists into `found`; resolves with those it has to do without. */
async function openMembers(looks: readonly Look[], found: FoundDrive[], options: FindOptions): Promise<MissingDrive[]> {
  const missing: MissingDrive[] = [];
  for (const { probe, labelled, empty } of looks) {
    const { path } = probe;
    try {
      if (probe.problem !== undefined) throw probe.problem;
      if (!labelled && !empty) throw notEmpty(probe, "mount the right drive there, or empty it");
      found.push(await openFound(path, probe.writeProblem, options));
    } catch (error) {
      if (!isHoldfastError(error) || stopsOpening(error)) throw error;
      missing.push({ path, problem: error });
    }
  }
  if (found.some((drive) => drive.label !== undefined)) return missing;
  throw missing.find(({ problem }) => problem.code === "LABEL_DAMAGED")?.problem ?? (missing[0] as MissingDrive).problem;
}

/** What the operator has to look at first, however many other drives there are. */
function stopsOpening(error: HoldfastError): boolean {
  return isHoldfastError(error, "STORE_LOCKED", "FORMAT_TOO_NEW", "DRIVE_NOT_A_DIRECTORY");
}

/** Locks and opens one drive. @throws STORE_LOCKED, LABEL_DAMAGED, FORMAT_TOO_NEW, and why it cannot be opened */
export async function openFound(
  path: string,
  writeProblem: HoldfastError | undefined,
  options: Pick<FindOptions, "clock" | "wrap">,
): Promise<FoundDrive> {
  const { lock, problem } = await lockIfWritable(path, writeProblem, options.clock);
  let drive: Drive | undefined;
  try {
    const local = await openLocalDrive(path);
    drive = local;
    if (lock !== undefined) await local.clearUnfinished();
    drive = options.wrap?.(local, path) ?? local;
    return { path, drive, lock, label: await readLabel(drive, path), writeProblem: problem };
  } catch (error) {
    await drive?.close().catch(() => undefined);
    await lock?.release();
    throw error;
  }
}

/**
 * A drive that cannot be written to cannot be locked either, and is only read. One that is just full may yet take the lock; if not, it
 * stays read-only also when space comes back, since another process may have it then.
 */
async function lockIfWritable(
  path: string,
  writeProblem: HoldfastError | undefined,
  clock: Clock,
): Promise<{ lock?: DriveLock; problem?: HoldfastError }> {
  if (writeProblem !== undefined && writeProblem.code !== "DRIVE_FULL") return { problem: writeProblem };
  try {
    const lock = await lockDrive(path, await thisProcess(clock), clock);
    return writeProblem === undefined ? { lock } : { lock, problem: writeProblem };
  } catch (error) {
    if (!isHoldfastError(error, "DRIVE_FULL")) throw error;
    const message = `drive ${path} has not even room for its lock, so it is only read: free space there and open the store again`;
    return { problem: new HoldfastError("DRIVE_UNWRITABLE", message, { cause: error, details: { drive: path, path } }) };
  }
}

/** The label of a drive; undefined where there is none. @throws LABEL_DAMAGED, FORMAT_TOO_NEW */
export async function readLabel(drive: Drive, path: string): Promise<DriveLabel | undefined> {
  try {
    return parseLabel(await drive.readFile(labelFileName));
  } catch (error) {
    if (isHoldfastError(error, "FILE_NOT_FOUND")) return undefined;
    if (!isHoldfastError(error, "LABEL_DAMAGED", "FORMAT_TOO_NEW")) throw error;
    throw new HoldfastError(error.code, `drive ${path}: ${error.message}`, { cause: error, details: { ...error.details, path } });
  }
}
