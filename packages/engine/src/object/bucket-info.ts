import type { ErasureProfile } from "../set/erasure-set.ts";
import type { BucketState, Versioning } from "./bucket-record.ts";

/** What is known of a bucket. */
export interface BucketInfo {
  readonly name: string;
  readonly createdAt: Date;
  readonly versioning: Versioning;
  /** Undefined where the store's profile applies. */
  readonly erasure: ErasureProfile | undefined;
}

/** A bucket as callers see it. */
export function bucketInfo(bucket: BucketState): BucketInfo {
  const { createdMs, versioning, erasure } = bucket.record;
  return { name: bucket.name, createdAt: new Date(createdMs), versioning, erasure };
}
