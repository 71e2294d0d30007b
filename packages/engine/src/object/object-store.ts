/**
 * The object room's front: buckets and objects over erasure sets. It owns no resources: the sets are opened and closed by whoever
 * made them, and an operation on closed sets fails with their error.
 */
import { invariant } from "../base/invariant.ts";
import { operationBytesMax } from "../base/limits.ts";
import { Bucket } from "./bucket.ts";
import { type BucketInfo, bucketInfo } from "./bucket-info.ts";
import type { ObjectContext, ObjectStoreDependencies } from "./context.ts";
import { type CreateBucketOptions, createBucket, loadBuckets } from "./create-bucket.ts";
import { deleteBucket, type SignalOptions } from "./delete-bucket.ts";
import { KeyGate } from "./key-gate.ts";
import { findHome } from "./move-home.ts";
import { ObjectUpkeep } from "./object-upkeep.ts";
import { Topology } from "./topology.ts";
import { validateOptions } from "./validate.ts";

/**
 * Buckets and objects over erasure sets.
 *
 * @example
 * ```ts
 * const photos = await store.createBucket("photos", { versioning: "enabled" });
 * for (const bucket of await store.buckets()) console.log(bucket.name, bucket.createdAt);
 * await store.deleteBucket("photos");
 * ```
 */
export class ObjectStore {
  /** What only the owner of the store may do. */
  readonly upkeep: ObjectUpkeep;
  readonly #context: ObjectContext;

  /** @internal */
  constructor(context: ObjectContext) {
    this.#context = context;
    this.upkeep = new ObjectUpkeep(context);
  }

  /** Makes a bucket. @throws BUCKET_NAME_INVALID, BUCKET_EXISTS, ARGUMENT_INVALID */
  async createBucket(name: string, options?: CreateBucketOptions): Promise<Bucket> {
    await createBucket(this.#context, name, options);
    return this.bucket(name);
  }

  /** A bucket by name. Nothing is looked up yet: its methods fail with `BUCKET_NOT_FOUND` when there is none. */
  bucket(name: string): Bucket {
    return new Bucket(this.#context, name);
  }

  /** All buckets, by name. */
  async buckets(options?: SignalOptions): Promise<BucketInfo[]> {
    validateOptions(options);
    const names = [...this.#context.buckets.values()].map(bucketInfo);
    return names.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Deletes an empty bucket. @throws BUCKET_NOT_FOUND, BUCKET_NOT_EMPTY */
  deleteBucket(name: string, options?: SignalOptions): Promise<void> {
    return deleteBucket(this.#context, name, options);
  }
}

/** An object store over opened sets; reads the table of buckets from the home set. @throws FORMAT_TOO_NEW, INDEX_DAMAGED */
export function createObjectStore(dependencies: ObjectStoreDependencies): ObjectStore {
  const { sets, chooseSet, previous = [], homeSet: firstHome, ...rest } = dependencies;
  const { settings } = rest;
  invariant(settings.inlineBytes >= 0 && settings.inlineBytes <= operationBytesMax, "a body packed into the log fits an operation");
  const homeSet = findHome(sets, firstHome);
  const topology = new Topology({ sets, chooseSet, previous }, homeSet);
  return new ObjectStore({ ...rest, topology, keyGate: new KeyGate(), buckets: loadBuckets(homeSet) });
}
