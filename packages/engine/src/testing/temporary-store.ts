import { ok, strictEqual } from "node:assert";
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { type ErrorCode, errorCodes, type HoldfastError, isHoldfastError } from "../base/errors.ts";
import { openStore, type Store, type StoreComponents } from "../engine.ts";
import type { StoreSettings } from "../store/settings.ts";
import { makeTemporaryFolder } from "./temporary-folder.ts";

/** Directories for the drives of one test, and what it opens on them. */
export interface TemporaryStore {
  readonly folder: string;
  /** `d1`, `d2` … in the folder; nothing is there before the first opening. */
  readonly drives: readonly string[];
  /** The path of a drive, by its number from 1. */
  drive(number: number): string;
  /** Opens a store on the drives, without threads; settings given here win. */
  open(settings?: StoreSettings, components?: StoreComponents): Promise<Store>;
  /** Closes what is still open and removes everything. */
  remove(): Promise<void>;
}

/** A folder with places for `count` drives. */
export async function makeTemporaryStore(count: number): Promise<TemporaryStore> {
  const { path: folder, remove } = await makeTemporaryFolder();
  const drives = Array.from({ length: count }, (_, i) => join(folder, `d${i + 1}`));
  const opened: Store[] = [];
  return {
    folder,
    drives,
    drive: (number) => drives[number - 1] as string,
    async open(settings = {}, components = {}) {
      const store = await openStore({ ...(settings.memory === true ? {} : { drives }), threads: 0, ...settings }, components);
      opened.push(store);
      return store;
    },
    async remove() {
      for (const store of opened) await store.close().catch(() => undefined);
      await remove();
    },
  };
}

/** The error of ours a promise rejects with: of the code given, and with a message that mentions everything listed. */
export async function refusal(promise: Promise<unknown>, code: ErrorCode, ...mentions: readonly string[]): Promise<HoldfastError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  ok(error !== undefined, `it was to be refused with ${code}`);
  if (!isHoldfastError(error)) throw error;
  strictEqual(error.code, code, `${error.code}: ${error.message}`);
  strictEqual(error.kind, errorCodes[code]);
  for (const mention of mentions) ok(error.message.includes(mention), `"${error.message}" mentions "${mention}"`);
  return error;
}

/** Every file below a directory but locks and the index, sorted. */
export async function filesBelow(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    const name = relative(directory, join(entry.parentPath, entry.name)).replaceAll("\\", "/");
    if (entry.isFile() && !/(^|\/)lock\.|(^|\/)index\//.test(name)) found.push(name);
  }
  return found.sort();
}

/** Shard files and unfinished files on all drives: what a put that failed must not leave more of. */
export async function looseFiles(drives: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const drive of drives) {
    const names = await filesBelow(drive).catch(() => []);
    found.push(...names.filter((name) => name.startsWith("blobs/") || name.startsWith("incoming/")).map((name) => join(drive, name)));
  }
  return found;
}

/** Bytes that differ from place to place, the same for the same seed. */
export function patterned(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}
