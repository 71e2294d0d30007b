import type { Command } from "commander";
import type { CreateBucketOptions } from "../object/create-bucket.ts";
import { parseAddress, usageError } from "./address.ts";
import type { RunWork } from "./command-context.ts";
import { withStore } from "./find-store.ts";
import { parseErasure } from "./init.ts";

interface MakeBucketOptions {
  readonly versioning?: boolean;
  readonly erasure?: { readonly data: number; readonly parity: number };
}

/** `holdfast mb`: makes a bucket. */
export function addMakeBucket(program: Command, run: RunWork): void {
  program
    .command("mb")
    .summary("make a bucket")
    .description("Makes a bucket.")
    .argument("<bucket>", "3 to 63 lower-case letters, digits, dots and hyphens")
    .option("--versioning", "keep overwritten and deleted versions")
    .option("--erasure <data+parity>", "how its objects are coded (default: as the store)", parseErasure)
    .action((name: string, options: MakeBucketOptions) =>
      run((context) =>
        withStore(context, async (store) => {
          const bucket = await store.createBucket(bucketName(name), { ...bucketOptions(options), signal: context.io.signal });
          await context.out.document([], await bucket.info());
        }),
      ),
    );
}

/** A bucket's name alone, with or without `hf://`. @throws ARGUMENT_INVALID */
export function bucketName(text: string): string {
  const { bucket, key } = parseAddress(text);
  if (key !== "") throw usageError(`${JSON.stringify(text)} names an object; name only the bucket`);
  return bucket;
}

function bucketOptions({ versioning, erasure }: MakeBucketOptions): CreateBucketOptions {
  return { versioning: versioning === true ? "enabled" : "off", erasure };
}
