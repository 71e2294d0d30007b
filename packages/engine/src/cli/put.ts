import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import type { ObjectBody } from "../object/body.ts";
import type { PutOptions } from "../object/put-object.ts";
import { type Address, formatAddress, parseAddress, usageError } from "./address.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { withStore } from "./find-store.ts";
import { localError } from "./local-error.ts";
import { printable } from "./printable.ts";

interface PutCommandOptions {
  readonly contentType?: string;
  readonly meta?: Record<string, string>;
  readonly keep?: boolean;
}

/** `holdfast put`: stores one file, or what comes in on stdin. */
export function addPut(program: Command, run: RunWork): void {
  program
    .command("put")
    .summary("store a file")
    .description(
      "Stores a file, or stdin, as an object. An object of that key is replaced. After a trailing slash the file's name is the key.",
    )
    .argument("<file>", "a file, or - for stdin")
    .argument("<bucket/key>")
    .option("--content-type <type>", "what kind of content it is, e.g. text/plain")
    .option("--meta <name=value>", "metadata to keep with it; may be given several times", parseMeta)
    .option("--keep", "fail when there is an object of that key")
    .action((file: string, target: string, options: PutCommandOptions) => run((context) => put(context, file, target, options)));
}

async function put(context: CommandContext, file: string, target: string, options: PutCommandOptions): Promise<void> {
  const address = addressFor(file, target);
  const putOptions: PutOptions = {
    contentType: options.contentType,
    metadata: options.meta,
    ifNoneMatch: options.keep === true ? "*" : undefined,
    signal: context.io.signal,
  };
  const source = file === "-" ? undefined : await openSource(path.resolve(context.io.cwd, file));
  try {
    const result = await withStore(context, async (store) => {
      const body: ObjectBody = source === undefined ? context.io.stdin : source.body();
      return store.bucket(address.bucket).put(address.key, body, { ...putOptions, contentLength: source?.sizeBytes });
    });
    await context.out.document([`${printable(formatAddress(address))}  ${result.size} bytes  etag ${result.etag}`], {
      bucket: address.bucket,
      ...result,
    });
  } finally {
    await source?.handle.close().catch(() => undefined);
  }
}

function addressFor(file: string, target: string): Address {
  const { bucket, key } = parseAddress(target);
  if (key !== "" && !key.endsWith("/")) return { bucket, key };
  if (file === "-") throw usageError("stdin has no name: write the whole key, BUCKET/KEY");
  return { bucket, key: `${key}${path.basename(file)}` };
}

interface Source {
  readonly handle: FileHandle;
  /** Undefined for pipes and devices. */
  readonly sizeBytes: number | undefined;
  readonly body: () => ObjectBody;
}

async function openSource(file: string): Promise<Source> {
  try {
    const handle = await open(file, "r");
    const stats = await handle.stat();
    if (stats.isDirectory()) {
      await handle.close();
      throw usageError(`${file} is a folder; copy it with: holdfast cp -r ${file} hf://BUCKET/PREFIX`);
    }
    const sizeBytes = stats.isFile() ? stats.size : undefined;
    return { handle, sizeBytes, body: () => handle.createReadStream({ autoClose: false, highWaterMark: 1 << 20 }) };
  } catch (error) {
    throw localError(error, { path: file, action: "read" });
  }
}

function parseMeta(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw usageError(`--meta ${text} can't be read; write NAME=VALUE`);
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
