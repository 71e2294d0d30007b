import { HoldfastError, throwIfAborted } from "../base/errors.ts";
import { commitHome } from "./commit-on-key.ts";
import { bucketNotFound, type ObjectContext, requireBucket } from "./context.ts";
import { bucketKey, endOf, keyHead, keyTags } from "./keys.ts";
import { validateOptions } from "./validate.ts";

/** Options of bucket operations that have no others. */
export interface SignalOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What keeps a bucket from being deleted. */
const contents = [
  { tag: keyTags.current, what: "objects" },
  { tag: keyTags.version, what: "versions or delete markers" },
  { tag: keyTags.upload, what: "multipart uploads" },
] as const;

/**
 * Deletes an empty bucket. Alone in the bucket's gate: every commit of the bucket has settled, none starts, so what the sets show is
 * all there is and stays so until the bucket is gone.
 */
export async function deleteBucket(context: ObjectContext, name: string, options: SignalOptions = {}): Promise<void> {
  validateOptions(options);
  throwIfAborted(options.signal);
  const bucket = requireBucket(context, name);
  await bucket.gate.alone(async () => {
    throwIfAborted(options.signal);
    if (bucket.deleted) throw bucketNotFound(name);
    for (const { tag, what } of contents) {
      if (holdsAny(context, keyHead(tag, bucket.record.id))) {
        throw new HoldfastError("BUCKET_NOT_EMPTY", `bucket ${name} still holds ${what}; delete them first`, {
          details: { bucket: name, holds: what },
        });
      }
    }
    await commitHome(context, { decide: (tx) => tx.delete(bucketKey(name)) });
    bucket.deleted = true;
    if (context.buckets.get(name) === bucket) context.buckets.delete(name);
  });
}

function holdsAny(context: ObjectContext, head: Uint8Array): boolean {
  let found = false;
  for (const set of context.topology.sets) {
    set.scan({ start: head, end: endOf(head) }, () => {
      found = true;
      return false;
    });
  }
  return found;
}
