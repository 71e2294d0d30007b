/**
 * The changes of a store's shape, as pure functions from label to label. `StoreDrives` writes the outcome to the drives.
 */
import type { DriveId, SetId } from "../base/ids.ts";
import { invariant } from "../base/invariant.ts";
import type { DriveLabel, LabelSet } from "../format/label.ts";
import { drivesCounted, weightsOf } from "./topology.ts";

/** What all labels of a store have in common. */
export type StoreLabel = Pick<DriveLabel, "storeId" | "sets" | "labelSequence" | "movingFrom" | "extra">;

/** Sequence numbers one epoch has for changes. */
const changesPerEpoch = 2 ** 16;

/**
 * The number of a change. It holds the epoch of its opening, so a change that reached only drives that were away later is older than
 * every change that was made without it, however many there were before.
 */
export function nextLabelSequence(current: number, epoch: number): number {
  const next = Math.max(current + 1, epoch * changesPerEpoch);
  invariant(Number.isSafeInteger(next), "there are label sequences left");
  return next;
}

/** The label of one drive of the store. */
export function labelOf(store: StoreLabel, driveId: DriveId, createdMs: number): DriveLabel {
  for (const { setId, drives } of store.sets) {
    const slotInSet = drives.indexOf(driveId);
    if (slotInSet < 0) continue;
    const { storeId, sets, labelSequence, movingFrom, extra } = store;
    const common = { storeId, driveId, setId, slotInSet, createdMs, sets, labelSequence };
    return { ...common, ...(movingFrom === undefined ? {} : { movingFrom }), ...(extra === undefined ? {} : { extra }) };
  }
  throw new TypeError(`drive ${driveId} is none of the store's`);
}

/** Another drive in the place of one. */
export function withReplacement(sets: readonly LabelSet[], place: { setId: SetId; ordinal: number }, driveId: DriveId): LabelSet[] {
  return changeSet(sets, place.setId, (set) => ({
    ...set,
    drives: set.drives.map((id, ordinal) => (ordinal === place.ordinal ? driveId : id)),
    drainingDrives: without(set.drainingDrives, place.ordinal),
  }));
}

/** More drives at the end of a set. Its share of the keys stays: no key moves. */
export function withMoreDrives(sets: readonly LabelSet[], setId: SetId, driveIds: readonly DriveId[]): LabelSet[] {
  return changeSet(sets, setId, (set) => ({
    ...set,
    ...(sets.length === 1 ? {} : { weight: set.weight ?? set.drives.length }),
    drives: [...set.drives, ...driveIds],
  }));
}

/** Shares of the keys by what the sets have of drives now; sets that are being emptied have none. */
export function withWeightsByDrives(sets: readonly LabelSet[]): LabelSet[] {
  return sets.map((set) => ({ ...set, weight: set.draining === true ? 0 : drivesCounted(set) }));
}

export function withDrainingDrive(sets: readonly LabelSet[], { setId, ordinal }: { setId: SetId; ordinal: number }): LabelSet[] {
  return changeSet(sets, setId, (set) => ({
    ...set,
    drainingDrives: [...without(set.drainingDrives, ordinal), ordinal].sort((a, b) => a - b),
  }));
}

/** A drive leaves for good: its number is not used again. */
export function withoutDrive(sets: readonly LabelSet[], { setId, ordinal }: { setId: SetId; ordinal: number }): LabelSet[] {
  return changeSet(sets, setId, (set) => ({
    ...set,
    ...(sets.length === 1 ? {} : { weight: set.weight ?? set.drives.length }),
    drainingDrives: without(set.drainingDrives, ordinal),
    leftDrives: [...without(set.leftDrives, ordinal), ordinal].sort((a, b) => a - b),
  }));
}

/** The keys of a set go to the others. */
export function withDrainingSet(sets: readonly LabelSet[], setId: SetId): LabelSet[] {
  const drained = changeSet(sets, setId, (set) => ({ ...set, weight: 0, draining: true }));
  invariant(weightsOf(drained).length > 0, "one set at least takes keys");
  return drained;
}

/** Sets that were labelled and never took a key: their making was interrupted, or has just begun. */
export function isJoining(set: LabelSet): boolean {
  return set.weight === 0 && set.draining !== true;
}

function changeSet(sets: readonly LabelSet[], setId: SetId, change: (set: LabelSet) => LabelSet): LabelSet[] {
  invariant(
    sets.some((set) => set.setId === setId),
    "a set that changes is one of the store's",
  );
  return sets.map((set) => (set.setId === setId ? change(set) : set));
}

function without(ordinals: readonly number[] | undefined, ordinal: number): number[] {
  return (ordinals ?? []).filter((other) => other !== ordinal);
}
