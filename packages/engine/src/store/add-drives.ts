/**
 * More drives for an open store: one more place in a set for each, or new sets of them (`placement/plan-growth.ts` decides).
 *
 * Drives that join a set: marked as not voting, labelled, then the others get the label, then they join. No key moves.
 * New sets: 1 the drives are labelled, the set with weight 0, then the others; 2 the set is opened, empty; 3 a second label gives it its weight
 * and says where keys were before: now keys move. A crash before 3 leaves sets of weight 0: they are opened and step 3 is made by the next
 * look at the drives, or, when they cannot be opened, forgotten.
 */
import { HoldfastError } from "../base/errors.ts";
import { createId, type DriveId, type SetId } from "../base/ids.ts";
import type { LabelSet } from "../format/label.ts";
import { type ExistingSet, planGrowth } from "../placement/plan-growth.ts";
import { describeSet, type PlannedSet } from "../placement/set-account.ts";
import type { DriveDescription } from "../placement/topology.ts";
import { isJoining, withMoreDrives, withWeightsByDrives } from "./change-label.ts";
import { giveBack } from "./drive-access.ts";
import { writeFirstState } from "./make-store.ts";
import type { DriveSettings } from "./settings.ts";
import type { JoiningDrive, StoreDrives } from "./store-drives.ts";
import { type DrivePlace, hasLeft, weightsOf } from "./topology.ts";

export interface AddOptions {
  /** Called when there is no other way but forward: settings are to name the new paths from now on. */
  readonly onLabelled?: (() => Promise<void>) | undefined;
}

/** What became of new drives. */
export interface AddedDrives {
  /** Drives that joined a set. */
  readonly joined: readonly (DrivePlace & { readonly id: DriveId; readonly path: string })[];
  /** Sets made of new drives; keys are moving to them. */
  readonly newSets: readonly SetId[];
}

/** A drive that is to be added, with its place in the topology. */
interface NewDrive {
  readonly joining: JoiningDrive;
  readonly place: Required<DriveSettings>;
}

/**
 * Adds empty directories (made when they are not there) to the store. Resolves when they take writes; moving keys to new sets goes on.
 * @throws DRIVE_NOT_EMPTY, DRIVE_FOREIGN, DRIVE_DUPLICATED, DRIVES_MISSING, WRITE_QUORUM_LOST, SETTINGS_INVALID, and why one cannot be written
 */
export function addDrives(drives: StoreDrives, added: readonly (string | DriveSettings)[], options: AddOptions = {}): Promise<AddedDrives> {
  return drives.exclusive(async () => {
    const open: NewDrive[] = [];
    let decided = false;
    try {
      for (const named of added) {
        const { path, ...place } = typeof named === "string" ? { path: named } : named;
        const at = drives.pathOf(path);
        if (open.some(({ place: other }) => other.path === at)) throw duplicated(at);
        open.push({ joining: await drives.openNew(at), place: { region: "", zone: "", node: "", ...place, path: at } });
      }
      const change = await planChange(drives, open);
      const onDecided = (): void => {
        decided = true;
        for (const { place } of open) drives.places.set(place.path, place);
      };
      await drives.change({
        sets: change.sets,
        movingFrom: drives.label.movingFrom,
        joining: open.map(({ joining }) => joining),
        needs: new Map(change.concerns.map((setId) => [setId, drives.witnessesOf(setId)])),
        onLabelled: options.onLabelled,
        onDecided,
      });
      for (const place of change.joined) await drives.seat(place);
      await openNewSets(drives);
      return { joined: change.joined, newSets: change.newSets };
    } catch (error) {
      if (!decided) for (const { joining } of open) await giveBack(joining.found);
      throw error;
    }
  });
}

interface PlannedChange {
  readonly sets: readonly LabelSet[];
  readonly joined: readonly (DrivePlace & { id: DriveId; path: string })[];
  readonly newSets: readonly SetId[];
  /** The sets that must know. */
  readonly concerns: readonly SetId[];
}

async function planChange(drives: StoreDrives, open: readonly NewDrive[]): Promise<PlannedChange> {
  const added = await Promise.all(open.map(({ joining, place }) => describeDrive(joining.id, place, joining)));
  const plan = planGrowth(await existingSets(drives), added);
  if (plan.unplaced.length > 0) {
    const fix = "every set has as many drives as it can; add as many as make a set of their own";
    throw new HoldfastError("SETTINGS_INVALID", `there is no place for ${plan.unplaced.length} of the new drives: ${fix}`);
  }
  return plan.newSets.length > 0 ? planSets(drives, open, plan.newSets) : planMembers(drives, open, plan.extendedSets);
}

