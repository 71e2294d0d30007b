/** Opens a single erasure set over given drives, for tests of the set room. */
import { type Clock, systemClock } from "../base/clock.ts";
import { createId, type DriveId, type SetId } from "../base/ids.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB, MiB } from "../base/units.ts";
import { loadDigests } from "../codec/digest.ts";
import { openCompute } from "../compute/compute.ts";
import type { Drive } from "../drive/drive.ts";
import { createMemoryDrive } from "../drive/memory-drive.ts";
import { encodeState } from "../format/state.ts";
import { createMemoryIndex } from "../index/memory-index.ts";
import type { OrderedIndex } from "../index/ordered-index.ts";
import { stateFileName } from "../set/drive-state.ts";
import type { ErasureProfile } from "../set/erasure-set.ts";
import { Member } from "../set/member.ts";
import { openErasureSet } from "../set/open-erasure-set.ts";
import type { OpenSet } from "../set/open-set.ts";
import { RetiredPacks } from "../set/retired-packs.ts";
import type { SetHooks, SetSettings } from "../set/set-context.ts";

const random = createSeededRandom(1);
const setId = createId<SetId>(random);
const driveIds = Array.from({ length: 64 }, () => createId<DriveId>(random));

const testSetSettings: SetSettings = {
  survive: 1,
  durability: "full",
  batchOperationsMax: 512,
  batchBytesMax: 4 * MiB,
  stripeBytes: 128 * KiB,
  packBytesMax: 1 * MiB,
  packRecordsBytesMax: 256 * KiB,
  reserveBytes: 0,
  acceptLoss: false,
};

/** Fresh memory drives that carry the state of a new set. */
export async function createSetDrives(count: number): Promise<Drive[]> {
  const drives = Array.from({ length: count }, (_, i) => createMemoryDrive({ name: `memory:${i}` }));
  await Promise.all(drives.map((drive) => initSetDrive(drive)));
  return drives;
}

/** Writes the state of a new set to a drive. */
export async function initSetDrive(drive: Drive): Promise<void> {
  await drive.replaceFile(
    stateFileName,
    encodeState({ setId, epoch: 0, firstSequence: 1, clean: true, lastSequence: 0, activePack: 1, activePosition: 0 }),
  );
}

/** Opens the set; an undefined drive is missing. */
export async function openTestSet(
  drives: readonly (Drive | undefined)[],
  options: { profile: ErasureProfile; settings?: Partial<SetSettings>; index?: OrderedIndex; clock?: Clock; memoryBudgetBytes?: number },
): Promise<OpenSet> {
  await loadDigests();
  const members = drives.map((drive, ordinal) => new Member({ ordinal, id: driveIds[ordinal] as DriveId, drive }));
  const settings = { ...testSetSettings, survive: Math.min(1, options.profile.parity), ...options.settings };
  const context = {
    id: setId,
    profile: options.profile,
    members,
    index: options.index ?? createMemoryIndex(),
    clock: options.clock ?? systemClock,
    settings,
    retired: new RetiredPacks(),
    hooks: { onCommitted: new Set() } satisfies SetHooks,
  };
  return openErasureSet(context, { compute: openCompute({ threads: 0, memoryBudgetBytes: options.memoryBudgetBytes ?? 64 * MiB }) });
}
