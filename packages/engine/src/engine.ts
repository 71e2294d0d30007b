/**
 * The composition root: settings in, a wired store out.
 */
import { type Clock, systemClock } from "./base/clock.ts";
import { HoldfastError, throwIfAborted } from "./base/errors.ts";
import { type Random, systemRandom } from "./base/random.ts";
import { computeDigest, loadDigests } from "./codec/digest.ts";
import { type Compute, openCompute } from "./compute/compute.ts";
import { thisProcess } from "./drive/lock-drive.ts";
import type { Bucket } from "./object/bucket.ts";
import type { BucketInfo } from "./object/bucket-info.ts";
import type { CreateBucketOptions } from "./object/create-bucket.ts";
import type { SignalOptions } from "./object/delete-bucket.ts";
import { createObjectStore, type ObjectStore } from "./object/object-store.ts";
import { createSetChooser } from "./placement/choose-set.ts";
import type { OpenSet, SetStatus } from "./set/open-erasure-set.ts";
import { releaseDrives, type WrapDrive } from "./store/find-drives.ts";
import { type OpenedDrives, openDrives } from "./store/open-drives.ts";
import { openSets } from "./store/open-sets.ts";
import { type ResolvedSettings, resolveSettings, type StoreSettings } from "./store/settings.ts";
import { type VerifyOptions, type VerifyReport, verifyStore } from "./upkeep/verify-store.ts";

/** Behaviour a store is given beside its settings: for tests and simulations, and to watch it open. */
export interface StoreComponents {
  readonly clock?: Clock;
  readonly random?: Random;
  /** Puts something between the store and each of its drives. */
  readonly wrapDrive?: WrapDrive;
  /** Called while an index is brought to the end of the log after an unclean end. */
  readonly onRecovery?: (progress: RecoveryProgress) => void;
  /** Ends an opening that takes too long; looked at between its steps and between the packs of a recovery. */
  readonly signal?: AbortSignal;
}

/** How far the replay of a set's log into its index is. */
export interface RecoveryProgress {
  readonly setId: string;
  readonly packsDone: number;
  readonly packs: number;
}

/** How a store stands. */
export interface StoreStatus {
  readonly storeId: string;
  /** True when every set takes writes. */
  readonly writable: boolean;
  readonly sets: readonly (SetStatus & { readonly space: SetSpace })[];
}

/** Bytes on the file systems behind a set's drives. Drives on one file system each count it. */
export interface SetSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** An open store: buckets and objects, and what only its owner may do. */
export interface Store extends AsyncDisposable {
  /** Makes a bucket. @throws BUCKET_NAME_INVALID, BUCKET_EXISTS, ARGUMENT_INVALID */
  createBucket(name: string, options?: CreateBucketOptions): Promise<Bucket>;
  /** A bucket by name. Nothing is looked up yet: its methods fail with `BUCKET_NOT_FOUND` when there is none. */
  bucket(name: string): Bucket;
  /** All buckets, by name. */
  buckets(options?: SignalOptions): Promise<BucketInfo[]>;
  /** Deletes an empty bucket. @throws BUCKET_NOT_FOUND, BUCKET_NOT_EMPTY */
  deleteBucket(name: string, options?: SignalOptions): Promise<void>;
  /** Drives, sets, space and state. */
  status(): Promise<StoreStatus>;
  /** Reads everything on every drive and compares it with its checksums and parity; changes nothing. @throws ABORTED */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Commits what is under way, ends streams with `STORE_CLOSED`, leaves a clean end on every drive, unlocks them. Calling it again waits for the
   * same. An open store does not keep the process alive; one that was never closed loses nothing, and its next opening looks through the end
   * of its log.
   */
  close(): Promise<void>;
}

/**
 * Opens the store that lives on the given drives, or makes one there when all of them are empty.
 *
 * @example
 * ```ts
 * await using store = await openStore({ drives: ["./data/d1", "./data/d2", "./data/d3"] });
 * const notes = await store.createBucket("notes");
 * await notes.put("hello.txt", "Hello");
 * ```
 * @throws SETTINGS_INVALID, STORE_LOCKED, STORE_NOT_FOUND, DRIVES_MISSING, DRIVE_FOREIGN, DRIVE_DUPLICATED, DRIVE_NOT_EMPTY,
 *   DRIVE_NOT_A_DIRECTORY, DRIVE_UNWRITABLE, DRIVE_UNREADABLE, LABEL_DAMAGED, TAIL_UNDECIDED, LOG_DAMAGED, FORMAT_TOO_NEW, ABORTED
 */