async function planMembers(drives: StoreDrives, open: readonly NewDrive[], extended: readonly ExistingSet[]): Promise<PlannedChange> {
  let sets: readonly LabelSet[] = drives.label.sets;
  const joined: (DrivePlace & { id: DriveId; path: string })[] = [];
  for (const grown of extended) {
    const setId = grown.id as SetId;
    const members = new Set(grown.drives.map(({ id }) => id));
    const joining = open.filter(({ joining: { id } }) => members.has(id));
    const first = drives.labelSetOf(setId).drives.length;
    for (const [i, { joining: drive, place }] of joining.entries()) {
      await drives.markFresh(drive, setId);
      joined.push({ setId, ordinal: first + i, id: drive.id, path: place.path });
    }
    sets = withMoreDrives(
      sets,
      setId,
      joining.map(({ joining: { id } }) => id),
    );
  }
  return { sets, joined, newSets: [], concerns: extended.map(({ id }) => id as SetId) };
}

async function planSets(drives: StoreDrives, open: readonly NewDrive[], planned: readonly PlannedSet[]): Promise<PlannedChange> {
  checkNotMoving(drives);
  const made: LabelSet[] = [];
  for (const { drives: members, profile } of planned) {
    const ids = new Set(members.map(({ id }) => id));
    const own = open.filter(({ joining: { id } }) => ids.has(id));
    const setId = createId<SetId>(drives.options.random);
    for (const { joining } of own) await writeFirstState(joining.found.drive, setId);
    made.push({ setId, ...profile, drives: own.map(({ joining: { id } }) => id), weight: 0 });
  }
  const [first] = drives.label.sets as [LabelSet];
  const sets = [...drives.label.sets.map((set) => ({ ...set, weight: set.weight ?? set.drives.length })), ...made];
  return { sets, joined: [], newSets: made.map(({ setId }) => setId), concerns: [first.setId] };
}

/** Opens the sets of the label that are not open yet, and lets keys move to those that have had none. */
export async function openNewSets(drives: StoreDrives): Promise<void> {
  for (const set of drives.label.sets) {
    if (drives.setOf(set.setId) !== undefined) continue;
    const there = set.drives.flatMap((id) => {
      const held = drives.held.get(id);
      return held === undefined ? [] : [[id, { drive: held.drive, writeProblem: undefined }] as const];
    });
    drives.sets.push(await drives.options.openSet(set, new Map(there)));
  }
  const { sets, movingFrom } = drives.label;
  if (movingFrom !== undefined || !sets.some(isJoining)) return;
  const [first] = sets as [LabelSet];
  await drives.change({
    sets: withWeightsByDrives(sets),
    movingFrom: weightsOf(sets),
    needs: new Map([[first.setId, drives.witnessesOf(first.setId)]]),
  });
}

/** Keys move from one shape of the store to one other at a time. @throws QUEUE_FULL */
export function checkNotMoving(drives: StoreDrives): void {
  if (drives.label.movingFrom === undefined && !drives.label.sets.some(isJoining)) return;
  throw new HoldfastError(
    "QUEUE_FULL",
    "keys are still moving between sets from the last change: wait until they have arrived (holdfast rebuild waits for it)",
  );
}

async function existingSets(drives: StoreDrives): Promise<ExistingSet[]> {
  const staying = drives.label.sets.filter((set) => set.draining !== true);
  return Promise.all(
    staying.map(async (set) => {
      const ids = set.drives.filter((_, ordinal) => !hasLeft(set, ordinal));
      const described = await Promise.all(ids.map((id) => describeDrive(id, placeOf(drives, id), drives.held.get(id))));
      return { id: set.setId, ...describeSet(described, { data: set.data, parity: set.parity }) };
    }),
  );
}

function placeOf(drives: StoreDrives, id: DriveId): Required<DriveSettings> | undefined {
  const home = drives.held.homeOf(id);
  return home === undefined ? undefined : drives.places.get(home);
}

async function describeDrive(
  id: DriveId,
  place: Required<DriveSettings> | undefined,
  there: JoiningDrive | { readonly drive: JoiningDrive["found"]["drive"] } | undefined,
): Promise<DriveDescription> {
  const drive = there === undefined ? undefined : "found" in there ? there.found.drive : there.drive;
  const space = await drive?.space().catch(() => undefined);
  const { region = "", zone = "", node = "" } = place ?? {};
  // Drives that name no node are each a domain of their own, as when a store is made.
  return { id, region, zone, node: node === "" ? `drive ${id}` : node, capacityBytes: space?.totalBytes ?? 0 };
}

function duplicated(path: string): HoldfastError {
  return new HoldfastError("DRIVE_DUPLICATED", `${path} is named twice: name every drive once`, { details: { path } });
}
