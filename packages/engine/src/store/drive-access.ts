/**
 * How an open store looks at the places of its drives and opens what has come to lie there. Simulations bring their own.
 */
import type { Clock } from "../base/clock.ts";
import type { Drive } from "../drive/drive.ts";
import { openLocalDrive } from "../drive/local-drive.ts";
import { createMemoryDrive } from "../drive/memory-drive.ts";
import { lookAtDirectory, makeDriveDirectory, probeDrive } from "../drive/probe-drive.ts";
import type { DriveLabel } from "../format/label.ts";
import { isHalfMade, labelFileName } from "./drive-files.ts";
import { type FoundDrive, openFound, readLabel, type WrapDrive } from "./find-drives.ts";

/** What lies at a path. */
export type DriveLook =
  | { readonly kind: "labelled"; readonly label: DriveLabel; readonly identity: string | undefined; readonly isMountPoint: boolean }
  /** Free to be taken. */
  | { readonly kind: "empty"; readonly isMountPoint: boolean }
  /** Nothing of use: not there, not readable, not a drive. */
  | { readonly kind: "absent"; readonly reason: string };

export interface DriveAccess {
  /** Looks, and changes nothing. `held` is the drive the store has open there. Must not reject. */
  lookAt(path: string, held: Drive | undefined): Promise<DriveLook>;
  /** Locks and opens what lies there. @throws STORE_LOCKED, LABEL_DAMAGED, FORMAT_TOO_NEW, and why it cannot be opened */
  openAt(path: string): Promise<FoundDrive>;
  /** Makes the place of a new drive where there is nothing yet. @throws DRIVE_UNWRITABLE and others */
  makeAt(path: string): Promise<void>;
}

interface AccessOptions {
  readonly clock: Clock;
  readonly wrap: WrapDrive | undefined;
}

/** Drives in local directories. */
export function createLocalAccess(options: AccessOptions): DriveAccess {
  return {
    lookAt: (path) => lookAtLocal(path).catch(absent),
    async openAt(path) {
      const probe = await probeDrive(path);
      if (probe.problem !== undefined) throw probe.problem;
      return openFound(probe.path, probe.writeProblem, options);
    },
    makeAt: makeDriveDirectory,
  };
}

async function lookAtLocal(path: string): Promise<DriveLook> {
  const look = await lookAtDirectory(path);
  if (look.problem !== undefined) return absent(look.problem);
  const { identity, isMountPoint } = look;
  const drive = await openLocalDrive(look.path);
  try {
    const label = await readLabel(drive, look.path);
    if (label !== undefined) return { kind: "labelled", label, identity, isMountPoint };
    if (look.empty || (await isHalfMade(drive, look.foundNames))) return { kind: "empty", isMountPoint };
    return { kind: "absent", reason: `${look.path} is not empty (${look.foundNames.join(", ")}) and has no label of a store` };
  } finally {
    await drive.close();
  }
}

/** Drives in memory: there as long as they answer. What stands in for one may be away and come back. */
export function createMemoryAccess({ wrap }: AccessOptions): DriveAccess {
  const open = (path: string): Drive => {
    const memory = createMemoryDrive({ name: path });
    return wrap?.(memory, path) ?? memory;
  };
  return {
    async lookAt(path, held) {
      try {
        const label = await readLabel(held ?? open(path), path);
        if (label !== undefined) return { kind: "labelled", label, identity: undefined, isMountPoint: false };
        return held === undefined
          ? { kind: "empty", isMountPoint: false }
          : { kind: "absent", reason: `${path} has lost its ${labelFileName}` };
      } catch (error) {
        return absent(error);
      }
    },
    async openAt(path) {
      const drive = open(path);
      return { path, drive, lock: undefined, label: await readLabel(drive, path), writeProblem: undefined };
    },
    makeAt: async () => undefined,
  };
}

function absent(error: unknown): DriveLook {
  return { kind: "absent", reason: error instanceof Error ? error.message : String(error) };
}

/** A drive that is there but of no use here: closed again, with its lock. */
export async function giveBack({ drive, lock }: Pick<FoundDrive, "drive" | "lock">): Promise<void> {
  await drive.close().catch(() => undefined);
  await lock?.release();
}