export async function openStore(settings: StoreSettings, components: StoreComponents = {}): Promise<Store> {
  const resolved = resolveSettings(settings);
  const clock = components.clock ?? systemClock;
  const random = components.random ?? systemRandom;
  const compute = openCompute({ threads: resolved.threads, memoryBudgetBytes: resolved.memoryBudgetBytes });
  let drives: OpenedDrives | undefined;
  let sets: readonly OpenSet[] = [];
  try {
    await loadDigests();
    throwIfAborted(components.signal);
    drives = await openDrives(resolved, { clock, random, wrap: components.wrapDrive });
    const { bootId } = await thisProcess(clock);
    const { missingReasons } = drives;
    sets = await openSets(drives.label, drives.members, {
      settings: resolved,
      clock,
      compute,
      bootId,
      missingReasons,
      onProgress: (progress) => {
        throwIfAborted(components.signal);
        components.onRecovery?.(progress);
      },
    });
    throwIfAborted(components.signal);
    const life = { closed: false };
    return new WiredStore({ drives, sets, compute, life, objects: wireObjects(sets, resolved, { clock, random, life }) });
  } catch (error) {
    await Promise.allSettled(sets.map((set) => set.close()));
    if (drives !== undefined) await releaseDrives(drives.found);
    await compute.close();
    throw error;
  }
}

/** Whether a store is still open; one for all its parts. */
interface Life {
  closed: boolean;
}

function checkOpen(life: Life): void {
  if (life.closed) throw new HoldfastError("STORE_CLOSED", "the store is closed; open it again");
}

function wireObjects(
  sets: readonly OpenSet[],
  settings: ResolvedSettings,
  { clock, random, life }: { clock: Clock; random: Random; life: Life },
): ObjectStore {
  const choose = createSetChooser(sets.map((set) => ({ id: set.id, weight: set.driveCount, set })));
  const bucketAndKey = new Uint8Array(4 + 1024);
  return createObjectStore({
    clock,
    random,
    checkOpen: () => checkOpen(life),
    sets,
    homeSet: sets[0] as OpenSet,
    chooseSet: (bucketId, key) => {
      new DataView(bucketAndKey.buffer).setUint32(0, bucketId);
      bucketAndKey.set(key, 4);
      return choose(bucketAndKey.subarray(0, 4 + key.byteLength)).set;
    },
    computeDigest,
    settings: { inlineBytes: settings.inlineBytes, etag: settings.etag },
  });
}

interface Wiring {
  readonly drives: OpenedDrives;
  readonly sets: readonly OpenSet[];
  readonly compute: Compute;
  readonly objects: ObjectStore;
  readonly life: Life;
}

class WiredStore implements Store {
  readonly #wiring: Wiring;
  #closing: Promise<void> | undefined;

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
  }

  createBucket(name: string, options?: CreateBucketOptions): Promise<Bucket> {
    return this.#wiring.objects.createBucket(name, options);
  }

  bucket(name: string): Bucket {
    return this.#wiring.objects.bucket(name);
  }

  async buckets(options?: SignalOptions): Promise<BucketInfo[]> {
    checkOpen(this.#wiring.life);
    return this.#wiring.objects.buckets(options);
  }

  deleteBucket(name: string, options?: SignalOptions): Promise<void> {
    return this.#wiring.objects.deleteBucket(name, options);
  }

  async status(): Promise<StoreStatus> {
    checkOpen(this.#wiring.life);
    const sets = await Promise.all(this.#wiring.sets.map(async (set) => ({ ...set.status(), space: await spaceOf(set) })));
    return { storeId: this.#wiring.drives.label.storeId, writable: sets.every((set) => set.writable), sets };
  }

  async verify(options?: VerifyOptions): Promise<VerifyReport> {
    checkOpen(this.#wiring.life);
    return verifyStore(this.#wiring.sets, options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { sets, compute, drives, life } = this.#wiring;
    life.closed = true;
    const closed = await Promise.allSettled(sets.map((set) => set.close()));
    await compute.close();
    await releaseDrives(drives.found);
    for (const outcome of closed) if (outcome.status === "rejected") throw outcome.reason;
  }
}

async function spaceOf(set: OpenSet): Promise<SetSpace> {
  let totalBytes = 0;
  let freeBytes = 0;
  for (const { drive } of set.context.members) {
    const space = await drive?.space().catch(() => undefined);
    totalBytes += space?.totalBytes ?? 0;
    freeBytes += space?.freeBytes ?? 0;
  }
  return { totalBytes, freeBytes };
}
