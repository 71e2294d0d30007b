/**
 * Drives and sets that are to go, online.
 *
 * A drive: 1 the label says that it is being emptied, so new stripes leave it out; 2 what has a shard on it is written again elsewhere; 3 in a
 * quiesced moment in which nothing refers to it and all other drives of the set hold everything, the label says that it has left. Its number
 * stays empty. A set: 1 the label gives it no weight and says where keys were before; 2 keys move; 3 when it holds nothing, the label drops it.
 * Both marks are in the label: whoever opens the store goes on with 2.
 */
import { HoldfastError } from "../base/errors.ts";
import type { SetId } from "../base/ids.ts";
import type { LabelSet } from "../format/label.ts";
import { countOnDrive, DriveUseWatch, isOnDrive } from "../set/drive-use.ts";
import type { OpenSet } from "../set/open-set.ts";
import type { Pacer } from "../set/pace.ts";
import { relog } from "../set/relog.ts";
import { checkNotMoving } from "./add-drives.ts";
import { withDrainingDrive, withDrainingSet, withoutDrive } from "./change-label.ts";
import { patiently } from "./held-drives.ts";
import { findDrive } from "./replace-drive.ts";
import type { StoreDrives } from "./store-drives.ts";
import { type DrivePlace, drivesCounted, hasLeft, weightsOf } from "./topology.ts";

