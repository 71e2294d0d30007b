/**
 * What the label says of the store's shape: its sets, which of them take new keys, where keys were before while they move, and what is being
 * emptied. It is the label that decides: it is on every drive, and the newest one found counts.
 *
 * While `movingFrom` is there, a key may be in the set that `weights` choose or still in the one that `movingFrom` chose: writers write to the
 * first, readers ask both, and who moves keys says so when all of them have arrived (`StoreDrives.endMoving`).
 */
import type { SetId } from "../base/ids.ts";
import type { DriveLabel, LabelSet, SetWeight } from "../format/label.ts";

/** A place in a set. */
export interface DrivePlace {
  readonly setId: SetId;
  /** The drive's number in the set. */
  readonly ordinal: number;
}

export interface StoreTopology {
  /** Every set of the store, in the label's order: the first one keeps the buckets. */
  readonly sets: readonly SetId[];
  /** The sets that take new keys, and their shares: what `createSetChooser` takes. Never empty. */
  readonly weights: readonly SetWeight[];
  /** What the keys were chosen by before, while they move; undefined when every key is where `weights` say. */
  readonly movingFrom: readonly SetWeight[] | undefined;
  /** Sets whose keys are being moved to the others. */
  readonly drainingSets: readonly SetId[];
  /** Drives that are being emptied. */
  readonly drainingDrives: readonly DrivePlace[];
}

/** The shape of the store according to a label. */
export function topologyOf(label: Pick<DriveLabel, "sets" | "movingFrom">): StoreTopology {
  return {
    sets: label.sets.map(({ setId }) => setId),
    weights: weightsOf(label.sets),
    movingFrom: label.movingFrom,
    drainingSets: label.sets.filter((set) => set.draining === true).map(({ setId }) => setId),
    drainingDrives: label.sets.flatMap(({ setId, drainingDrives }) => (drainingDrives ?? []).map((ordinal) => ({ setId, ordinal }))),
  };
}

/** The sets that take new keys; a set without a weight has as much as it has drives, as ever. */
export function weightsOf(sets: readonly LabelSet[]): SetWeight[] {
  return sets.map(({ setId, weight, drives }) => ({ setId, weight: weight ?? drives.length })).filter(({ weight }) => weight > 0);
}

/** Drives of a set that have not left it. */
export function drivesCounted({ drives, leftDrives }: LabelSet): number {
  return drives.length - (leftDrives?.length ?? 0);
}

/** True when the drive of this number has left the set for good. */
export function hasLeft({ leftDrives }: LabelSet, ordinal: number): boolean {
  return leftDrives?.includes(ordinal) === true;
}
