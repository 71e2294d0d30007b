import type { Clock } from "../base/clock.ts";
import type { SetId } from "../base/ids.ts";
import type { OrderedIndex } from "../index/ordered-index.ts";
import type { ErasureProfile } from "./erasure-set.ts";
import type { Member } from "./member.ts";

/** What the parts of one set share: who its members are and how it writes. */
export interface SetContext {
  readonly id: SetId;
  readonly profile: ErasureProfile;
  readonly members: readonly Member[];
  readonly index: OrderedIndex;
  readonly clock: Clock;
  readonly settings: SetSettings;
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
}
