import type { Clock } from "../base/clock.ts";
import type { SetId } from "../base/ids.ts";
import type { OrderedIndex } from "../index/ordered-index.ts";
import type { Batch } from "./batch.ts";
import type { BlobLocation, ErasureProfile } from "./erasure-set.ts";
import type { Member, MemberTransition } from "./member.ts";
import type { RetiredPacks } from "./retired-packs.ts";

/** What the parts of one set share: who its members are and how it writes. */
export interface SetContext {
  readonly id: SetId;
  readonly profile: ErasureProfile;
  /** In the order of their numbers; grows when the set is extended. */
  readonly members: Member[];
  readonly index: OrderedIndex;
  readonly clock: Clock;
  readonly settings: SetSettings;
  /** Packs whose live entries were written again elsewhere: whatever drive still has one, it counts for nothing. */
  readonly retired: RetiredPacks;
  readonly hooks: SetHooks;
}

/** Something a read found wrong on a drive and got around. */
export type ReadFault =
  /** A shard at this position of a pack. */
  | { readonly kind: "packed"; readonly pack: number; readonly position: number }
  | { readonly kind: "blob"; readonly location: BlobLocation };

/** What has become of a set's index. */
export interface IndexHappening {
  /** `damaged`: reads fail until it is `renewed`; `failed`: it could not be, and only opening the store again makes it anew. */
  readonly phase: "damaged" | "renewed" | "failed";
  readonly reason: string | undefined;
}

/** Who is told of what happens in a set. Listeners must not throw. */
export interface SetHooks {
  onDriveState?: ((transition: MemberTransition) => void) | undefined;
  onReadFault?: ((fault: ReadFault) => void) | undefined;
  onIndex?: ((happening: IndexHappening) => void) | undefined;
  /** Called for every batch when it is committed, in order. */
  readonly onCommitted: Set<(batch: Batch) => void>;
}

/** How a set writes; every field has its default in the settings of the store. */
export interface SetSettings {
  /** Further drive losses an acknowledged write must stand at the moment of its acknowledgement; 0 ≤ survive ≤ m. */
  readonly survive: number;
  /** `full` syncs before every answer; `relaxed` answers when the operating system has the bytes: a power cut may lose the last writes. */
  readonly durability: "full" | "relaxed";
  readonly batchOperationsMax: number;
  readonly batchBytesMax: number;
  readonly stripeBytes: number;
  readonly packBytesMax: number;
  readonly packRecordsBytesMax: number;
  /** Free space on every drive that puts leave alone, so that deletes and repairs always have room. */
  readonly reserveBytes: number;
  /** Whether what is lost beyond what the code makes good is left out, where otherwise the opening would be refused. */
  readonly acceptLoss: boolean;
}
