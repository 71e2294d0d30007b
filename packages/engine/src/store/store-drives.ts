/**
 * The drives of an open store and its label: what belongs where, and what is there.
 *
 * The label decides. Every change of the store's shape is one label with a higher sequence, written first to the drives that join, then to the
 * others, and it counts when so many voting drives of the sets concerned have it that no later opening misses it. What follows from a label
 * (a drive taken up in its place, a set opened) is done after it, and done again from the label when it was interrupted, by the next look at
 * the drives (`watch-drives.ts`) or the next opening. Changes are made one at a time.
 */
import { resolve } from "node:path";
import type { Clock } from "../base/clock.ts";
import { HoldfastError } from "../base/errors.ts";
import { createId, type DriveId, type SetId } from "../base/ids.ts";
import { invariant } from "../base/invariant.ts";
import type { Random } from "../base/random.ts";
import { encodeLabel, type LabelSet } from "../format/label.ts";
import { hasRebuildMark, prepareState } from "../set/drive-state.ts";
import type { Member } from "../set/member.ts";
import type { OpenSet } from "../set/open-set.ts";
import { openThreshold, witnessThreshold } from "../set/quorum.ts";
import { labelOf, nextLabelSequence, type StoreLabel } from "./change-label.ts";
import { checkDistinct } from "./check-distinct.ts";
import { type DriveAccess, giveBack } from "./drive-access.ts";
import { clearDrive, isHalfAdded, labelFileName } from "./drive-files.ts";
import type { FoundDrive } from "./find-drives.ts";
import { HeldDrives, patiently } from "./held-drives.ts";
import type { OpenedDrives } from "./open-drives.ts";
import type { MemberDrive } from "./open-sets.ts";
import type { DriveSettings, ResolvedSettings } from "./settings.ts";
import { type DrivePlace, drivesCounted, hasLeft, type StoreTopology, topologyOf } from "./topology.ts";

export interface StoreDrivesOptions {
  readonly settings: ResolvedSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly access: DriveAccess;
  /** Opens one more set of the store. */
  readonly openSet: (set: LabelSet, drives: ReadonlyMap<DriveId, MemberDrive>) => Promise<OpenSet>;
  /**
   * Told when the label has changed: its sets, their weights, what is being emptied. Waited for; must not change anything itself. Sets that go
   * are closed after it.
   */
  readonly onTopology?: ((topology: StoreTopology) => Promise<void>) | undefined;
}

/** A drive on its way into the store: open, empty, and not labelled yet. */
export interface JoiningDrive {
  readonly id: DriveId;
  readonly found: FoundDrive;
}

/** A change of the label. */
export interface LabelChange {
  readonly sets: readonly LabelSet[];
  readonly movingFrom?: StoreLabel["movingFrom"];
  readonly joining?: readonly JoiningDrive[];
  /** How many voting drives of which sets have to know of it. */
  readonly needs: ReadonlyMap<SetId, number>;
  /** A drive that goes, and so neither counts nor gets the label. */
  readonly without?: DriveId | undefined;
  /** `tellTopology` is called later: in a quiesced moment the rooms above cannot be told, and sets that go have to go first. */
  readonly isQuiet?: boolean;
  /** Called when the drives that join are labelled, before any other: from then on an opening with them goes on from there. */
  readonly onLabelled?: (() => Promise<void>) | undefined;
  /** Called when there is no way back. */
  readonly onDecided?: (() => void) | undefined;
}

export class StoreDrives {
  readonly held: HeldDrives;
  readonly options: StoreDrivesOptions;
  /** Open sets, in the order of the label. */
  readonly sets: OpenSet[];
  /** Places of drives as the settings name them, by path. */
  readonly places = new Map<string, Required<DriveSettings>>();
  #label: StoreLabel;
  #work: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** Drives whose joining hangs. */
  readonly #joining = new Set<DriveId>();

  constructor(opened: OpenedDrives, sets: OpenSet[], options: StoreDrivesOptions) {
    this.options = options;
    this.sets = sets;
    this.#label = opened.label;
    this.held = new HeldDrives(options.access);
    for (const place of options.settings.drives) this.places.set(this.pathOf(place.path), place);
    for (const [id, found] of opened.members) {
      this.held.keep(id, found, {
        labelSequence: opened.sequences.get(id) ?? 0,
        createdMs: found.label?.createdMs ?? opened.label.createdMs,
      });
    }
    this.#guessHomes(opened);
  }

