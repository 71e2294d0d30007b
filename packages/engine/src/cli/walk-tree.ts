/**
 * The files of a local tree, folder by folder, each folder in the order of names. Links are not followed; what is no regular file is told,
 * so that nothing goes missing in silence.
 */
import type { Stats } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { HoldfastError, throwIfAborted } from "../base/errors.ts";
import { usageError } from "./address.ts";
import { localError } from "./local-error.ts";

/** What a walk comes upon; `name` is relative to the root, with slashes. */
export type TreeEntry =
  | { readonly kind: "file"; readonly name: string; readonly path: string; readonly sizeBytes: number }
  | { readonly kind: "skipped"; readonly name: string; readonly reason: SkipReason }
  | { readonly kind: "failed"; readonly name: string; readonly error: unknown };

/** Why something in a tree is left out. */
export type SkipReason = "links" | "devices, pipes or sockets" | "drives of this store";

export interface WalkOptions {
  readonly signal: AbortSignal;
  /** Real paths of folders that are left out: the drives of the store itself. */
  readonly leaveOut: ReadonlySet<string>;
}

/** Looked at together: enough to keep the thread pool of Node busy. */
const lookAheadMax = 32;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Walks the tree below `root`, which must be a folder or a link to one. @throws FILE_NOT_FOUND, ARGUMENT_INVALID, ABORTED */
export async function* walkTree(root: string, options: WalkOptions): AsyncGenerator<TreeEntry, void, undefined> {
  const stats = await stat(root).catch((error: unknown) => {
    throw localError(error, { path: root, action: "read" });
  });
  if (!stats.isDirectory()) throw usageError(`${root} is no folder; copy a single file without -r`);
  yield* walkFolder({ folder: root, prefix: "" }, options);
}

interface Place {
  readonly folder: string;
  /** What names in this folder start with: "" or a path that ends in a slash. */
  readonly prefix: string;
}

async function* walkFolder(place: Place, options: WalkOptions): AsyncGenerator<TreeEntry, void, undefined> {
  let listed: ListedNames;
  try {
    listed = await listNames(place.folder);
  } catch (error) {
    yield { kind: "failed", name: place.prefix, error: localError(error, { path: place.folder, action: "read" }) };
    return;
  }
  for (const name of listed.unreadable) {
    const error = new HoldfastError("KEY_INVALID", "its name is no UTF-8, which every key is; rename it");
    yield { kind: "failed", name: `${place.prefix}${name}`, error };
  }
  for (let at = 0; at < listed.names.length; at += lookAheadMax) {
    throwIfAborted(options.signal);
    const looked = await Promise.all(listed.names.slice(at, at + lookAheadMax).map((name) => look(place, name)));
    for (const found of looked) yield* visit(found, options);
  }
}

interface Looked {
  readonly name: string;
  readonly path: string;
  readonly outcome: { readonly stats: Stats } | { readonly error: unknown };
}

async function look({ folder, prefix }: Place, name: string): Promise<Looked> {
  const target = path.join(folder, name);
  const outcome = await lstat(target).then(
    (stats) => ({ stats }),
    (error: unknown) => ({ error: localError(error, { path: target, action: "read" }) }),
  );
  return { name: `${prefix}${name}`, path: target, outcome };
}

async function* visit({ name, path: target, outcome }: Looked, options: WalkOptions): AsyncGenerator<TreeEntry, void, undefined> {
  if ("error" in outcome) {
    yield { kind: "failed", name, error: outcome.error };
    return;
  }
  const { stats } = outcome;
  if (stats.isFile()) yield { kind: "file", name, path: target, sizeBytes: stats.size };
  else if (!stats.isDirectory()) yield { kind: "skipped", name, reason: stats.isSymbolicLink() ? "links" : "devices, pipes or sockets" };
  else if (options.leaveOut.has(target)) yield { kind: "skipped", name, reason: "drives of this store" };
  else yield* walkFolder({ folder: target, prefix: `${name}/` }, options);
}

interface ListedNames {
  readonly names: readonly string[];
  /** Names that are no UTF-8, as far as they can be shown: no key can stand for them. */
  readonly unreadable: readonly string[];
}

async function listNames(folder: string): Promise<ListedNames> {
  const names = (await readdir(folder)).sort();
  // U+FFFD stands for bytes that are no UTF-8, unless it is really there: only the bytes tell.
  if (!names.some((name) => name.includes("\ufffd"))) return { names, unreadable: [] };
  const readable: string[] = [];
  const unreadable: string[] = [];
  for (const bytes of await readdir(folder, { encoding: "buffer" })) {
    try {
      readable.push(decoder.decode(bytes));
    } catch {
      unreadable.push(bytes.toString("utf8"));
    }
  }
  return { names: readable.sort(), unreadable };
}
