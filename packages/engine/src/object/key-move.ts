import type { CommitOptions, ErasureProfile, ErasureSet, SetOperation, SetTransaction } from "../set/erasure-set.ts";
import type { ObjectKey } from "./key-entries.ts";
import { movingKey } from "./keys.ts";
import { packRecord, recordVersion } from "./record-codec.ts";

/** A move of one key. */
export interface KeyMove {
  readonly key: ObjectKey;
  readonly to: ErasureSet;
  /** Sets that may have the key beside the target. */
  readonly sources: readonly ErasureSet[];
  /** How the key's bucket is coded; the target's own profile when undefined. */
  readonly profile: ErasureProfile | undefined;
  /** Records of one commit, but for an entry that takes more by itself. */
  readonly recordsMax: number;
  /** Commits; refuses when the move has been overtaken by a change of the topology. */
  readonly commit: <T>(set: ErasureSet, operation: SetOperation<T>, options?: CommitOptions) => Promise<T>;
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/** Records a blob takes when it is named, or given up. */
export const blobRecords = 2;

/** Entries looked up in one turn. */
export const sliceEntries = 64;

/** Puts the mark with the first of several commits, removes it with the last. */
export function mark(
  tx: SetTransaction,
  { bucketId, keyBytes }: ObjectKey,
  step: { readonly wasMarked: boolean; readonly isLast: boolean },
): void {
  const indexKey = movingKey(bucketId, keyBytes);
  if (step.isLast && step.wasMarked) tx.delete(indexKey);
  if (!step.isLast && !step.wasMarked) tx.put(indexKey, packRecord([recordVersion]));
}
