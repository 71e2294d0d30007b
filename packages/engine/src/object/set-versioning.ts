import { throwIfAborted } from "../base/errors.ts";
import { packBucketRecord, type Versioning } from "./bucket-record.ts";
import { commitHome } from "./commit-on-key.ts";
import { bucketNotFound, type ObjectContext, requireBucket } from "./context.ts";
import type { SignalOptions } from "./delete-bucket.ts";
import { bucketKey } from "./keys.ts";
import { invalidArgument, validateOptions } from "./validate.ts";

/** Enables or suspends versioning of a bucket; alone in its gate, so every commit sees one state throughout. */
export async function setVersioning(
  context: ObjectContext,
  name: string,
  versioning: Versioning,
  options: SignalOptions = {},
): Promise<void> {
  validateOptions(options);
  throwIfAborted(options.signal);
  if (versioning !== "enabled" && versioning !== "suspended") {
    throw invalidArgument(
      "versioning",
      versioning,
      'must be "enabled" or "suspended"; once enabled it cannot be turned off, because older versions may exist',
    );
  }
  const bucket = requireBucket(context, name);
  await bucket.gate.alone(async () => {
    if (bucket.deleted) throw bucketNotFound(name);
    const record = { ...bucket.record, versioning };
    await commitHome(context, { decide: (tx) => tx.put(bucketKey(name), packBucketRecord(record)) });
    bucket.record = record;
  });
}
