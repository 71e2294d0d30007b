/**
 * The store a command works on. A settings file holds `StoreSettings` as JSON; its relative paths start at the file's folder, so that
 * the file moves together with its drives. It is `--store FILE`, or the variable HOLDFAST_STORE, or `holdfast.json` in the current folder.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import { openStore, type Store, type StoreComponents } from "../engine.ts";
import type { DriveSettings, StoreSettings } from "../store/settings.ts";
import type { CommandContext } from "./command-context.ts";
import { localError } from "./local-error.ts";

const defaultFileName = "holdfast.json";

/** The settings file a command uses, as an absolute path. */
export function storeFilePath({ io, storeOption }: CommandContext): string {
  return path.resolve(io.cwd, storeOption ?? (io.env.HOLDFAST_STORE || defaultFileName));
}

/** Settings read from a file, with absolute paths. @throws STORE_NOT_FOUND, SETTINGS_INVALID */
async function readStoreSettings(context: CommandContext): Promise<StoreSettings> {
  const file = storeFilePath(context);
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw fileProblem(context, file, error);
  });
  let settings: unknown;
  try {
    settings = JSON.parse(text);
  } catch (error) {
    throw new HoldfastError("SETTINGS_INVALID", `${file} is no valid JSON: ${(error as Error).message}`, {
      cause: error,
      details: { path: file },
    });
  }
  return withAbsolutePaths(settings as StoreSettings, path.dirname(file));
}

/** Opens the store, works with it and closes it, whatever happens. The first error is the one thrown. */
export async function withStore<T>(context: CommandContext, work: (store: Store, settings: StoreSettings) => Promise<T>): Promise<T> {
  const settings = await readStoreSettings(context);
  return useStore(await openExisting(context, settings), (store) => work(store, settings));
}

/** Works with an open store and closes it. */
export async function useStore<T>(store: Store, work: (store: Store) => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work(store);
  } catch (error) {
    await store.close().catch(() => undefined);
    throw error;
  }
  await store.close();
  return result;
}

async function openExisting(context: CommandContext, settings: StoreSettings): Promise<Store> {
  try {
    return await openStore({ ...settings, create: false }, components(context));
  } catch (error) {
    if (!isHoldfastError(error, "SETTINGS_INVALID")) throw error;
    throw new HoldfastError(error.code, `${storeFilePath(context)}: ${error.message}`, { cause: error, details: error.details });
  }
}

/** What the command adds to a store's settings: a word about recovery, where somebody waits for it. */
export function components({ io, out, json }: CommandContext): StoreComponents {
  if (json || io.stderr.isTTY !== true) return { clock: io.clock };
  let lastMs = io.clock.monotonicMs();
  return {
    clock: io.clock,
    onRecovery: ({ packsDone, packs }) => {
      if (io.clock.monotonicMs() - lastMs < 1000) return;
      lastMs = io.clock.monotonicMs();
      out.note(`bringing the index up to date: ${packsDone} of ${packs} packs`);
    },
  };
}

function fileProblem({ io, storeOption }: CommandContext, file: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") return localError(error, { path: file, action: "read" });
  const named = storeOption !== undefined || io.env.HOLDFAST_STORE;
  const fix = named
    ? "check --store or HOLDFAST_STORE"
    : "go to its folder, name it with --store FILE or HOLDFAST_STORE, or make a store with: holdfast init DRIVE…";
  return new HoldfastError("STORE_NOT_FOUND", `there is no settings file ${file}; ${fix}`, { cause: error, details: { path: file } });
}

/** Leaves what is no valid setting as it is: `openStore` says what is wrong with it. */
function withAbsolutePaths(settings: StoreSettings, folder: string): StoreSettings {
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) return settings;
  const resolve = (place: string): string => (typeof place === "string" && place !== "" ? path.resolve(folder, place) : place);
  const resolveDrive = (drive: string | DriveSettings): string | DriveSettings =>
    typeof drive === "object" && drive !== null ? { ...drive, path: resolve(drive.path) } : resolve(drive);
  return {
    ...settings,
    ...(Array.isArray(settings.drives) ? { drives: settings.drives.map(resolveDrive) } : {}),
    ...(settings.indexDirectory === undefined ? {} : { indexDirectory: resolve(settings.indexDirectory) }),
  };
}

/** The directories of a store's drives. */
export function driveFolders(settings: StoreSettings): string[] {
  return (settings.drives ?? []).map((drive) => (typeof drive === "string" ? drive : drive.path));
}
