/**
 * From a bucket into a local folder. Nothing is ever written outside that folder: keys become paths only through `keyPath`, and no link
 * met on the way is followed. What has no place is refused and counted, and the rest goes on.
 */
import { lstat, mkdir } from "node:fs/promises";
import path from "node:path";
import { HoldfastError } from "../base/errors.ts";
import type { Bucket } from "../object/bucket.ts";
import type { ListedObject } from "../object/list-objects.ts";
import { FileFolderClashes, keyPath } from "./key-path.ts";
import { localError } from "./local-error.ts";
import { placeFile } from "./place-file.ts";
import { Slots } from "./slots.ts";
import type { Transfer } from "./transfer.ts";

const getsInFlightMax = 8;
/** Folders remembered as made; a listing comes back to few of the earlier ones. */
const foldersKeptMax = 10_000;

export interface ExportOptions {
  readonly bucket: Bucket;
  /** Keys that start with this are copied; the rest of the key is the path. */
  readonly prefix: string;
  /** The target folder, as an absolute path. */
  readonly folder: string;
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
  readonly platform: NodeJS.Platform;
}

/** Writes the objects of a folder of the bucket. @throws what would fail all of them */
export async function exportTree(transfer: Transfer, options: ExportOptions): Promise<void> {
  const { bucket, prefix, signal } = options;
  const gets = new Slots(getsInFlightMax);
  const folders = new FolderMaker(options.folder);
  const clashes = new FileFolderClashes();
  await folders.makeRoot();
  let found = 0;
  try {
    for await (const entry of bucket.list({ prefix, signal })) {
      if (entry.key === undefined) continue;
      found++;
      const clash = clashes.check(entry.key);
      await gets.start(() => exportObject(entry, clash, folders, transfer, options));
    }
    await gets.finish();
  } finally {
    await gets.settle();
  }
  if (found > 0) return;
  throw new HoldfastError("OBJECT_NOT_FOUND", `bucket ${bucket.name} has no key that starts with ${JSON.stringify(prefix)}`, {
    details: { bucket: bucket.name, prefix },
  });
}

async function exportObject(
  entry: ListedObject,
  clash: string | undefined,
  folders: FolderMaker,
  transfer: Transfer,
  options: ExportOptions,
): Promise<void> {
  const { bucket, prefix, signal, platform, overwrite } = options;
  try {
    const place = keyPath(entry.key.slice(prefix.length), platform);
    if (place.refusal !== undefined) throw refused(place.refusal);
    if (clash !== undefined) throw refused(`it needs a folder where the key ${JSON.stringify(clash)} is a file`);
    if (place.isFolder && entry.size > 0) throw refused("it has content but ends in a slash, which only a folder can");
    const folder = await folders.make(place.isFolder ? place.segments : place.segments.slice(0, -1));
    if (!place.isFolder) {
      const object = await bucket.get(entry.key, { signal });
      const target = path.join(folder, place.segments.at(-1) as string);
      try {
        await placeFile(target, object, { overwrite });
      } finally {
        object.close();
      }
    }
    transfer.done(entry.size);
  } catch (error) {
    transfer.fail(entry.key, error);
  }
}

function refused(reason: string): HoldfastError {
  return new HoldfastError("FILE_INVALID", `no file can have this name: ${reason}`);
}

/** Makes folders below a root, each once, and refuses to go through links. */
class FolderMaker {
  readonly #root: string;
  readonly #made = new Map<string, Promise<string>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Makes the root, with its parents; it may be a link: somebody chose it. */
  async makeRoot(): Promise<void> {
    await mkdir(this.#root, { recursive: true }).catch((error: unknown) => {
      throw localError(error, { path: this.#root, action: "write" });
    });
  }

  /** The path of a folder below the root, which is there now. @throws FILE_EXISTS, FILE_INVALID … */
  make(segments: readonly string[]): Promise<string> {
    if (segments.length === 0) return Promise.resolve(this.#root);
    const name = segments.join("/");
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    if (this.#made.size >= foldersKeptMax) this.#made.clear();
    const made = this.make(segments.slice(0, -1)).then((parent) => makeFolder(path.join(parent, segments.at(-1) as string)));
    made.catch(() => undefined);
    this.#made.set(name, made);
    return made;
  }
}

async function makeFolder(folder: string): Promise<string> {
  try {
    await mkdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw localError(error, { path: folder, action: "write" });
    const there = await lstat(folder).catch((failure: unknown) => {
      throw localError(failure, { path: folder, action: "read" });
    });
    if (!there.isDirectory()) {
      const what = there.isSymbolicLink() ? "a link, which is not followed" : "a file";
      throw new HoldfastError("FILE_EXISTS", `${folder} should be a folder and is ${what}`, { details: { path: folder } });
    }
  }
  return folder;
}
