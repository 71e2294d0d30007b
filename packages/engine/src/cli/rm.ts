import type { Command } from "commander";
import { HoldfastError } from "../base/errors.ts";
import type { Bucket } from "../object/bucket.ts";
import type { DeleteManyEntry } from "../object/delete-many.ts";
import { folderPrefix, formatAddress, parseAddress, parseObjectAddress } from "./address.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { exitCodes } from "./exit-codes.ts";
import { withStore } from "./find-store.ts";
import { errorLine } from "./report-error.ts";

interface RemoveOptions {
  readonly recursive?: boolean;
  readonly force?: boolean;
  readonly versions?: boolean;
  readonly versionId?: string;
}

/** Deletes in one commit. */
const groupMax = 1000;

/** `holdfast rm`: deletes an object, or all under a folder. */
export function addRemove(program: Command, run: RunWork): void {
  program
    .command("rm")
    .summary("delete objects")
    .description("Deletes an object; with -r all objects of a bucket (which stays), or of a folder in it.")
    .argument("<bucket/key>", "with -r: BUCKET or BUCKET/FOLDER")
    .option("-r, --recursive", "all objects of the folder, at any depth")
    .option("-f, --force", "what is not there is no error")
    .option("--versions", "with -r: also older versions and delete markers, for good")
    .option("--version-id <id>", "this version, for good")
    .action((name: string, options: RemoveOptions) => run((context) => remove(context, name, options)));
}

async function remove(context: CommandContext, name: string, options: RemoveOptions): Promise<number> {
  return withStore(context, async (store) => {
    const { bucket, key } = options.recursive === true ? parseAddress(name) : parseObjectAddress(name);
    const handle = store.bucket(bucket);
    if (options.recursive === true) return removeFolder(context, handle, folderPrefix(key), options);
    const { versionId } = options;
    const { signal } = context.io;
    if (options.force !== true) await handle.head(key, { versionId, signal });
    const result = await handle.delete(key, { versionId, signal });
    await context.out.document([], { bucket, deleted: 1, failed: 0, key, versionId: result.versionId, deleteMarker: result.deleteMarker });
    return exitCodes.ok;
  });
}

async function removeFolder(context: CommandContext, bucket: Bucket, prefix: string, options: RemoveOptions): Promise<number> {
  const counts = { deleted: 0, failed: 0 };
  let group: DeleteManyEntry[] = [];
  const deleteGroup = async (): Promise<void> => {
    const results = await bucket.deleteMany(group, { signal: context.io.signal });
    group = [];
    for (const result of results) {
      counts[result.ok ? "deleted" : "failed"]++;
      if (!result.ok)
        context.out.note(errorLine(result.error, { json: context.json, name: formatAddress({ bucket: bucket.name, key: result.key }) }));
    }
  };
  for await (const entry of entriesOf(bucket, prefix, options, context.io.signal)) {
    group.push(entry);
    if (group.length === groupMax) await deleteGroup();
  }
  if (group.length > 0) await deleteGroup();
  if (counts.deleted + counts.failed === 0 && prefix !== "" && options.force !== true) {
    throw new HoldfastError("OBJECT_NOT_FOUND", `bucket ${bucket.name} has no key that starts with ${JSON.stringify(prefix)}`, {
      details: { bucket: bucket.name, prefix },
    });
  }
  await context.out.document([`deleted ${counts.deleted} object${counts.deleted === 1 ? "" : "s"}`], {
    bucket: bucket.name,
    prefix,
    ...counts,
  });
  return counts.failed === 0 ? exitCodes.ok : exitCodes.failure;
}

async function* entriesOf(bucket: Bucket, prefix: string, options: RemoveOptions, signal: AbortSignal): AsyncGenerator<DeleteManyEntry> {
  if (options.versions === true) {
    for await (const { key, versionId } of bucket.listVersions({ prefix, signal }) as AsyncIterable<{ key?: string; versionId?: string }>) {
      if (key !== undefined) yield { key, versionId };
    }
    return;
  }
  for await (const { key } of bucket.list({ prefix, signal })) if (key !== undefined) yield key;
}
