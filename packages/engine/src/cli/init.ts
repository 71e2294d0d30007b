import { open, unlink } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import { openStore, type Store, type StoreStatus } from "../engine.ts";
import type { StoreSettings } from "../store/settings.ts";
import { usageError } from "./address.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { components, storeFilePath, useStore } from "./find-store.ts";
import { localError } from "./local-error.ts";
import { printable } from "./printable.ts";

interface InitOptions {
  readonly erasure?: { readonly data: number; readonly parity: number };
  readonly survive?: number;
  readonly durability?: "full" | "relaxed";
  readonly existing?: boolean;
}

/** `holdfast init`: makes a store and its settings file. */
export function addInit(program: Command, run: RunWork): void {
  program
    .command("init")
    .summary("make a store on some drives")
    .description("Makes a store in directories, one for each drive, and writes the settings file the other commands find it by.")
    .argument("<drives...>", "directories, new or empty; each should lie on a drive of its own")
    .option("--erasure <data+parity>", "how objects are coded, e.g. 4+2 (default: by the number of drives)", parseErasure)
    .option("--survive <losses>", "further drive losses a write must stand when it is acknowledged (default: 1)", parseCount)
    .option("--durability <level>", "full, or relaxed: a power cut may lose the last writes (default: full)")
    .option("--existing", "the drives hold a store already: only write its settings file")
    .action((drives: string[], options: InitOptions) => run((context) => init(context, drives, options)));
}

async function init(context: CommandContext, drives: readonly string[], options: InitOptions): Promise<void> {
  const file = storeFilePath(context);
  const absolute = drives.map((drive) => path.resolve(context.io.cwd, drive));
  const { erasure, survive, durability } = options;
  const settings: StoreSettings = {
    drives: absolute,
    ...(erasure === undefined ? {} : { erasure }),
    ...(survive === undefined ? {} : { survive }),
    ...(durability === undefined ? {} : { durability }),
  };
  const written = {
    ...settings,
    drives: drives.map((drive, i) => (path.isAbsolute(drive) ? drive : relativeTo(file, absolute[i] as string))),
  };
  const status = await withNewFile(file, `${JSON.stringify(written, null, 2)}\n`, async () => {
    const store =
      options.existing === true ? await openStore({ ...settings, create: false }, components(context)) : await makeStore(context, settings);
    return useStore(store, () => store.status());
  });
  await context.out.document(describe(file, status, options), {
    file,
    storeId: status.storeId,
    sets: status.sets.map(({ id, profile }) => ({ id, profile })),
  });
}

/** A new store; drives that hold one already are refused. @throws STORE_EXISTS */
async function makeStore(context: CommandContext, settings: StoreSettings): Promise<Store> {
  try {
    const existing = await openStore({ ...settings, create: false }, components(context));
    await existing.close();
  } catch (error) {
    if (isHoldfastError(error, "STORE_NOT_FOUND")) return openStore(settings, components(context));
    throw error;
  }
  throw new HoldfastError("STORE_EXISTS", "the drives hold a store already; to write a settings file for it, add --existing");
}

/** Makes a file around some work: it must be new, and it goes again when the work fails. @throws STORE_EXISTS */
async function withNewFile<T>(file: string, text: string, work: () => Promise<T>): Promise<T> {
  const handle = await open(file, "wx").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw localError(error, { path: file, action: "write" });
    throw new HoldfastError("STORE_EXISTS", `${file} is there already; use that store, or name another file with --store`, {
      details: { path: file },
    });
  });
  try {
    const result = await work();
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
    return result;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(file).catch(() => undefined);
    throw localError(error, { path: file, action: "write" });
  }
}

function describe(file: string, status: StoreStatus, options: InitOptions): string[] {
  const drives = status.sets.reduce((sum, set) => sum + set.drives.length, 0);
  const [first] = status.sets;
  const coded = first === undefined ? "" : `, coded ${first.profile.data}+${first.profile.parity}`;
  const losses = first?.profile.parity ?? 0;
  const sets = status.sets.length === 1 ? "" : ` in ${status.sets.length} sets`;
  const stands =
    losses === 0 ? "no loss of a drive" : `the loss of any ${losses === 1 ? "drive" : `${losses} drives`}${sets === "" ? "" : " of a set"}`;
  return [
    `${options.existing === true ? "Found" : "Made"} store ${status.storeId} on ${drives} drive${drives === 1 ? "" : "s"}${sets}${coded}: it stands ${stands}.`,
    `Its settings are in ${printable(file)}.`,
  ];
}

function relativeTo(file: string, target: string): string {
  const relative = path.relative(path.dirname(file), target).split(path.sep).join("/");
  return relative === "" ? "." : relative;
}

/** `4+2`. @throws ARGUMENT_INVALID */
export function parseErasure(text: string): { data: number; parity: number } {
  const match = /^(\d{1,3})\+(\d{1,3})$/.exec(text);
  if (match === null) throw usageError(`--erasure ${text} can't be read; write data and parity shards such as 4+2`);
  return { data: Number(match[1]), parity: Number(match[2]) };
}

function parseCount(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw usageError(`--survive ${text} is no number; write e.g. 1`);
  return Number(text);
}
