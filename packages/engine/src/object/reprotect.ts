/**
 * Another code for a bucket, in use: its record is changed first, so that everything new is coded so; then what is there already is written
 * again, packed payloads by the set, blobs here. Begun again with the same code it goes on with what is still coded otherwise. A body whose
 * upload was under way at the change may be coded the old way still: the next time finds it.
 */
import { throwIfAborted } from "../base/errors.ts";
import type { ErasureProfile, ErasureSet } from "../set/erasure-set.ts";
import type { WantedProfile } from "../set/recode-set.ts";
import { packBucketRecord } from "./bucket-record.ts";
import { commitHome } from "./commit-on-key.ts";
import { bucketNotFound, type ObjectContext, requireBucket } from "./context.ts";
import { validateErasure } from "./create-bucket.ts";
import { bucketIdOf, bucketKey, keyHeadBytes, keyTags } from "./keys.ts";
import { type RewriteProgress, rewriteBlobs } from "./rewrite-bodies.ts";
import type { ObjectUpkeepOptions } from "./upkeep-options.ts";

/** What has been done so far. */
export interface ReprotectProgress {
  readonly setsDone: number;
  readonly sets: number;
  /** Packed bodies written again. */
  readonly packedRewritten: number;
  readonly blobsRewritten: number;
  /** Bytes of both. */
  readonly bytesRewritten: number;
  /** Bodies that cannot be read now: they stay as they are. */
  readonly unreadable: number;
}

/** What is done to the packed payloads of a set: `recodeSet` of the set room. */
export type RecodePacked = (
  set: ErasureSet,
  wanted: WantedProfile,
  options: ObjectUpkeepOptions<{ readonly entries: number; readonly bytes: number }>,
) => Promise<{ readonly entries: number; readonly bytes: number; readonly unreadable: number }>;

export interface ReprotectOptions extends ObjectUpkeepOptions<ReprotectProgress> {
  readonly recodePacked: RecodePacked;
}

/** How the payloads and blobs of an index key are to be coded: as its bucket says, the set's own profile when undefined. */
export function wantedProfile(context: ObjectContext): WantedProfile {
  return (key) => {
    const isOfBucket = (key[0] as number) >= keyTags.current && key.byteLength >= keyHeadBytes;
    return isOfBucket ? context.buckets.byId(bucketIdOf(key))?.record.erasure : undefined;
  };
}

/** Codes a bucket another way. @throws BUCKET_NOT_FOUND, ARGUMENT_INVALID, ABORTED, WRITE_QUORUM_LOST, DRIVE_FULL */
export async function reprotect(
  context: ObjectContext,
  name: string,
  erasure: ErasureProfile,
  options: ReprotectOptions,
): Promise<ReprotectProgress> {
  throwIfAborted(options.signal);
  validateErasure(context, erasure);
  const bucketId = await changeErasure(context, name, { data: erasure.data, parity: erasure.parity });
  const sets = [...context.topology.sets];
  let progress: ReprotectProgress = {
    setsDone: 0,
    sets: sets.length,
    packedRewritten: 0,
    blobsRewritten: 0,
    bytesRewritten: 0,
    unreadable: 0,
  };
  for (const set of sets) {
    progress = await reprotectSet(context, { set, bucketId, erasure }, { ...options, before: progress });
    options.onProgress?.(progress);
  }
  return progress;
}

async function changeErasure(context: ObjectContext, name: string, erasure: ErasureProfile): Promise<number> {
  const bucket = requireBucket(context, name);
  return bucket.gate.alone(async () => {
    if (bucket.deleted) throw bucketNotFound(name);
    const record = { ...bucket.record, erasure };
    await commitHome(context, { decide: (tx) => tx.put(bucketKey(name), packBucketRecord(record)) });
    bucket.record = record;
    return record.id;
  });
}

async function reprotectSet(
  context: ObjectContext,
  { set, bucketId, erasure }: { readonly set: ErasureSet; readonly bucketId: number; readonly erasure: ErasureProfile },
  { before, recodePacked, onProgress, ...options }: ReprotectOptions & { readonly before: ReprotectProgress },
): Promise<ReprotectProgress> {
  const after = (
    packed: { entries: number; bytes: number; unreadable: number },
    blobs: RewriteProgress | undefined,
  ): ReprotectProgress => ({
    ...before,
    packedRewritten: before.packedRewritten + packed.entries,
    blobsRewritten: before.blobsRewritten + (blobs?.blobsRewritten ?? 0),
    bytesRewritten: before.bytesRewritten + packed.bytes + (blobs?.bytesRewritten ?? 0),
    unreadable: before.unreadable + packed.unreadable + (blobs?.blobsUnreadable ?? 0),
  });
  const wanted = wantedProfile(context);
  const packed = await recodePacked(set, wanted, {
    ...options,
    onProgress: ({ entries, bytes }) => onProgress?.(after({ entries, bytes, unreadable: 0 }, undefined)),
  });
  const isCodedOtherwise = (blob: ErasureProfile, key: Uint8Array): boolean =>
    bucketIdOf(key) === bucketId && (blob.data !== erasure.data || blob.parity !== erasure.parity);
  const blobs = await rewriteBlobs(context, set, isCodedOtherwise, {
    ...options,
    onProgress: (progress) => onProgress?.(after(packed, progress)),
  });
  return { ...after(packed, blobs), setsDone: before.setsDone + 1 };
}
