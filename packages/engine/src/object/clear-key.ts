import { throwIfAborted } from "../base/errors.ts";
import type { ErasureSet, SetTransaction } from "../set/erasure-set.ts";
import { blobsOf, isMarked, type ObjectKey, readOwners, readPartKeys } from "./key-entries.ts";
import { blobRecords, type KeyMove, mark, sliceEntries } from "./key-move.ts";

/** Removes what earlier moves have left unfinished. */
export async function clearMarked(move: KeyMove): Promise<void> {
  for (const set of [move.to, ...move.sources]) if (isMarked(set, move.key)) await clearKey(move, set);
}

/** Deletes everything a set has of a key. */
export async function clearKey({ key, commit, recordsMax, signal }: KeyMove, set: ErasureSet): Promise<void> {
  for (;;) {
    throwIfAborted(signal);
    const { indexKeys, isAll } = entriesToClear(set, key, recordsMax);
    const wasMarked = isMarked(set, key);
    await commit(set, {
      decide(tx) {
        mark(tx, key, { wasMarked, isLast: isAll });
        for (const indexKey of indexKeys) clearEntry(tx, indexKey);
      },
    });
    if (isAll) return;
  }
}

/** Parts before the entry through which they are found. */
function entriesToClear(
  set: ErasureSet,
  key: ObjectKey,
  recordsMax: number,
): { readonly indexKeys: readonly Uint8Array[]; readonly isAll: boolean } {
  const indexKeys: Uint8Array[] = [];
  let records = 1;
  let after: Uint8Array | undefined;
  for (;;) {
    const owners = readOwners(set, key, after, sliceEntries);
    for (const { indexKey, uploadId, blobCount } of owners) {
      const room = Math.max(indexKeys.length === 0 ? 1 : 0, Math.floor((recordsMax - records) / (1 + blobRecords)));
      const parts = uploadId === undefined ? [] : readPartKeys(set, { bucketId: key.bucketId, uploadId }, undefined, room + 1);
      indexKeys.push(...parts.slice(0, room));
      records += room === 0 ? 0 : parts.length * (1 + blobRecords);
      if (parts.length > room) return { indexKeys, isAll: false };
      const ownRecords = 1 + blobRecords * blobCount;
      if (indexKeys.length > 0 && records + ownRecords > recordsMax) return { indexKeys, isAll: false };
      indexKeys.push(indexKey);
      records += ownRecords;
    }
    if (owners.length < sliceEntries) return { indexKeys, isAll: true };
    after = owners.at(-1)?.indexKey;
  }
}

function clearEntry(tx: SetTransaction, indexKey: Uint8Array): void {
  const entry = tx.get(indexKey);
  if (entry === undefined) return;
  for (const blob of blobsOf(indexKey, entry.value)) tx.removeBlob(blob);
  tx.delete(indexKey);
}
