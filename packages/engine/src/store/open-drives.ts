/**
 * The drives of a store, locked and identified: those of one that exists, or of a new one made on empty drives.
 */
import type { Clock } from "../base/clock.ts";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import { createMemoryDrive } from "../drive/memory-drive.ts";
import type { DriveLabel } from "../format/label.ts";
import { invalid } from "./check-fields.ts";
import { isUnused } from "./drive-files.ts";
import { type FoundDrive, type FoundDrives, findDrives, type MissingDrive, readLabel, releaseDrives, type WrapDrive } from "./find-drives.ts";
import { gatherStore } from "./identify-drives.ts";
import { makeStore } from "./make-store.ts";
import { checkAgainstProfile, type ResolvedSettings } from "./settings.ts";

export interface OpenedDrives {
  /** What the store is. */
  readonly label: DriveLabel;
  readonly members: ReadonlyMap<DriveId, FoundDrive>;
  /** Everything to be released at the end. */
  readonly found: readonly FoundDrive[];
  /** Why drives are not there, for messages. */
  readonly missingReasons: readonly string[];
}

interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly wrap: WrapDrive | undefined;
}

/** @throws SETTINGS_INVALID and what `findDrives` and `gatherStore` throw */
export async function openDrives(settings: ResolvedSettings, world: World): Promise<OpenedDrives> {
  const { create, memory } = settings;
  const paths = settings.drives.map((drive) => drive.path);
  const drives = memory ? await memoryDrives(paths, world.wrap) : await findDrives(paths, { create, clock: world.clock, wrap: world.wrap });
  try {
    if (!(await isMakingUnfinished(drives.found))) return openExisting(settings, drives);
    checkAllThere(drives);
    return await makeNew(settings, drives.found, world);
  } catch (error) {
    await releaseDrives(drives.found);
    throw error;
  }
}

/** Empty drives in memory. In their place `wrap` may put simulated ones that hold a store, or refuse some as missing. */
async function memoryDrives(paths: readonly string[], wrap: WrapDrive | undefined): Promise<FoundDrives> {
  const found: FoundDrive[] = [];
  const missing: MissingDrive[] = [];
  for (const path of paths) {
    try {
      const memory = createMemoryDrive({ name: path });
      const drive = wrap?.(memory, path) ?? memory;
      found.push({ path, drive, lock: undefined, label: await readLabel(drive, path), writeProblem: undefined });
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      missing.push({ path, problem: error });
    }
  }
  return { found, missing };
}

/**
 * True on empty drives, and on those of stores whose making a crash has interrupted: not all drives of the store are there, and those that are
 * were never part of an open store. They hold nothing, and the store is made from the start, on all drives named.
 */
async function isMakingUnfinished(found: readonly FoundDrive[]): Promise<boolean> {
  const labels = found.flatMap(({ label }) => label ?? []);
  const isWhole = labels.every(({ storeId, sets }) => storeId === labels[0]?.storeId && labels.length === driveCountOf(sets));
  if (labels.length > 0 && isWhole) return false;
  for (const { drive, label } of found) if (label !== undefined && !(await isUnused(drive))) return false;
  return true;
}

function driveCountOf(sets: DriveLabel["sets"]): number {
  return sets.reduce((sum, set) => sum + set.drives.length, 0);
}

/** @throws DRIVES_MISSING when not all drives named are there to make the store on */
function checkAllThere({ found, missing }: FoundDrives): void {
  const problems = [...missing.map(({ problem }) => problem), ...found.flatMap(({ writeProblem }) => writeProblem ?? [])];
  if (problems.length === 0) return;
  const reasons = problems.map(({ message }) => message);
  throw new HoldfastError(
    "DRIVES_MISSING",
    `the making of this store was interrupted, and it takes all its drives to end it: ${reasons.join("; ")}`,
    {
      details: { missing: reasons },
    },
  );
}

async function makeNew(settings: ResolvedSettings, found: readonly FoundDrive[], world: World): Promise<OpenedDrives> {
  const drives = found.map(({ drive }, i) => ({ drive, place: settings.drives[i] as ResolvedSettings["drives"][number] }));
  const labels = await makeStore(drives, settings, world);
  const members = new Map(found.map((drive, i) => [(labels[i] as DriveLabel).driveId, drive]));
  return { label: labels[0] as DriveLabel, members, found, missingReasons: [] };
}

function openExisting(settings: ResolvedSettings, { found, missing }: FoundDrives): OpenedDrives {
  const { label, members } = gatherStore(found);
  for (const made of label.sets) {
    const { erasure } = settings;
    if (erasure !== undefined && (erasure.data !== made.data || erasure.parity !== made.parity)) {
      throw invalid("erasure", erasure, `the store was made with ${made.data}+${made.parity}; leave it out or write that`);
    }
    checkAgainstProfile(settings, made);
  }
  const driveCount = driveCountOf(label.sets);
  if (settings.drives.length > driveCount) {
    throw invalid(
      "drives",
      settings.drives.map((drive) => drive.path),
      `the store has ${driveCount} drives and these are ${settings.drives.length}; name only its own`,
    );
  }
  return { label, members, found, missingReasons: reasonsFor(found, missing) };
}

function reasonsFor(found: readonly FoundDrive[], missing: readonly MissingDrive[]): string[] {
  const empty = found.filter((drive) => drive.label === undefined).map((drive) => `drive ${drive.path} is empty`);
  return [...missing.map(({ problem }) => problem.message), ...empty];
}
