/**
 * Notices drives that vanish, takes up those that return, and puts empty directories in the place of lost drives, without a restart.
 *
 * One look: every path is looked at, all at once; then, one after another with every other change of the store's shape:
 *   1  drives that are not at their path any more, or have not answered for too long, are taken out of their sets and let go
 *   2  drives of the store found at a path whose place is vacant are locked, opened, given the newest label and join their set
 *   3  an empty directory where a lost drive was becomes its replacement: a new drive under the old number
 *   4  drives with an old label get the newest
 * A path whose look has not come back is passed over until it has. What fails is tried again at the next look.
 *
 * An empty directory that is no mount point, while other drives of the store are, is most likely what is left when a drive is unmounted:
 * it is never taken, the drive stays away.
 */
import { isHoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import { openNewSets } from "./add-drives.ts";
import type { DriveLook } from "./drive-access.ts";
import { type HeldDrive, patiently } from "./held-drives.ts";
import { replaceInPlace } from "./replace-drive.ts";
import type { StoreDrives } from "./store-drives.ts";
import type { DrivePlace } from "./topology.ts";

type Looks = ReadonlyMap<string, DriveLook>;

/** Why a drive is gone. */
interface Absence {
  readonly state: "offline" | "foreign";
  readonly reason: string;
}

export class DriveWatcher {
  readonly #drives: StoreDrives;
  readonly #looking = new Set<string>();
  /** The drive that was held at a path when it was looked at last. A look tells nothing of one that came only then. */
  readonly #lookedFor = new Map<string, HeldDrive | undefined>();
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(drives: StoreDrives) {
    this.#drives = drives;
  }

  /** Looks at every drive and acts on what it finds. Never rejects. Called while a look is under way, it looks once more after that one. */
  look(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#lookOnce().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.look();
    });
    return this.#next;
  }

  async #lookOnce(): Promise<void> {
    if (this.#drives.isClosed) return;
    const looks = await this.#lookEverywhere();
    await this.#drives.exclusive(() => this.#act(looks)).catch(() => undefined);
  }

  async #lookEverywhere(): Promise<Looks> {
    const { held, places } = this.#drives;
    const paths = new Set([...places.keys(), ...held.all().map(({ path }) => path)]);
    const looks = new Map<string, DriveLook>();
    await Promise.all(
      [...paths].map(async (path) => {
        if (this.#looking.has(path)) return;
        this.#looking.add(path);
        this.#lookedFor.set(path, held.at(path));
        const look = this.#drives.options.access.lookAt(path, held.at(path)?.drive).finally(() => this.#looking.delete(path));
        await patiently(look, `drive ${path}`).then(
          (found) => looks.set(path, found),
          () => undefined,
        );
      }),
    );
    return looks;
  }

  async #act(looks: Looks): Promise<void> {
    this.#leaveVanished(looks);
    await this.#drives.spreadLabel();
    for (const place of this.#drives.vacantPlaces()) await this.#fill(place, looks);
    await openNewSets(this.#drives);
  }

  #leaveVanished(looks: Looks): void {
    const nowMs = this.#drives.options.clock.monotonicMs();
    for (const held of this.#drives.held.all()) {
      const place = this.#drives.placeOf(held.id);
      if (place === undefined) continue;
      const stalledMs = this.#drives.memberAt(place)?.stalledMs(nowMs) ?? 0;
      const look = looks.get(held.path);
      const absence =
        stalledMs > this.#drives.options.settings.upkeep.stallLimitMs
          ? ({ state: "offline", reason: `drive ${held.path} has not answered for ${Math.round(stalledMs / 1000)} seconds` } as const)
          : look === undefined || this.#lookedFor.get(held.path) !== held
            ? undefined
            : this.#absenceOf(held, look);
      if (absence !== undefined) void this.#drives.unseat(place, absence);
    }
  }

  /** Why a drive is not where it was; undefined when it is. */
  #absenceOf(held: HeldDrive, look: DriveLook): Absence | undefined {
    if (look.kind !== "labelled") return this.#absenceAt(held.path, look);
    if (look.label.storeId !== this.#drives.label.storeId || look.label.driveId !== held.id) return this.#absenceAt(held.path, look);
    if (held.identity === undefined) held.identity = look.identity;
    if (held.identity === look.identity) return undefined;
    return { state: "offline", reason: `the directory ${held.path} is not the one that was opened` };
  }

  #absenceAt(path: string, look: DriveLook): Absence {
    if (look.kind === "empty") return { state: "offline", reason: `drive ${path} is empty` };
    if (look.kind === "absent") return { state: "offline", reason: look.reason };
    const { storeId, driveId } = look.label;
    if (storeId !== this.#drives.label.storeId) return { state: "foreign", reason: `at ${path} is a drive of store ${storeId}` };
    if (this.#drives.placeOf(driveId) === undefined)
      return { state: "foreign", reason: `at ${path} is a drive that was taken out of the store` };
    return { state: "offline", reason: `at ${path} is drive ${driveId} of the store` };
  }

  async #fill(place: DrivePlace, looks: Looks): Promise<void> {
    const id = this.#drives.idAt(place);
    const { held } = this.#drives;
    const home = held.homeOf(id);
    const path = held.get(id)?.path ?? pathOf(id, this.#drives.label.storeId, looks);
    try {
      if (path !== undefined) return await this.#takeUp(place, { id, path });
      const look = home === undefined ? undefined : looks.get(home);
      if (home === undefined || look === undefined) return;
      if (held.isLeaving(home)) return;
      if (look.kind !== "empty") return this.#tell(place, this.#absenceAt(home, look));
      if (!look.isMountPoint && this.#othersAreMounted(home, looks)) {
        return this.#tell(place, {
          state: "offline",
          reason: `${home} is empty and no mount point, as other drives are: mount the drive there`,
        });
      }
      await replaceInPlace(this.#drives, place, { path: home });
    } catch (error) {
      this.#tell(place, { state: stateAfter(error), reason: error instanceof Error ? error.message : String(error) });
    }
  }

  /** A drive of the store is there (again). */
  async #takeUp(place: DrivePlace, { id, path }: { id: DriveId; path: string }): Promise<void> {
    const drives = this.#drives;
    const { held } = drives;
    if (held.isLeaving(path)) return;
    if (held.get(id) === undefined) {
      const found = await held.open(path, id);
      const { label } = found;
      const kept = held.keep(id, found, label ?? { labelSequence: 0, createdMs: 0 });
      if (label?.driveId !== id || found.writeProblem !== undefined) {
        held.letGo(id, Promise.resolve());
        throw found.writeProblem ?? new Error(`drive ${path} has changed while it was looked at`);
      }
      // Also one with a higher sequence: a change that reached too few drives, and was never seen again, does not count.
      if (kept.labelSequence !== drives.label.labelSequence) kept.labelSequence = -1;
      await drives.spreadLabel();
      if (kept.labelSequence !== drives.label.labelSequence) {
        held.letGo(id, Promise.resolve());
        throw kept.drive.failure ?? new Error(`the label of drive ${path} cannot be written`);
      }
    }
    await drives.seat(place);
  }

  /** Says of a place without a drive why it has none. */
  #tell(place: DrivePlace, absence: Absence): void {
    const member = this.#drives.memberAt(place);
    if (member === undefined || member.drive !== undefined) return;
    this.#drives.setOf(place.setId)?.detach(place.ordinal, absence);
  }

  #othersAreMounted(path: string, looks: Looks): boolean {
    return [...looks].some(([other, look]) => other !== path && look.kind === "labelled" && look.isMountPoint);
  }
}

function pathOf(id: DriveId, storeId: string, looks: Looks): string | undefined {
  for (const [path, look] of looks) {
    if (look.kind === "labelled" && look.label.driveId === id && look.label.storeId === storeId) return path;
  }
  return undefined;
}

function stateAfter(error: unknown): "offline" | "foreign" {
  return isHoldfastError(error, "DRIVE_FOREIGN") ? "foreign" : "offline";
}
