import type { Clock } from "../base/clock.ts";
import { createId, type DriveId, type SetId, type StoreId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import type { Drive } from "../drive/drive.ts";
import { type DriveLabel, encodeLabel, type LabelSet } from "../format/label.ts";
import { encodeState } from "../format/state.ts";
import { formSets } from "../placement/form-sets.ts";
import { defaultProfile, type Profile } from "../placement/profile.ts";
import { stateFileName } from "../set/drive-state.ts";
import { labelFileName } from "./identify-drives.ts";
import type { DriveSettings } from "./settings.ts";

/** A drive for a new store, with its place in the topology. */
export interface NewDrive {
  readonly drive: Drive;
  readonly settings: Required<DriveSettings>;
}

/** Plans the sets of a new store and the label of each drive, in the order of the drives. */
export async function planStore(drives: readonly NewDrive[], erasure: Profile | undefined, world: { clock: Clock; random: Random }): Promise<DriveLabel[]> {
  const profile = erasure ?? defaultProfile(drives.length);
  const storeId = createId<StoreId>(world.random);
  const ids = drives.map(() => createId<DriveId>(world.random));
  const descriptions = await Promise.all(
    drives.map(async ({ drive, settings }, i) => ({
      id: ids[i] as string,
      region: settings.region,
      zone: settings.zone,
      // Drives that name no node are each a domain of their own: on one machine it is drives that fail.
      node: settings.node === "" ? `drive ${i}` : settings.node,
      capacityBytes: (await drive.space()).totalBytes,
    })),
  );
  const sets: LabelSet[] = formSets(descriptions, profile).map((planned) => ({
    setId: createId<SetId>(world.random),
    data: profile.data,
    parity: profile.parity,
    drives: inSettingsOrder(ids, new Set(planned.drives.map((drive) => drive.id as DriveId))),
  }));
  const createdMs = Math.floor(world.clock.nowMs());
  return ids.map((driveId) => {
    const set = sets.find((candidate) => candidate.drives.includes(driveId)) as LabelSet;
    return { storeId, driveId, setId: set.setId, slotInSet: set.drives.indexOf(driveId), createdMs, sets, labelSequence: 1 };
  });
}

function inSettingsOrder(ids: readonly DriveId[], members: ReadonlySet<DriveId>): DriveId[] {
  return ids.filter((id) => members.has(id));
}

/** Writes state and label of a new drive, the label last: a drive with a label is complete. */
export async function initDrive(drive: Drive, label: DriveLabel): Promise<void> {
  const state = { setId: label.setId, epoch: 0, firstSequence: 1, clean: true, lastSequence: 0, activePack: 1, activePosition: 0 };
  await drive.replaceFile(stateFileName, encodeState(state));
  await drive.replaceFile(labelFileName, encodeLabel(label));
}
