/**
 * The drives of a store, locked and identified: those of one that exists, or of a new one made on empty drives.
 */
import type { Clock } from "../base/clock.ts";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import { createMemoryDrive } from "../drive/memory-drive.ts";
import { type DriveLabel, encodeLabel, type LabelSet } from "../format/label.ts";
import { openThreshold } from "../set/quorum.ts";
import { isJoining, labelOf } from "./change-label.ts";
import { invalid } from "./check-fields.ts";
import { isUnused, labelFileName } from "./drive-files.ts";
import {
  type FoundDrive,
  type FoundDrives,
  findDrives,
  type MissingDrive,
  readLabel,
  releaseDrives,
  type WrapDrive,
} from "./find-drives.ts";
import { gatherStore } from "./identify-drives.ts";
import { makeStore } from "./make-store.ts";
import { checkAgainstProfile, type ResolvedSettings } from "./settings.ts";

export interface OpenedDrives {
  /** What the store is. */
  readonly label: DriveLabel;
  readonly members: ReadonlyMap<DriveId, FoundDrive>;
  /** Everything to be released at the end: the members, in the order of the settings. */
  readonly found: readonly FoundDrive[];
  /** The sequence of the label that is on each drive: one that could not be written may still have an older one. */
  readonly sequences: ReadonlyMap<DriveId, number>;
  /** Empty directories among the paths of a store that exists; not locked. */
  readonly emptyPaths: readonly string[];
  /** Paths with something that is no drive, and those with nothing. */
  readonly missing: readonly MissingDrive[];
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
    if (!(await isMakingUnfinished(drives.found))) return await openExisting(settings, drives);
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
  const sequences = new Map(labels.map(({ driveId, labelSequence }) => [driveId, labelSequence]));
  return { label: labels[0] as DriveLabel, members, found, sequences, emptyPaths: [], missing: [], missingReasons: [] };
}

async function openExisting(settings: ResolvedSettings, { found, missing }: FoundDrives): Promise<OpenedDrives> {
  const { label: newest, members, strays } = await gatherStore(found);
  for (const made of newest.sets) {
    const { erasure } = settings;
    if (erasure !== undefined && (erasure.data !== made.data || erasure.parity !== made.parity)) {
      throw invalid("erasure", erasure, `the store was made with ${made.data}+${made.parity}; leave it out or write that`);
    }
    checkAgainstProfile(settings, made);
  }
  const driveCount = driveCountOf(newest.sets);
  const known = new Set(newest.sets.flatMap((set) => set.drives));
  if (settings.drives.length - strays.filter(({ label }) => !known.has(label?.driveId as DriveId)).length > driveCount) {
    throw invalid(
      "drives",
      settings.drives.map((drive) => drive.path),
      `the store has ${driveCount} drives and these are ${settings.drives.length}; name only its own, and add others to the open store (holdfast drive add)`,
    );
  }
  const label = withoutUnmadeSets(newest, members);
  const empty = found.filter((drive) => drive.label === undefined);
  const own = new Map([...members].filter(([id]) => label.sets.some((set) => set.drives.includes(id))));
  await releaseDrives(found.filter((drive) => ![...own.values()].includes(drive)));
  const sequences = await bringUpToDate(label, own);
  const opened = { label, members: own, found: [...own.values()], sequences, emptyPaths: empty.map(({ path }) => path), missing };
  return { ...opened, missingReasons: reasonsFor(empty, strays, missing) };
}

/**
 * The label without the sets whose making was interrupted and that cannot be opened with the drives that are there: they never took a key.
 */
function withoutUnmadeSets(label: DriveLabel, members: ReadonlyMap<DriveId, FoundDrive>): DriveLabel {
  const sets: LabelSet[] = [];
  for (const set of label.sets) {
    const there = set.drives.flatMap((id) => members.get(id) ?? []);
    const enough = there.length >= openThreshold(set.drives.length, { data: set.data, parity: set.parity });
    if (!isJoining(set) || enough) sets.push(set);
  }
  return sets.length === label.sets.length ? label : { ...label, sets, labelSequence: label.labelSequence + 1 };
}

/** Finishes a change of the label that was interrupted: drives with an older one get the newest. */
async function bringUpToDate(label: DriveLabel, members: ReadonlyMap<DriveId, FoundDrive>): Promise<Map<DriveId, number>> {
  const sequences = new Map<DriveId, number>();
  for (const [id, { drive, label: own, writeProblem }] of members) {
    let sequence = own?.labelSequence ?? 0;
    if (sequence !== label.labelSequence && writeProblem === undefined) {
      const bytes = encodeLabel(labelOf(label, id, own?.createdMs ?? label.createdMs));
      await drive.replaceFile(labelFileName, bytes).then(
        () => {
          sequence = label.labelSequence;
        },
        () => undefined,
      );
    }
    sequences.set(id, sequence);
  }
  return sequences;
}

function reasonsFor(empty: readonly FoundDrive[], strays: readonly FoundDrive[], missing: readonly MissingDrive[]): string[] {
  return [
    ...missing.map(({ problem }) => problem.message),
    ...empty.map(({ path }) => `drive ${path} is empty`),
    ...strays.map(({ path }) => `drive ${path} is no drive of the store any more`),
  ];
}
