/**
 * The drives of a store, locked and identified: those of one that exists, or of a new one made on empty drives.
 */
import type { Clock } from "../base/clock.ts";
import { HoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import { createMemoryDrive } from "../drive/memory-drive.ts";
import type { DriveLabel } from "../format/label.ts";
import { parseState } from "../format/state.ts";
import { stateFileName } from "../set/drive-state.ts";
import { type FoundDrive, findDrives, gatherStore, releaseDrives, type WrapDrive } from "./identify-drives.ts";
import { initDrive, planStore } from "./make-store.ts";
import { type DriveSettings, invalid, type ResolvedSettings } from "./settings.ts";

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

/** @throws SETTINGS_INVALID, STORE_NOT_FOUND and what `findDrives` and `gatherStore` throw */
export async function openDrives(settings: ResolvedSettings, world: World): Promise<OpenedDrives> {
  if (settings.memory) return openMemoryDrives(settings, world);
  const { found, missing } = await findDrives(
    settings.drives.map((drive) => drive.path),
    { create: settings.create, clock: world.clock, wrap: world.wrap },
  );
  try {
    if (found.some((drive) => drive.label !== undefined)) return openExisting(settings, await completeNew(found), missing);
    if (settings.create) return await makeNew(settings, found, world);
    const reasons = missing.map(({ problem }) => problem.message);
    throw new HoldfastError("STORE_NOT_FOUND", `none of the drives has a store on it; make one with holdfast init, or open with create: true${reasons.length > 0 ? ` (${reasons.join("; ")})` : ""}`);
  } catch (error) {
    await releaseDrives(found);
    throw error;
  }
}

async function openMemoryDrives(settings: ResolvedSettings, world: World): Promise<OpenedDrives> {
  const found = settings.drives.map(({ path }): FoundDrive => {
    const memory = createMemoryDrive({ name: path });
    const drive = world.wrap?.(memory, path) ?? memory;
    return { path, drive, lock: undefined, label: undefined, writeProblem: undefined };
  });
  return makeNew(settings, found, world);
}

async function makeNew(settings: ResolvedSettings, found: readonly FoundDrive[], world: World): Promise<OpenedDrives> {
  const drives = found.map(({ drive }, i) => ({ drive, settings: settings.drives[i] as Required<DriveSettings> }));
  const labels = await planStore(drives, settings.erasure, world);
  for (const [i, { drive }] of found.entries()) await initDrive(drive, labels[i] as DriveLabel);
  const members = new Map(found.map((drive, i) => [(labels[i] as DriveLabel).driveId, drive]));
  return { label: labels[0] as DriveLabel, members, found, missingReasons: [] };
}

/**
 * Ends the making of a store that a crash has interrupted: some drives have their labels, none was ever opened, the others are empty.
 * Returns the drives with those labelled now.
 */
async function completeNew(found: readonly FoundDrive[]): Promise<readonly FoundDrive[]> {
  const labelled = found.flatMap((drive) => (drive.label === undefined ? [] : [{ ...drive, label: drive.label }]));
  const first = labelled[0];
  if (first === undefined || labelled.length === found.length) return found;
  for (const { drive, label } of labelled) {
    const state = await drive.readFile(stateFileName).then(parseState, () => undefined);
    if (state?.epoch !== 0 || label.storeId !== first.label.storeId) return found;
  }
  const taken = new Set(labelled.map(({ label }) => label.driveId));
  const free = first.label.sets.flatMap((set) => set.drives.map((driveId, slotInSet) => ({ driveId, slotInSet, setId: set.setId }))).filter(({ driveId }) => !taken.has(driveId));
  const completed: FoundDrive[] = [];
  for (const drive of found) {
    const place = drive.label === undefined && drive.writeProblem === undefined ? free.shift() : undefined;
    const label = place === undefined ? drive.label : { ...first.label, ...place };
    if (place !== undefined && label !== undefined) await initDrive(drive.drive, label);
    completed.push({ ...drive, label });
  }
  return completed;
}

function openExisting(settings: ResolvedSettings, found: readonly FoundDrive[], missing: readonly { path: string; problem: HoldfastError }[]): OpenedDrives {
  const { label, members } = gatherStore(found);
  const made = label.sets[0];
  const { erasure } = settings;
  if (erasure !== undefined && made !== undefined && (erasure.data !== made.data || erasure.parity !== made.parity)) {
    throw invalid("erasure", `${erasure.data}+${erasure.parity}`, `the store was made with ${made.data}+${made.parity}; leave it out or write that`);
  }
  const driveCount = label.sets.reduce((sum, set) => sum + set.drives.length, 0);
  if (settings.drives.length > driveCount) {
    throw invalid("drives", `${settings.drives.length} drives`, `the store has ${driveCount}; name only those`);
  }
  const empty = found.filter((drive) => drive.label === undefined).map((drive) => `${drive.path} is empty`);
  const missingReasons = [...missing.map(({ problem }) => problem.message), ...empty];
  return { label, members, found, missingReasons };
}
