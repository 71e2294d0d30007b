import type { BucketState } from "./bucket-record.ts";

/** The buckets of a store by name, and by id. */
export class BucketTable extends Map<string, BucketState> {
  readonly #byId = new Map<number, BucketState>();

  /** The bucket of this id. */
  byId(id: number): BucketState | undefined {
    return this.#byId.get(id);
  }

  override set(name: string, bucket: BucketState): this {
    this.#byId.set(bucket.record.id, bucket);
    return super.set(name, bucket);
  }

  override delete(name: string): boolean {
    const bucket = this.get(name);
    if (bucket !== undefined) this.#byId.delete(bucket.record.id);
    return super.delete(name);
  }
}
