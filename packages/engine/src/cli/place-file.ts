/**
 * Files that appear under their name only when they are complete: written to a temporary name in the same folder, then linked or renamed.
 * What fails leaves no file behind; what is killed leaves at most a `.holdfast-part-…` file.
 */
import { constants } from "node:fs";
import { type FileHandle, link, lstat, open, rename, unlink } from "node:fs/promises";
import path from "node:path";
import { HoldfastError } from "../base/errors.ts";
import { localError } from "./local-error.ts";

/** Bytes to write: whole, or piece by piece. */
export type FileContent = Uint8Array | AsyncIterable<Uint8Array>;

/** Links are not there on every file system. */
const linkUnsupported: ReadonlySet<string> = new Set(["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "EXDEV"]);
let partCount = 0;

/** Writes a file. Without `overwrite`, whatever has its name already stays as it is. @throws FILE_EXISTS, FILE_DENIED, FILE_NO_SPACE … */
export async function placeFile(target: string, content: FileContent, options: { readonly overwrite: boolean }): Promise<void> {
  const part = path.join(path.dirname(target), `.holdfast-part-${process.pid}-${++partCount}`);
  try {
    if (!options.overwrite) await refuseExisting(target);
    await writePart(part, content);
    try {
      if (options.overwrite) await rename(part, target);
      else await placeNew(part, target);
    } catch (error) {
      await unlink(part).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    throw localError(error, { path: target, action: "write" });
  }
}

/** Writes into what is there: a device or a pipe. */
export async function writeInto(target: string, content: FileContent): Promise<void> {
  try {
    const handle = await open(target, "w");
    await writeAll(handle, content).finally(() => handle.close());
  } catch (error) {
    throw localError(error, { path: target, action: "write" });
  }
}

/** A link never replaces: of two names that the file system takes for one, the second is refused. */
async function placeNew(part: string, target: string): Promise<void> {
  try {
    await link(part, target);
  } catch (error) {
    if (!linkUnsupported.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await refuseExisting(target);
    return rename(part, target);
  }
  await unlink(part);
}

async function refuseExisting(target: string): Promise<void> {
  const there = await lstat(target).catch(() => undefined);
  if (there === undefined) return;
  const what = there.isDirectory() ? "a folder" : there.isSymbolicLink() ? "a link" : "a file";
  throw new HoldfastError("FILE_EXISTS", `${target} is ${what} already; remove it, or add --overwrite`, { details: { path: target } });
}

async function writePart(part: string, content: FileContent): Promise<void> {
  const handle = await open(part, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666);
  try {
    await writeAll(handle, content).finally(() => handle.close());
  } catch (error) {
    await unlink(part).catch(() => undefined);
    throw error;
  }
}

async function writeAll(handle: FileHandle, content: FileContent): Promise<void> {
  if (content instanceof Uint8Array) return handle.writeFile(content);
  for await (const piece of content) await handle.writeFile(piece);
}