  get label(): StoreLabel {
    return this.#label;
  }

  get topology(): StoreTopology {
    return topologyOf(this.#label);
  }

  /** True when every set of the label is open. */
  get isOpened(): boolean {
    return this.#label.sets.every(({ setId }) => this.setOf(setId) !== undefined);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** The form of a path by which drives are known. */
  pathOf(path: string): string {
    return this.options.settings.memory ? path : resolve(path);
  }

  /** Runs changes one after another. @throws STORE_CLOSED */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(() => {
      if (this.#closed) throw new HoldfastError("STORE_CLOSED", "the store is closed; open it again");
      return work();
    });
    this.#work = done.catch(() => undefined);
    return done;
  }

  /** Closes and unlocks all drives; their sets are closed by now. */
  async close(): Promise<void> {
    this.#closed = true;
    await patiently(this.#work, "a drive").catch(() => undefined);
    await this.held.close();
  }

  setOf(setId: SetId): OpenSet | undefined {
    return this.sets.find((set) => set.id === setId);
  }

  labelSetOf(setId: SetId): LabelSet {
    const set = this.#label.sets.find((candidate) => candidate.setId === setId);
    invariant(set !== undefined, "a set is one of the label's");
    return set;
  }

  memberAt({ setId, ordinal }: DrivePlace): Member | undefined {
    return this.setOf(setId)?.context.members[ordinal];
  }

  /** The place a drive has by the label; undefined for one that has none, or has left. */
  placeOf(id: DriveId): DrivePlace | undefined {
    for (const set of this.#label.sets) {
      const ordinal = set.drives.indexOf(id);
      if (ordinal >= 0) return hasLeft(set, ordinal) ? undefined : { setId: set.setId, ordinal };
    }
    return undefined;
  }

  idAt({ setId, ordinal }: DrivePlace): DriveId {
    return this.labelSetOf(setId).drives[ordinal] as DriveId;
  }

  /** Places of open sets that no drive fills and none is on its way to. */
  vacantPlaces(): DrivePlace[] {
    return this.#label.sets.flatMap((set) =>
      set.drives.flatMap((id, ordinal) => {
        const place = { setId: set.setId, ordinal };
        if (hasLeft(set, ordinal) || this.setOf(set.setId) === undefined || this.#joining.has(id)) return [];
        const member = this.memberAt(place);
        return member?.drive === undefined && member?.isLeaving !== true ? [place] : [];
      }),
    );
  }

  /** Drives that have to know of a change in a set, so that no opening misses it. */
  witnessesOf(setId: SetId): number {
    const set = this.labelSetOf(setId);
    return witnessThreshold(drivesCounted(set), { data: set.data, parity: set.parity });
  }

  /**
   * The same for putting a new drive in a lost one's place, which must be possible with as many drives away as the set stands: where those
   * that are there are fewer than `witnessesOf`, it is all of them, and never fewer than a set is opened with. Then the drives that are away
   * are not to be opened by themselves any more: they would not know.
   */
  witnessesOfLoss(setId: SetId, without?: DriveId): number {
    const set = this.labelSetOf(setId);
    const enough = openThreshold(drivesCounted(set), { data: set.data, parity: set.parity });
    return Math.max(
      enough,
      Math.min(
        this.witnessesOf(setId),
        this.#votersWith(setId, (id) => id !== without),
      ),
    );
  }

  /** Opens an empty directory for a drive that is to join. @throws DRIVE_NOT_EMPTY, DRIVE_FOREIGN, DRIVE_DUPLICATED, and why it cannot be written */
  async openNew(path: string): Promise<JoiningDrive> {
    if (this.held.at(path) !== undefined)
      throw new HoldfastError("DRIVE_DUPLICATED", `${path} is a drive of this store already`, { details: { path } });
    checkDistinct([...this.held.all().map((held) => held.path), path].map((other) => ({ path: other, realPath: other })));
    const { access } = this.options;
    await patiently(access.makeAt(path), `drive ${path}`);
    const look = await patiently(access.lookAt(path, undefined), `drive ${path}`);
    if (look.kind === "absent")
      throw new HoldfastError("DRIVE_NOT_EMPTY", `${look.reason}: name an empty directory`, { details: { path } });
    const found = await this.held.open(path, undefined);
    try {
      if (found.writeProblem !== undefined) throw found.writeProblem;
      if (found.label !== undefined) await this.#checkUnused(found);
      await clearDrive(found.drive);
      return { id: createId<DriveId>(this.options.random), found: { ...found, path, label: undefined } };
    } catch (error) {
      await giveBack(found);
      throw error;
    }
  }

  /** Says on an empty drive that it does not vote, before any label could make it count. */
  async markFresh({ found }: JoiningDrive, setId: SetId): Promise<void> {
    await prepareState({ id: setId }, found.drive, { epoch: 0, firstSequence: 1, clean: undefined }, { fresh: true });
  }

  /**
   * Makes a label count; when it throws before `onDecided`, nothing has changed.
   * @throws DRIVES_MISSING when too few drives are there, WRITE_QUORUM_LOST when it has reached too few: it is finished when drives are back
   */
  async change(change: LabelChange): Promise<void> {
    const { needs } = change;
    for (const [setId, needed] of needs) this.#checkVoters(setId, needed, change.without);
    const epoch = Math.max(...this.sets.map((set) => set.status().epoch));
    const { movingFrom: _, ...kept } = this.#label;
    const moving = change.movingFrom === undefined ? {} : { movingFrom: change.movingFrom };
    const label: StoreLabel = { ...kept, ...moving, sets: change.sets, labelSequence: nextLabelSequence(kept.labelSequence, epoch) };
    const createdMs = Math.floor(this.options.clock.nowMs());
    const joining = change.joining ?? [];
    try {
      for (const { id, found } of joining) await this.#writeNew(found, encodeLabel(labelOf(label, id, createdMs)));
      await change.onLabelled?.();
    } catch (error) {
      for (const { found } of joining) await clearDrive(found.drive).catch(() => undefined);
      throw error;
    }
    this.#label = label;
    for (const { id, found } of joining) this.held.keep(id, found, { labelSequence: label.labelSequence, createdMs });
    this.#markDraining();
    change.onDecided?.();
    if (!(await this.spreadLabel(needs))) {
      throw new HoldfastError("WRITE_QUORUM_LOST", "the change has reached too few drives to count: bring drives back and it is finished");
    }
    if (change.isQuiet !== true) await this.tellTopology();
  }

  /** Lets the rooms above know the label. */
  async tellTopology(): Promise<void> {
    if (this.isOpened) await this.options.onTopology?.(this.topology);
  }

  /** Writes the label to all drives that have an older one; true when every set of `needs` has so many voting drives with it. */
  async spreadLabel(needs: ReadonlyMap<SetId, number> = new Map()): Promise<boolean> {
    const { labelSequence } = this.#label;
    await Promise.all(
      this.held.all().map(async (held) => {
        const place = this.placeOf(held.id);
        if (held.labelSequence === labelSequence || place === undefined) return;
        try {
          const bytes = encodeLabel(labelOf(this.#label, held.id, held.createdMs));
          await patiently(held.drive.replaceFile(labelFileName, bytes), `drive ${held.path}`);
          held.labelSequence = labelSequence;
        } catch (error) {
          if (held.drive.failure !== undefined) this.memberAt(place)?.noteWriteFailure(error);
        }
      }),
    );
    return [...needs].every(
      ([setId, needed]) => this.#votersWith(setId, (id) => this.held.get(id)?.labelSequence === labelSequence) >= needed,
    );
  }

  /** True when so many drives of the set have the label that a new drive may take part in it. */
  isLabelSettled(setId: SetId): boolean {
    const { labelSequence } = this.#label;
    return this.#votersWith(setId, (id) => this.held.get(id)?.labelSequence === labelSequence) >= this.witnessesOfLoss(setId);
  }

  /** Puts a drive that is held into its place in the set. @throws what `OpenSet.attach` throws; then the drive is let go */
  async seat(place: DrivePlace): Promise<void> {
    const [id, set] = [this.idAt(place), this.setOf(place.setId)];
    const held = this.held.get(id);
    invariant(set !== undefined && held !== undefined, "a drive is held before it is put into its set");
    const { drive } = held;
    const fresh = await patiently(hasRebuildMark(drive), `drive ${held.path}`);
    if (fresh && !this.isLabelSettled(place.setId)) {
      throw new HoldfastError("DRIVES_MISSING", "too few drives know yet that it belongs to the store: bring drives back");
    }
    const exists = place.ordinal < set.context.members.length;
    const joined = exists ? set.attach(place.ordinal, { id, drive, fresh }) : set.extend({ id, drive });
    this.#joining.add(id);
    const over = Promise.resolve(joined).finally(() => this.#joining.delete(id));
    try {
      await patiently(over, `drive ${held.path}`);
    } catch (error) {
      this.held.letGo(
        id,
        over.then(
          () => this.unseat(place, { state: "offline", reason: "it took too long to join" }),
          () => undefined,
        ),
      );
      throw error;
    }
  }

  /** Takes the drive out of its place and lets it go. */
  unseat(place: DrivePlace, why: { readonly state: "offline" | "foreign"; readonly reason: string }): Promise<void> {
    const set = this.setOf(place.setId);
    const member = this.memberAt(place);
    if (set === undefined || member === undefined) return Promise.resolve();
    const { id } = member;
    set.detach(place.ordinal, why);
    const left = member.left();
    this.held.letGo(id, left);
    return left;
  }

  #markDraining(): void {
    for (const { setId, drainingDrives } of this.#label.sets) {
      for (const member of this.setOf(setId)?.context.members ?? []) member.draining = drainingDrives?.includes(member.ordinal) === true;
    }
  }

  async #writeNew(found: FoundDrive, label: Uint8Array): Promise<void> {
    await patiently(found.drive.replaceFile(labelFileName, label), `drive ${found.path}`);
  }

  /** A drive that joining was interrupted for may join again; any other label is somebody's. */
  async #checkUnused({ drive, label, path }: FoundDrive): Promise<void> {
    const isOurs = label?.storeId === this.#label.storeId && this.placeOf(label.driveId) === undefined;
    if (isOurs && (await isHalfAdded(drive))) return;
    const whose = label?.storeId === this.#label.storeId ? "it was a drive of this store" : `it belongs to store ${label?.storeId}`;
    throw new HoldfastError("DRIVE_FOREIGN", `${path} is not empty, ${whose}: name an empty directory, or empty it`, { details: { path } });
  }

  #votersWith(setId: SetId, counts: (id: DriveId) => boolean): number {
    return this.setOf(setId)?.context.members.filter((member) => member.votes && counts(member.id)).length ?? 0;
  }

  #checkVoters(setId: SetId, needed: number, without: DriveId | undefined): void {
    const set = this.setOf(setId);
    const able = set?.context.members.filter(
      ({ votes, takesRepairs, id }) => votes && takesRepairs && id !== without && this.held.get(id) !== undefined,
    );
    if ((able?.length ?? 0) >= needed) return;
    throw new HoldfastError(
      "DRIVES_MISSING",
      `the drives of a set cannot be changed while only ${able?.length ?? 0} of them are there, whole and writable beside it: ${needed} have to know of the change; bring drives back, or wait until they are rebuilt`,
      { details: { setId, present: able?.length ?? 0, needed } },
    );
  }

  /**
   * Which of the drives that are not there was to be where, when the settings leave no doubt: as many empty directories as drives are missing,
   * and a drive of the store at every other path; or one drive missing and one path without a drive, whatever is there.
   */
  #guessHomes({ emptyPaths, missing, members }: OpenedDrives): void {
    const lost = this.#label.sets.flatMap((set) => set.drives.filter((id, ordinal) => !members.has(id) && !hasLeft(set, ordinal)));
    const held = new Set([...members.values()].map(({ path }) => path));
    const vacant = [...this.places.keys()].filter((path) => !held.has(path));
    if (lost.length === 1 && vacant.length === 1) this.held.noteHome(lost[0] as DriveId, vacant[0] as string);
    if (emptyPaths.length !== lost.length || missing.length > 0) return;
    for (const [i, id] of lost.entries()) this.held.noteHome(id, emptyPaths[i] as string);
  }
}
