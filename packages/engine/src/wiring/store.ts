/** An open store as its users see it. */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Bucket } from "../object/bucket.ts";
import type { BucketInfo } from "../object/bucket-info.ts";
import type { CreateBucketOptions } from "../object/create-bucket.ts";
import type { SignalOptions } from "../object/delete-bucket.ts";
import type { ReprotectProgress } from "../object/reprotect.ts";
import type { ErasureProfile } from "../set/erasure-set.ts";
import type { SetStatus } from "../set/open-set.ts";
import type { AddedDrives, AddOptions } from "../store/add-drives.ts";
import type { DriveAccess } from "../store/drive-access.ts";
import type { WrapDrive } from "../store/find-drives.ts";
import type { ReplacedDrive, ReplaceOptions } from "../store/replace-drive.ts";
import type { DriveSettings } from "../store/settings.ts";
import type { StoreEvent } from "../upkeep/events.ts";
import type { VerifyOptions, VerifyReport } from "../upkeep/verify-store.ts";
import type { DrainStoreOptions } from "./change-drives.ts";
import type { RebuildOptions, RebuildProgress, RebuildReport, ReprotectStoreOptions } from "./store-upkeep.ts";

/** Behaviour a store is given beside its settings: for tests and simulations, and to watch it open. */
export interface StoreComponents {
  readonly clock?: Clock;
  readonly random?: Random;
  /** Puts something between the store and each of its drives. */
  readonly wrapDrive?: WrapDrive;
  /** How simulated drives vanish and return; for directories and memory the store knows itself. */
  readonly access?: Partial<DriveAccess>;
  /** Told of everything that happens to drives and data from the opening on; see also `Store.subscribe`. */
  readonly onEvent?: (event: StoreEvent) => void;
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
  /** The rebuild under way, if there is one. */
  readonly rebuild: RebuildProgress | undefined;
  /** What happened lately, the oldest first; at most 100 events. */
  readonly events: readonly StoreEvent[];
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
  /** Reads everything on every drive, compares it with its checksums and parity, and repairs what it can unless told not to. @throws ABORTED */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /** Changes of the store's drives while it is open. */
  readonly drives: StoreDriveChanges;
  /** Looks at the drives, then makes everything that is missing or wrong on those that are there. @throws ABORTED */
  rebuild(options?: RebuildOptions): Promise<RebuildReport>;
  /** Gives space back now that deleted and overwritten objects take. @throws ABORTED, WRITE_QUORUM_LOST, DRIVE_FULL */
  compact(options?: CompactOptions): Promise<CompactReport>;
  /**
   * Changes how the objects of a bucket are coded, also those it has already. Interrupted, it goes on when it is called again.
   * @throws BUCKET_NOT_FOUND, ARGUMENT_INVALID, ABORTED, WRITE_QUORUM_LOST, DRIVE_FULL
   */
  reprotect(bucket: string, erasure: ErasureProfile, options?: ReprotectStoreOptions): Promise<ReprotectProgress>;
  /** Does all upkeep that is due now: what goes on in the background too, unless the settings turn it off. @throws ABORTED */
  maintain(options?: SignalOptions): Promise<void>;
  /** Calls `listener` for every event from now on; the answer ends that. */
  subscribe(listener: (event: StoreEvent) => void): () => void;
  /**
   * Commits what is under way, ends streams with `STORE_CLOSED`, leaves a clean end on every drive, unlocks them. Calling it again waits for the
   * same. An open store does not keep the process alive; one that was never closed loses nothing, and its next opening looks through the end
   * of its log.
   */
  close(): Promise<void>;
}

/** Changes of an open store's drives. */
export interface StoreDriveChanges {
  /**
   * Puts the empty directory `path` (made when it is not there) in the place of a drive that is missing, failed or healthy, named by its path or
   * id. Resolves when the new drive takes writes; what belongs on it is made in the background, or by `rebuild`.
   * @throws DRIVE_NOT_FOUND, DRIVE_NOT_EMPTY, DRIVE_FOREIGN, DRIVE_DUPLICATED, DRIVES_MISSING, WRITE_QUORUM_LOST
   */
  replace(drive: string, path: string, options?: ReplaceOptions): Promise<ReplacedDrive>;
  /**
   * Adds empty directories (made when they are not there): as many as make sets of their own become such and objects move to them in the
   * background, fewer join the sets there are. Resolves when they take writes.
   * @throws DRIVE_NOT_EMPTY, DRIVE_FOREIGN, DRIVE_DUPLICATED, DRIVES_MISSING, WRITE_QUORUM_LOST, SETTINGS_INVALID, QUEUE_FULL
   */
  add(drives: readonly (string | DriveSettings)[], options?: AddOptions): Promise<AddedDrives>;
  /**
   * Empties a drive (by its path or id) or a set (by its id) onto the others and takes it out of the store; resolves when it is out. Interrupted,
   * it goes on in the background, also after the store is opened again.
   * @throws DRIVE_NOT_FOUND, SETTINGS_INVALID when what stays is too little, QUEUE_FULL while objects move between sets, DRIVES_MISSING, ABORTED
   */
  drain(named: string, options?: DrainStoreOptions): Promise<void>;
}

export interface CompactOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What a compaction has done, over all sets; bytes are those on each drive. */
export interface CompactReport {
  readonly packs: number;
  readonly bytesFreed: number;
  readonly bytesMoved: number;
}
