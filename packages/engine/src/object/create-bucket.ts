import { HoldfastError, throwIfAborted } from "../base/errors.ts";
import { dataMax, dataMaxWithFourParity, parityMax } from "../base/limits.ts";
import type { ErasureProfile, ErasureSet, SetTransaction } from "../set/erasure-set.ts";
import { type BucketRecord, createBucketState, packBucketRecord, unpackBucketRecord, type Versioning } from "./bucket-record.ts";
import { BucketTable } from "./bucket-table.ts";
import { commitHome } from "./commit-on-key.ts";
import type { ObjectContext } from "./context.ts";
import { bucketCounterKey, bucketKey, bucketNameOf, endOf, keyTags } from "./keys.ts";
import { packCounter, readCounter } from "./move-home.ts";
import { invalidArgument, validateInteger, validateOptions } from "./validate.ts";
import { validateBucketName } from "./validate-bucket-name.ts";

/** Options of a new bucket. */
export interface CreateBucketOptions {
  /** `"off"` when left out. */
  readonly versioning?: Versioning | undefined;
  /** How the bucket's objects are coded; the store's profile when left out. */
  readonly erasure?: ErasureProfile | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Makes a bucket, in the home set. */
export async function createBucket(context: ObjectContext, name: string, options: CreateBucketOptions = {}): Promise<void> {
  validateOptions(options);
  throwIfAborted(options.signal);
  validateBucketName(name);
  const versioning = options.versioning ?? "off";
  if (!["off", "enabled", "suspended"].includes(versioning))
    throw invalidArgument("versioning", versioning, 'must be "off", "enabled" or "suspended"');
  if (options.erasure !== undefined) validateErasure(context, options.erasure);
  const erasure = options.erasure === undefined ? undefined : { data: options.erasure.data, parity: options.erasure.parity };
  const decide = (tx: SetTransaction): BucketRecord => {
    if (tx.get(bucketKey(name)) !== undefined) {
      throw new HoldfastError("BUCKET_EXISTS", `there is a bucket ${JSON.stringify(name)} already; open it with bucket("${name}")`, {
        details: { bucket: name },
      });
    }
    const record = { id: takeBucketId(tx), createdMs: tx.timeMs, versioning, erasure };
    tx.put(bucketKey(name), packBucketRecord(record));
    return record;
  };
  const record = await commitHome(context, { decide }, options.signal === undefined ? undefined : { signal: options.signal });
  context.buckets.set(name, createBucketState(name, record));
}

/** All buckets of a home set, as they are committed. */
export function loadBuckets(homeSet: ErasureSet): BucketTable {
  const buckets = new BucketTable();
  const start = Uint8Array.of(keyTags.bucket);
  homeSet.scan({ start, end: endOf(start) }, (key, entry) => {
    const name = bucketNameOf(key);
    buckets.set(name, createBucketState(name, unpackBucketRecord(entry().value)));
    return true;
  });
  return buckets;
}

/** The next bucket id. Ids are never used again, so that what a lost commit may leave of a bucket never shows in another. */
function takeBucketId(tx: SetTransaction): number {
  const { nextId, generation } = readCounter(tx) ?? { nextId: 1, generation: 0 };
  tx.put(bucketCounterKey, packCounter({ nextId: nextId + 1, generation }));
  return nextId;
}

/** Checks that every set can be coded so. @throws ARGUMENT_INVALID */
export function validateErasure(context: ObjectContext, erasure: ErasureProfile): void {
  if (typeof erasure !== "object" || erasure === null) throw invalidArgument("erasure", erasure, "must be { data, parity }");
  const { data, parity } = erasure;
  if (data === undefined || parity === undefined) throw invalidArgument("erasure", erasure, "must have both data and parity");
  validateInteger("erasure.parity", parity, { min: 0, max: parityMax });
  validateInteger("erasure.data", data, { min: 1, max: parity === parityMax ? dataMaxWithFourParity : dataMax });
  const drives = Math.min(...context.topology.sets.map((set) => set.driveCount));
  if (data + parity > drives)
    throw invalidArgument("erasure", `${data}+${parity}`, `needs ${data + parity} drives, but a set has only ${drives}`);
}
