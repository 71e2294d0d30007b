import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import type { RangeRequest } from "../object/range.ts";
import type { StoredObject } from "../object/stored-object.ts";
import { parseObjectAddress, usageError } from "./address.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { withStore } from "./find-store.ts";
import { objectDocument } from "./object-document.ts";
import { placeFile, writeInto } from "./place-file.ts";
import { printable } from "./printable.ts";

interface GetCommandOptions {
  readonly range?: RangeRequest;
  readonly versionId?: string;
}

/** `holdfast get`: an object to a file or to stdout. */
export function addGet(program: Command, run: RunWork): void {
  program
    .command("get")
    .summary("fetch an object")
    .description("Writes an object to a file, which appears only when it is complete, or to stdout. A file of that name is replaced.")
    .argument("<bucket/key>")
    .argument("[file]", "a file, or - for stdout", "-")
    .option("--range <range>", "bytes FIRST-LAST, FIRST- or -COUNT (the last ones)", parseRange)
    .option("--version-id <id>", "an older version")
    .action((source: string, file: string, options: GetCommandOptions) => run((context) => get(context, source, file, options)));
}

async function get(context: CommandContext, source: string, file: string, options: GetCommandOptions): Promise<void> {
  const { bucket, key } = parseObjectAddress(source);
  if (file === "-" && context.json) throw usageError("--json needs stdout for its document: name a file for the object");
  await withStore(context, async (store) => {
    const object = await store.bucket(bucket).get(key, { range: options.range, versionId: options.versionId, signal: context.io.signal });
    if (file === "-") return writeOut(context, object);
    const target = path.resolve(context.io.cwd, file);
    await writeFileTo(target, object, { overwrite: true });
    const { range, contentLength } = object;
    const document = { ...objectDocument(bucket, object), range, file: target, written: contentLength };
    await context.out.document([`${printable(target)}  ${contentLength} bytes`], document);
  });
}

async function writeOut(context: CommandContext, object: StoredObject): Promise<void> {
  for await (const piece of object) await context.out.bytes(piece);
}

/** Writes an object to the path somebody named: a link is followed, a device or pipe written into, a file replaced as a whole, if at all. */
export async function writeFileTo(target: string, object: StoredObject, options: { readonly overwrite: boolean }): Promise<void> {
  try {
    const stats = await stat(target).catch(() => undefined);
    if (stats?.isDirectory() === true) throw usageError(`${target} is a folder; name the file`);
    if (stats !== undefined && !stats.isFile()) await writeInto(target, object);
    else await placeFile(stats === undefined ? target : await realpath(target), object, options);
  } finally {
    object.close();
  }
}

/** `0-99`, `100-`, `-50`. @throws ARGUMENT_INVALID */
function parseRange(text: string): RangeRequest {
  const match = /^(\d*)-(\d*)$/.exec(text);
  const [first, last] = [match?.[1] ?? "", match?.[2] ?? ""];
  if (first === "" && last === "") throw usageError(`--range ${text} can't be read; write FIRST-LAST, FIRST- or -COUNT`);
  if (first === "") return { suffixLength: Number(last) };
  return last === "" ? { start: Number(first) } : { start: Number(first), end: Number(last) };
}
