import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import type { Store } from "../engine.ts";
import type { StoreSettings } from "../store/settings.ts";
import { folderPrefix, isRemote, parseAddress, parseObjectAddress, usageError } from "./address.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { exportTree } from "./export-tree.ts";
import { driveFolders, withStore } from "./find-store.ts";
import { writeFileTo } from "./get.ts";
import { importTree, storeFile } from "./import-tree.ts";
import { localError } from "./local-error.ts";
import { Transfer } from "./transfer.ts";
import { walkTree } from "./walk-tree.ts";

interface CopyCommandOptions {
  readonly recursive?: boolean;
  readonly overwrite?: boolean;
}

/** What is copied, from where to where. */
interface Copy {
  readonly source: string;
  readonly target: string;
  readonly options: CopyCommandOptions;
}

/** `holdfast cp`: folders and files into the store, and out of it. */
export function addCopy(program: Command, run: RunWork): void {
  program
    .command("cp")
    .summary("copy folders and files in or out")
    .description(
      "Copies between a local path and hf://BUCKET/PREFIX; one of the two is in the store. With -r the files of a folder go under the prefix, or the objects under the prefix into a folder. Files that fail are told and counted (exit code 1); the others are copied.",
    )
    .argument("<source>", "a path, or hf://BUCKET/…")
    .argument("<target>", "hf://BUCKET/…, or a path")
    .option("-r, --recursive", "a folder with everything below it; links are skipped")
    .option("--overwrite", "on the way out: replace files that are there already")
    .action((source: string, target: string, options: CopyCommandOptions) => run((context) => copy(context, { source, target, options })));
}

async function copy(context: CommandContext, work: Copy): Promise<number> {
  const { source, target } = work;
  if (isRemote(source) === isRemote(target)) {
    throw usageError(
      `${isRemote(source) ? "both are" : "neither is"} in the store: one side is a local path, the other starts with hf://, as in hf://BUCKET/PREFIX`,
    );
  }
  return withStore(context, async (store, settings) => {
    if (isRemote(source)) return copyOut(context, store, work);
    return copyIn(context, store, settings, work);
  });
}

async function copyIn(context: CommandContext, store: Store, settings: StoreSettings, { source, target, options }: Copy): Promise<number> {
  const { io } = context;
  const local = path.resolve(io.cwd, source);
  const address = parseAddress(target);
  const bucket = store.bucket(address.bucket);
  await bucket.info();
  if (options.recursive !== true) return copyFileIn(context, { bucket, key: address.key, file: local });
  const leaveOut = await realFolders(driveFolders(settings));
  const transfer = new Transfer(context, "storing");
  const counting = new AbortController();
  try {
    const root = await realpath(local).catch((error: unknown) => {
      throw localError(error, { path: local, action: "read" });
    });
    if (io.stderr.isTTY === true)
      void countFiles(root, leaveOut, counting.signal).then(
        (files) => transfer.progress.expect(files),
        () => undefined,
      );
    const entries = walkTree(root, { signal: io.signal, leaveOut });
    await importTree(entries, transfer, { bucket, prefix: folderPrefix(address.key), signal: io.signal });
    return await transfer.finish();
  } finally {
    counting.abort();
    transfer.progress.stop();
  }
}

async function copyFileIn(
  context: CommandContext,
  { bucket, key, file }: { bucket: ReturnType<Store["bucket"]>; key: string; file: string },
): Promise<number> {
  const stats = await stat(file).catch((error: unknown) => {
    throw localError(error, { path: file, action: "read" });
  });
  if (stats.isDirectory()) throw usageError(`${file} is a folder; add -r to copy what is in it`);
  if (!stats.isFile()) throw usageError(`${file} is no regular file; use: holdfast put ${file} BUCKET/KEY`);
  const transfer = new Transfer(context, "storing");
  try {
    const name = key === "" || key.endsWith("/") ? `${key}${path.basename(file)}` : key;
    await storeFile({ kind: "file", name, path: file, sizeBytes: stats.size }, { bucket, prefix: "", signal: context.io.signal });
    transfer.done(stats.size);
    return await transfer.finish();
  } finally {
    transfer.progress.stop();
  }
}

async function copyOut(context: CommandContext, store: Store, { source, target, options }: Copy): Promise<number> {
  const { io } = context;
  const local = path.resolve(io.cwd, target);
  const address = options.recursive === true ? parseAddress(source) : parseObjectAddress(source);
  const bucket = store.bucket(address.bucket);
  await bucket.info();
  const { signal } = io;
  const transfer = new Transfer(context, "fetching");
  const overwrite = options.overwrite === true;
  try {
    if (options.recursive === true) {
      await exportTree(transfer, {
        bucket,
        prefix: folderPrefix(address.key),
        folder: local,
        overwrite,
        signal,
        platform: process.platform,
      });
    } else {
      const object = await bucket.get(address.key, { signal });
      await writeFileTo(local, object, { overwrite });
      transfer.done(object.size);
    }
    return await transfer.finish();
  } finally {
    transfer.progress.stop();
  }
}

/** The real paths of those folders that are there. */
async function realFolders(folders: readonly string[]): Promise<Set<string>> {
  const real = await Promise.all(folders.map((folder) => realpath(folder).catch(() => folder)));
  return new Set(real);
}

async function countFiles(root: string, leaveOut: ReadonlySet<string>, signal: AbortSignal): Promise<number> {
  let files = 0;
  for await (const { kind } of walkTree(root, { signal, leaveOut })) if (kind === "file") files++;
  return files;
}
