import type { Clock } from "../base/clock.ts";
import { createId, type DriveId, type SetId, type StoreId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import type { Drive } from "../drive/drive.ts";
import { type DriveLabel, encodeLabel, type LabelSet } from "../format/label.ts";
import { encodeState } from "../format/state.ts";
import { formSets } from "../placement/form-sets.ts";
import { defaultProfile, type Profile } from "../placement/profile.ts";
import { stateFileName } from "../set/drive-state.ts";
import { labelFileName } from "./drive-files.ts";
import { checkAgainstProfile, type DriveSettings, type ResolvedSettings } from "./settings.ts";

/** A drive for a new store, with its place in the topology. */
export interface NewDrive {
  readonly drive: Drive;
  readonly place: Required<DriveSettings>;
}

interface World {
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Makes a new store on empty drives: plans its sets and labels every drive; returns the labels in the order of the drives. When a drive
 * fails on the way the others are emptied again.
 * @throws SETTINGS_INVALID, DRIVE_FULL, DRIVE_IO_ERROR
 */
export async function makeStore(drives: readonly NewDrive[], settings: ResolvedSettings, world: World): Promise<DriveLabel[]> {
  const profile = settings.erasure ?? defaultProfile(drives.length);
  checkAgainstProfile(settings, profile);
  const labels = await planLabels(drives, profile, world);
  try {
    for (const [i, { drive }] of drives.entries()) await initDrive(drive, labels[i] as DriveLabel);
  } catch (error) {
    for (const { drive } of drives) await clearDrive(drive);
    throw error;
  }
  return labels;
}

async function planLabels(drives: readonly NewDrive[], profile: Profile, world: World): Promise<DriveLabel[]> {
  const storeId = createId<StoreId>(world.random);
  const ids = drives.map(() => createId<DriveId>(world.random));
  const descriptions = await Promise.all(
    drives.map(async ({ drive, place }, i) => ({
      id: ids[i] as string,
      region: place.region,
      zone: place.zone,
      // Drives that name no node are each a domain of their own: on one machine it is drives that fail.
      node: place.node === "" ? `drive ${i}` : place.node,
      capacityBytes: (await drive.space()).totalBytes,
    })),
  );
  const sets: LabelSet[] = formSets(descriptions, profile).map((planned) => {
    const members = new Set(planned.drives.map((drive) => drive.id as DriveId));
    return {
      setId: createId<SetId>(world.random),
      data: profile.data,
      parity: profile.parity,
      drives: ids.filter((id) => members.has(id)),
    };
  });
  const createdMs = Math.floor(world.clock.nowMs());
  return ids.map((driveId) => {
    const set = sets.find((candidate) => candidate.drives.includes(driveId)) as LabelSet;
    return { storeId, driveId, setId: set.setId, slotInSet: set.drives.indexOf(driveId), createdMs, sets, labelSequence: 1 };
  });
}

/** The state of a drive of a set that was never open. */
export async function writeFirstState(drive: Drive, setId: SetId): Promise<void> {
  const state = { setId, epoch: 0, firstSequence: 1, clean: true, lastSequence: 0, activePack: 1, activePosition: 0 };
  await drive.replaceFile(stateFileName, encodeState(state));
}

/** Writes state and label of a new drive, the label last: a drive with a label is complete. */
async function initDrive(drive: Drive, label: DriveLabel): Promise<void> {
  await writeFirstState(drive, label.setId);
  await drive.replaceFile(labelFileName, encodeLabel(label));
}

/** Takes back what `initDrive` wrote, as far as the drive lets it; the label first. */
async function clearDrive(drive: Drive): Promise<void> {
  for (const name of [labelFileName, stateFileName]) await drive.remove(name).catch(() => undefined);
}
