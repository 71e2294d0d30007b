/** An open set as its owner sees it: what the rooms above may do, and what only the owner may. */
import type { DriveHealth } from "./drive-health.ts";
import type { ErasureProfile, ErasureSet } from "./erasure-set.ts";
import type { JoiningDrive } from "./join-member.ts";
import type { MemberState } from "./member.ts";
import type { KnownPack } from "./pack-entries.ts";
import type { ReadCounters } from "./read-tools.ts";
import type { SetContext } from "./set-context.ts";

/** A set that is open, with what only its owner may do. */
export interface OpenSet extends ErasureSet {
  status(): SetStatus;
  /**
   * A drive is there (again) for a place whose own is gone: resolves when it takes writes. What it lacks is made by healing the set.
   * @throws DRIVE_DUPLICATED, DRIVE_FAILED, DRIVE_FOREIGN, STORE_CLOSED, and what the drive throws when it cannot be written
   */
  attach(ordinal: number, joining: JoiningDrive): Promise<void>;
  /** The drive of a place is gone: nothing is asked of it any more. The drive itself is its owner's. */
  detach(ordinal: number, why: { readonly state: "offline" | "foreign"; readonly reason: string }): void;
  /** Adds a place with an empty drive; resolves with its number. Every drive of the set must know of the place beforehand. */
  extend(joining: Omit<JoiningDrive, "fresh">): Promise<number>;
  /** A drive that was healed is whole; false when it has begun to lack something meanwhile. @throws what the drive throws */
  completeMember(ordinal: number): Promise<boolean>;
  /** Ends the pack being filled; resolves when it is sealed. */
  rotatePack(): Promise<void>;
  /** Runs `work` while no operation is placed or in flight; what arrives waits. `work` must be short and must not commit. */
  quiesce<T>(work: () => Promise<T>): Promise<T>;
  /** Runs `work` while no other piece of upkeep changes or removes files of packs. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when no read of a packed payload in this pack that is under way now is under way any more. */
  unread(pack: number): Promise<void>;
  /** How the drives answer; who keeps the set calls its `look` every second or so, whether anybody reads or not. */
  readonly health: DriveHealth;
  /** The pack being filled. */
  readonly activePack: number;
  /** Every frame, without its shard, of a pack that takes no more. @throws LOG_DAMAGED when no drive that is there has them whole */
  framesOf(pack: number): Promise<KnownPack>;
  /** Removes shards from a drive that no blob claims, and those of blobs that were given up while a drive of theirs was away. */
  removeOrphans(ordinal: number): Promise<void>;
  /** Runs work beside the set's own; `close` aborts its signal and waits for it. What fails is done later. */
  inBackground(work: (signal: AbortSignal) => Promise<void>): void;
  /** Commits what was placed, writes the clean end to every drive, closes the index. The drives stay open: they are their owner's. */
  close(): Promise<void>;
  readonly context: SetContext;
}

export interface SetStatus {
  readonly id: string;
  readonly profile: ErasureProfile;
  readonly epoch: number;
  readonly sequence: number;
  readonly pack: number;
  readonly writable: boolean;
  /** Why it takes no writes, when it takes none. */
  readonly reason: string | undefined;
  readonly reads: Readonly<ReadCounters>;
  /** Further drive losses that everything in the set stands now, as far as is known; below zero some of it cannot be read. */
  readonly redundancy: number;
  readonly drives: readonly DriveStatus[];
}

export interface DriveStatus {
  readonly id: string;
  /** Its number in the set: those of drives that have left are missing. */
  readonly ordinal: number;
  readonly location: string | undefined;
  readonly state: MemberState;
  readonly reason: string | undefined;
  readonly missedFrames: number;
  readonly readFaults: number;
  /** False for a drive that does not hold all it should, as far as is known. */
  readonly whole: boolean;
  /** False while a drive has yet to be looked through for what an unclean end, or an absence, has left. */
  readonly checked: boolean;
  /** Whether it counts for opening the set and for acknowledging writes. */
  readonly votes: boolean;
}
