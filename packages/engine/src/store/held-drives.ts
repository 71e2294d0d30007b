/**
 * The drives an open store has in its hands: where each was found, its lock, and what is still going on with one that was let go.
 *
 * A drive that is gone is let go at once and closed behind: its calls may never answer. It is taken up again only when all of that is over,
 * so no call meant for the earlier visit reaches the later one. Its lock file, which nobody could give up while the drive was away, is given
 * up when it is back.
 */
import { systemClock } from "../base/clock.ts";
import { HoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import type { Drive } from "../drive/drive.ts";
import type { DriveLock } from "../drive/lock-drive.ts";
import { type DriveAccess, giveBack } from "./drive-access.ts";
import type { FoundDrive } from "./find-drives.ts";

export interface HeldDrive {
  readonly id: DriveId;
  readonly path: string;
  readonly drive: Drive;
  readonly lock: DriveLock | undefined;
  /** Of its directory, as `DriveLook` gives it; taken from the first look. */
  identity: string | undefined;
  /** Of the label that is on it. */
  labelSequence: number;
  readonly createdMs: number;
}

/** How long a drive may take for an answer before the store goes on without it. */
const patienceMs = 30_000;

/**
 * What the work gives, unless it takes too long; then `onLate` gets what it gives after all. Real time is meant: simulated drives that hang
 * belong to tests that bring a clock of their own.
 * @throws DRIVE_IO_ERROR when it takes too long
 */
export async function patiently<T>(work: Promise<T>, what: string, onLate?: (value: T) => void): Promise<T> {
  const settled = new AbortController();
  let late = false;
  const timeout = systemClock.sleep(patienceMs, settled.signal).then(() => {
    late = true;
    throw new HoldfastError("DRIVE_IO_ERROR", `${what} has not answered for ${patienceMs / 1000} seconds: check the drive`);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    settled.abort();
    if (late) work.then(onLate, () => undefined);
  }
}

export class HeldDrives {
  readonly #access: DriveAccess;
  readonly #held = new Map<DriveId, HeldDrive>();
  /** The last path a drive was seen at, also when it is gone. */
  readonly #homes = new Map<DriveId, string>();
  readonly #formerLocks = new Map<DriveId, DriveLock>();
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(access: DriveAccess) {
    this.#access = access;
  }

  get(id: DriveId): HeldDrive | undefined {
    return this.#held.get(id);
  }

  all(): HeldDrive[] {
    return [...this.#held.values()];
  }

  at(path: string): HeldDrive | undefined {
    return this.all().find((held) => held.path === path);
  }

  /** Where a drive is or was last. */
  homeOf(id: DriveId): string | undefined {
    return this.#homes.get(id);
  }

  /** Says where a drive that is not there would have to be. */
  noteHome(id: DriveId, path: string): void {
    this.#homes.set(id, path);
  }

  forgetHome(id: DriveId): void {
    this.#homes.delete(id);
  }

  /** True while calls to what was at a path before are not over. */
  isLeaving(path: string): boolean {
    return this.#leaving.has(path);
  }

  keep(id: DriveId, found: FoundDrive, label: { readonly labelSequence: number; readonly createdMs: number }): HeldDrive {
    const { path, drive, lock } = found;
    const { labelSequence, createdMs } = label;
    const held = { id, path, drive, lock, identity: undefined, labelSequence, createdMs };
    this.#held.set(id, held);
    this.#homes.set(id, path);
    return held;
  }

  /** Opens what lies at a path; `returning` is the drive it is by its label. @throws STORE_LOCKED and others; DRIVE_IO_ERROR when it hangs */
  async open(path: string, returning: DriveId | undefined): Promise<FoundDrive> {
    const lock = returning === undefined ? undefined : this.#formerLocks.get(returning);
    const opened = Promise.resolve(lock?.release(path)).then(() => this.#access.openAt(path));
    const found = await patiently(opened, `drive ${path}`, (late) => void giveBack(late));
    if (returning !== undefined) this.#formerLocks.delete(returning);
    return found;
  }

  /** Lets go of a drive once `left` says that nothing is asked of it any more. */
  letGo(id: DriveId, left: Promise<void>): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    if (held.lock !== undefined) this.#formerLocks.set(id, held.lock);
    const closing = left
      .then(() => giveBack(held))
      .catch(() => undefined)
      .then(() => {
        if (this.#leaving.get(held.path) === closing) this.#leaving.delete(held.path);
      });
    this.#leaving.set(held.path, closing);
  }

  /** Closes and unlocks everything; waits for what was let go before, but not for what hangs. */
  async close(): Promise<void> {
    const held = this.all();
    this.#held.clear();
    await Promise.all(held.map((drive) => giveBack(drive)));
    // Drives that were away may be back by now.
    const locks = [...this.#formerLocks.values()].map((lock) => lock.release());
    await patiently(Promise.all(locks), "a drive that left").catch(() => undefined);
    await patiently(Promise.all(this.#leaving.values()), "a drive that left").catch(() => undefined);
  }
}
