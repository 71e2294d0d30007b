import type { Command } from "commander";
import type { Bucket } from "../object/bucket.ts";
import type { BucketInfo } from "../object/bucket-info.ts";
import type { ListEntry } from "../object/list-objects.ts";
import { parseAddress } from "./address.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { withStore } from "./find-store.ts";
import { printable } from "./printable.ts";

interface ListCommandOptions {
  readonly recursive?: boolean;
  readonly long?: boolean;
}

/** `holdfast ls`: buckets, or what is in one. */
export function addList(program: Command, run: RunWork): void {
  program
    .command("ls")
    .summary("list buckets or objects")
    .description(
      "Lists buckets, or the keys of a bucket that start with PREFIX, up to the next slash: BUCKET/photos/ lists what is in that folder. Control characters in keys are shown as \\xNN; --json gives keys as they are.",
    )
    .argument("[bucket[/prefix]]")
    .option("-r, --recursive", "all keys, not rolled up to folders")
    .option("-l, --long", "with size and time of the last change")
    .action((name: string | undefined, options: ListCommandOptions) => run((context) => list(context, name, options)));
}

async function list(context: CommandContext, name: string | undefined, options: ListCommandOptions): Promise<void> {
  const address = name === undefined || name === "hf://" ? undefined : parseAddress(name);
  await withStore(context, async (store) => {
    if (address === undefined) return listBuckets(context, await store.buckets({ signal: context.io.signal }), options);
    return listObjects(context, store.bucket(address.bucket), address.key, options);
  });
}

async function listBuckets({ out }: CommandContext, buckets: readonly BucketInfo[], { long }: ListCommandOptions): Promise<void> {
  for (const bucket of buckets) {
    const erasure = bucket.erasure === undefined ? "" : `  ${bucket.erasure.data}+${bucket.erasure.parity}`;
    const versioning = bucket.versioning === "off" ? "" : `  versioning ${bucket.versioning}`;
    await out.line(long === true ? `${bucket.createdAt.toISOString()}  ${bucket.name}${versioning}${erasure}` : bucket.name, bucket);
  }
}

async function listObjects({ io, out }: CommandContext, bucket: Bucket, prefix: string, options: ListCommandOptions): Promise<void> {
  const delimiter = options.recursive === true ? undefined : "/";
  for await (const entry of bucket.list({ prefix, delimiter, signal: io.signal })) {
    await out.line(entryLine(entry, options.long === true), entry);
  }
}

/** Wide enough for a terabyte. */
const sizeColumns = 13;
const timeColumns = "2026-01-01T00:00:00.000Z".length;

function entryLine(entry: ListEntry, long: boolean): string {
  const name = printable(entry.key ?? entry.prefix);
  if (!long) return name;
  const size = entry.key === undefined ? "folder" : String(entry.size);
  return `${size.padStart(sizeColumns)}  ${(entry.lastModified?.toISOString() ?? "").padEnd(timeColumns)}  ${name}`;
}
