import { constants } from "node:fs";
import { mkdir, readdir, realpath, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { HoldfastError } from "../base/errors.ts";
import { incomingFolder, lockPrefix } from "./drive-name.ts";
import { mapDriveError, systemCode } from "./map-error.ts";
import { canSyncDirectories, closeFd, fsync, openFd, writeFully } from "./system-calls.ts";

/** What a look at a drive's directory found, before anything is opened. */
export interface DriveProbe {
  /** Absolute path. */
  readonly path: string;
  /** The same with symbolic links followed: equal for two names of one directory. The absolute path when it is not there. */
  readonly realPath: string;
  /** Why it cannot even be read: DRIVE_NOT_FOUND, DRIVE_NOT_A_DIRECTORY, DRIVE_UNREADABLE or DRIVE_IO_ERROR. */
  readonly problem: HoldfastError | undefined;
  /** Why it cannot be written to: DRIVE_UNWRITABLE, DRIVE_FULL or DRIVE_IO_ERROR; the same as `problem` when there is one. */
  readonly writeProblem: HoldfastError | undefined;
  /** True when nothing lies in it but what the system or an interrupted start of ours put there. */
  readonly empty: boolean;
  /** A few of the names that make it not empty, for messages. */
  readonly foundNames: readonly string[];
  /** The number of the file system it lies on: equal for two drives that would be lost together. */
  readonly fileSystem: number | undefined;
}

/** What a look that changes nothing tells of a drive's directory. */
export interface DirectoryLook {
  /** Absolute path. */
  readonly path: string;
  /** Why it cannot be looked into: DRIVE_NOT_FOUND, DRIVE_NOT_A_DIRECTORY, DRIVE_UNREADABLE or DRIVE_IO_ERROR. */
  readonly problem: HoldfastError | undefined;
  /** Equal as long as it is the same directory on the same file system; undefined where the system does not number them. */
  readonly identity: string | undefined;
  /** True when a file system is mounted on it. */
  readonly isMountPoint: boolean;
  readonly empty: boolean;
  /** A few of the names that make it not empty, for messages. */
  readonly foundNames: readonly string[];
}

const foundNamesMax = 5;
const probePrefix = `${lockPrefix}probe-`;
/** Entries of the system that do not make a directory taken; dotfiles are left out as well. */
const systemEntries: ReadonlySet<string> = new Set(["lost+found", "System Volume Information", "$RECYCLE.BIN", "Thumbs.db", "desktop.ini"]);
let probeCount = 0;

/** Looks at the directory of a drive: is it there, readable, writable (tried with a real file), empty? Throws nothing. */
export async function probeDrive(path: string): Promise<DriveProbe> {
  const absolute = resolve(path);
  let fileSystem: number | undefined;
  try {
    const stats = await stat(absolute);
    fileSystem = stats.dev;
    if (!stats.isDirectory()) throw Object.assign(new Error("not a directory"), { code: "ENOTDIR" });
    const realPath = await realpath(absolute);
    const foundNames = (await readdir(absolute)).filter(isForeignToAnEmptyDrive).sort().slice(0, foundNamesMax);
    const writeProblem = await tryWriting(absolute);
    return { path: absolute, realPath, problem: undefined, writeProblem, empty: foundNames.length === 0, foundNames, fileSystem };
  } catch (error) {
    const problem = openingProblem(absolute, error);
    return { path: absolute, realPath: absolute, problem, writeProblem: problem, empty: false, foundNames: [], fileSystem };
  }
}

/** Looks at the directory of a drive and writes nothing. Throws nothing. */
export async function lookAtDirectory(path: string): Promise<DirectoryLook> {
  const absolute = resolve(path);
  try {
    const stats = await stat(absolute, { bigint: true });
    if (!stats.isDirectory()) throw Object.assign(new Error("not a directory"), { code: "ENOTDIR" });
    const above = await stat(dirname(await realpath(absolute)), { bigint: true });
    const foundNames = (await readdir(absolute)).filter(isForeignToAnEmptyDrive).sort().slice(0, foundNamesMax);
    const identity = stats.ino === 0n ? undefined : `${stats.dev}:${stats.ino}`;
    return {
      path: absolute,
      problem: undefined,
      identity,
      isMountPoint: stats.dev !== above.dev,
      empty: foundNames.length === 0,
      foundNames,
    };
  } catch (error) {
    const problem = openingProblem(absolute, error);
    return { path: absolute, problem, identity: undefined, isMountPoint: false, empty: false, foundNames: [] };
  }
}

/** Makes the directory of a new drive, with its parents, durably; nothing happens when it is there. @throws DRIVE_UNWRITABLE and others */
export async function makeDriveDirectory(path: string): Promise<void> {
  const absolute = resolve(path);
  try {
    const firstMade = await mkdir(absolute, { recursive: true, mode: 0o700 });
    if (firstMade === undefined || !canSyncDirectories) return;
    for (let made = absolute; ; made = dirname(made)) {
      await syncDirectory(dirname(made));
      if (made === firstMade) return;
    }
  } catch (error) {
    if (systemCode(error) === "EEXIST" || systemCode(error) === "ENOTDIR") throw notADirectory(absolute, error);
    throw mapDriveError(error, { location: absolute, operation: "create", name: "", mutates: true });
  }
}

/** What a failure to look into a drive's directory means. */
export function openingProblem(location: string, error: unknown): HoldfastError {
  if (systemCode(error) === "ENOTDIR") return notADirectory(location, error);
  if (systemCode(error) === "ENOENT") {
    const message = `drive ${location} does not exist: create the directory, or mount what should be there`;
    return new HoldfastError("DRIVE_NOT_FOUND", message, { details: { drive: location, path: location }, cause: error });
  }
  return mapDriveError(error, { location, operation: "open", name: "", mutates: false });
}

function notADirectory(location: string, cause: unknown): HoldfastError {
  const message = `drive ${location} is not a directory: name a directory`;
  return new HoldfastError("DRIVE_NOT_A_DIRECTORY", message, { details: { drive: location, path: location }, cause });
}

function isForeignToAnEmptyDrive(name: string): boolean {
  return !name.startsWith(".") && !name.startsWith(lockPrefix) && name !== incomingFolder && !systemEntries.has(name);
}

/** Writes a byte and syncs it: rights, mount modes and quotas say what they mean only when they are tried. */
async function tryWriting(location: string): Promise<HoldfastError | undefined> {
  const path = join(location, `${probePrefix}${process.pid}-${++probeCount}`);
  try {
    const fd = await openFd(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC);
    try {
      await writeFully(fd, 0, [Uint8Array.of(1)]);
      await fsync(fd);
    } finally {
      await closeFd(fd).catch(() => {});
      await unlink(path).catch(() => {});
    }
    return undefined;
  } catch (error) {
    return mapDriveError(error, { location, operation: "write", name: "", mutates: true });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const fd = await openFd(path, constants.O_RDONLY);
  try {
    await fsync(fd);
  } finally {
    await closeFd(fd).catch(() => {});
  }
}