/** What the object room does for a drive that is being emptied. */
export interface DrainOptions {
  /** Writes blobs with a shard on the drive again, elsewhere, and makes the records of their objects name the new ones. */
  readonly rewriteBlobs: (set: OpenSet, ordinal: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly pacer?: Pacer | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How far the emptying of a drive is. */
export type DrainOutcome =
  /** It has left the store. */
  | "left"
  /** Nothing lies on it, or will when it is asked again; other drives of the set do not hold everything yet, or writes were under way. */
  | "waiting";

/**
 * Marks a drive, named by its path or id, as one that goes; a set when `named` is a set's id. What follows is `drainPlace` and moving keys.
 * @throws DRIVE_NOT_FOUND, SETTINGS_INVALID when what stays could not take what it holds, QUEUE_FULL while keys are moving, DRIVES_MISSING
 */
export function markDraining(drives: StoreDrives, named: string): Promise<DrivePlace | SetId> {
  return drives.exclusive(async () => {
    const set = drives.label.sets.find(({ setId }) => setId === named);
    if (set !== undefined) return markSet(drives, set);
    const place = findDrive(drives, named);
    checkDispensable(drives.labelSetOf(place.setId), place, named);
    await drives.change({
      sets: withDrainingDrive(drives.label.sets, place),
      movingFrom: drives.label.movingFrom,
      needs: new Map([[place.setId, drives.witnessesOf(place.setId)]]),
    });
    return place;
  });
}

async function markSet(drives: StoreDrives, set: LabelSet): Promise<SetId> {
  if (set.draining === true) return set.setId;
  checkNotMoving(drives);
  if (weightsOf(drives.label.sets).every(({ setId }) => setId === set.setId)) {
    throw new HoldfastError(
      "SETTINGS_INVALID",
      `set ${set.setId} is the only one that takes keys: add drives for another set first (holdfast drive add)`,
    );
  }
  await drives.change({
    sets: withDrainingSet(drives.label.sets, set.setId),
    movingFrom: weightsOf(drives.label.sets),
    needs: new Map([[set.setId, drives.witnessesOf(set.setId)]]),
  });
  return set.setId;
}

function checkDispensable(set: LabelSet, { ordinal }: DrivePlace, named: string): void {
  const going = new Set([...(set.drainingDrives ?? []), ordinal]);
  const needed = set.data + set.parity;
  const staying = drivesCounted(set) - going.size;
  if (staying >= needed) return;
  throw new HoldfastError(
    "SETTINGS_INVALID",
    `${named} cannot be drained: its set codes ${set.data}+${set.parity} and would be left with ${staying} drives; add ${needed - staying} first (holdfast drive add), or put another in its place (holdfast drive replace)`,
    { details: { drive: named, drives: drivesCounted(set), needed } },
  );
}

/** Empties a drive that is marked, and lets it leave. Begin again later when it answers `waiting`. @throws ABORTED, and what sets throw that take no writes */
export async function drainPlace(drives: StoreDrives, place: DrivePlace, options: DrainOptions): Promise<DrainOutcome> {
  const set = drives.setOf(place.setId);
  if (set === undefined || hasLeft(drives.labelSetOf(place.setId), place.ordinal)) return "left";
  const { ordinal } = place;
  const { pacer, signal } = options;
  const watch = new DriveUseWatch(set, ordinal);
  try {
    await relog(set, {
      fateOf: ({ payload }) => (payload !== undefined && payload.length > 0 && isOnDrive(payload.layout, ordinal) ? "payload" : "stays"),
      pacer,
      signal,
    });
    await options.rewriteBlobs(set, ordinal, signal);
    watch.hasSeen = false;
    if ((await countOnDrive(set, ordinal, { pacer, signal })) > 0) return "waiting";
    return (await drives.exclusive(() => takeOut(drives, place, watch))) ? "left" : "waiting";
  } finally {
    watch.close();
  }
}

/** True when the drive has left: nothing was stored on it since `watch` looked, and the others are whole, so they can be counted without it. */
async function takeOut(drives: StoreDrives, place: DrivePlace, watch: DriveUseWatch): Promise<boolean> {
  const set = drives.setOf(place.setId);
  if (set === undefined || hasLeft(drives.labelSetOf(place.setId), place.ordinal)) return true;
  const { members } = set.context;
  const others = members.filter(({ ordinal, hasLeft: gone }) => ordinal !== place.ordinal && !gone);
  const left = await set.quiesce(async () => {
    await patiently(Promise.all(others.map((member) => member.drain())), "a drive");
    if (watch.hasSeen || !others.every((member) => member.isWhole && member.takesRepairs)) return false;
    const needed = drives.witnessesOf(place.setId);
    await drives.change({
      sets: withoutDrive(drives.label.sets, place),
      movingFrom: drives.label.movingFrom,
      needs: new Map([[place.setId, Math.min(needed, others.length)]]),
      without: drives.idAt(place),
      isQuiet: true,
      onDecided: () => {
        const member = members[place.ordinal];
        if (member !== undefined) member.hasLeft = true;
        void drives.unseat(place, { state: "offline", reason: "it has left the store" });
      },
    });
    return true;
  });
  if (left) await drives.tellTopology();
  return left;
}

/**
 * All keys are where they belong: what they were chosen by before is forgotten, and sets that were to go and hold nothing are dropped. True when
 * nothing is left to move.
 */
export function endMoving(drives: StoreDrives, holdsNothing: (set: OpenSet) => boolean): Promise<boolean> {
  return drives.exclusive(async () => {
    const { sets, movingFrom } = drives.label;
    if (movingFrom === undefined) return true;
    const going = new Set(sets.filter(({ draining }) => draining === true).map(({ setId }) => setId));
    const open = drives.sets.filter((set) => going.has(set.id));
    if (!open.every(holdsNothing)) return false;
    const staying = sets.filter(({ setId }) => !going.has(setId));
    const [first] = staying as [LabelSet];
    const gone = sets.filter(({ setId }) => going.has(setId)).flatMap((set) => set.drives);
    await drives.change({ sets: staying, needs: new Map([[first.setId, drives.witnessesOf(first.setId)]]), isQuiet: true });
    for (const set of open) drives.sets.splice(drives.sets.indexOf(set), 1);
    await drives.tellTopology();
    for (const set of open) await set.close();
    for (const id of gone) {
      const path = drives.held.homeOf(id);
      drives.held.letGo(id, Promise.resolve());
      drives.held.forgetHome(id);
      if (path !== undefined) drives.places.delete(path);
    }
    return true;
  });
}
