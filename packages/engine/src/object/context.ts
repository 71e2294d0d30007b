/** What every operation of the object room works with. */
import type { Clock } from "../base/clock.ts";
import { HoldfastError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import type { BlobFacts } from "../set/blob-facts.ts";
import type { BlobLocation, ErasureSet } from "../set/erasure-set.ts";
import type { BucketState } from "./bucket-record.ts";
import type { BucketTable } from "./bucket-table.ts";
import type { ComputeDigest } from "./digests.ts";
import type { EtagSetting } from "./etag.ts";
import type { KeyGate } from "./key-gate.ts";
import { keyHeadBytes } from "./keys.ts";
import type { ChooseSet, Topology } from "./topology.ts";
import { validateKey } from "./validate-key.ts";

/** Settings of the object room: plain data, validated by the composition root. */
export interface ObjectSettings {
  /** Bodies up to this size are packed into the log; larger ones become blobs. */
  readonly inlineBytes: number;
  readonly etag: EtagSetting;
  /** Least size of every part but the last; S3's 5 MiB when undefined. */
  readonly partBytesMin?: number | undefined;
  /** Records of one commit that moves a key to another set, about; `operationRecordsMax` when undefined. */
  readonly moveRecordsMax?: number | undefined;
}

/** What the object room is given. */
export interface ObjectStoreDependencies {
  /** All sets, each once. */
  readonly sets: readonly ErasureSet[];
  readonly chooseSet: ChooseSet;
  /** Earlier mappings by which keys may still lie, where moving them has not ended. */
  readonly previous?: readonly ChooseSet[] | undefined;
  /** The set that keeps the buckets when none does yet; one of `sets`. */
  readonly homeSet: ErasureSet;
  readonly clock: Clock;
  readonly random: Random;
  readonly computeDigest: ComputeDigest;
  readonly settings: ObjectSettings;
  /** How a blob is coded; what its location says when undefined. */
  readonly describeBlob?: ((blob: BlobLocation) => BlobFacts) | undefined;
  /** Throws once the store is closed, for what asks no set. @throws STORE_CLOSED */
  readonly checkOpen?: (() => void) | undefined;
}

/** Dependencies, the sets as they are now, and the table of buckets. */
export interface ObjectContext extends Omit<ObjectStoreDependencies, "sets" | "chooseSet" | "previous" | "homeSet"> {
  readonly topology: Topology;
  readonly keyGate: KeyGate;
  readonly buckets: BucketTable;
}

/** Where an object key lives. */
export interface KeyAddress {
  readonly key: string;
  readonly bucket: BucketState;
  /** The set that had the key when it was located: to be read in the same turn. Changes are committed by `commit-on-key.ts`. */
  readonly set: ErasureSet;
  /** Key of the current version. */
  readonly currentKey: Uint8Array;
  /** The object key in UTF-8; a view of `currentKey`. */
  readonly keyBytes: Uint8Array;
}

/** The bucket of this name. @throws BUCKET_NOT_FOUND */
export function requireBucket(context: ObjectContext, name: string): BucketState {
  context.checkOpen?.();
  const bucket = context.buckets.get(name);
  if (bucket === undefined) throw bucketNotFound(name);
  return bucket;
}

/** Validates an object key and finds its set. @throws BUCKET_NOT_FOUND, KEY_INVALID */
export function locate(context: ObjectContext, bucketName: string, key: string): KeyAddress {
  const bucket = requireBucket(context, bucketName);
  const currentKey = validateKey(bucket.record.id, key);
  const keyBytes = currentKey.subarray(keyHeadBytes);
  return { key, bucket, currentKey, keyBytes, set: context.topology.ownerOf({ bucketId: bucket.record.id, keyBytes }) };
}

export function bucketNotFound(name: string): HoldfastError {
  return new HoldfastError("BUCKET_NOT_FOUND", `there is no bucket ${JSON.stringify(name)}; create it first`, {
    details: { bucket: name },
  });
}

export function objectNotFound(
  address: { readonly key: string; readonly bucket: BucketState },
  details: Readonly<Record<string, unknown>> = {},
): HoldfastError {
  return new HoldfastError("OBJECT_NOT_FOUND", `there is no object ${JSON.stringify(address.key)} in bucket ${address.bucket.name}`, {
    details: { bucket: address.bucket.name, key: address.key, ...details },
  });
}
