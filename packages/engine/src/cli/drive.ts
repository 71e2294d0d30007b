import path from "node:path";
import type { Command } from "commander";
import type { Store, StoreStatus } from "../engine.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { editStoredDrives, pathOf } from "./edit-store-file.ts";
import { withStore } from "./find-store.ts";
import { printable } from "./printable.ts";
import { describeDrive } from "./status.ts";

/** `holdfast drive`: the store's drives. */
export function addDrive(program: Command, run: RunWork): void {
  const drive = program.command("drive").summary("list, add and replace drives").description("Shows and changes the drives of the store.");
  drive
    .command("list")
    .summary("list the drives")
    .description("Lists the drives of the store: state, path or reason, id.")
    .action(() => run((context) => withStore(context, (store) => list(context, store))));
  drive
    .command("replace")
    .summary("put another drive in the place of one")
    .description("Puts an empty directory in the place of a drive that is missing, failed or healthy, and makes what belongs on it.")
    .argument("<old>", "path or id of the drive that goes")
    .argument("<new>", "directory, new or empty")
    .action((old: string, to: string) => run((context) => withStore(context, (store) => replace(context, store, { old, to }))));
  drive
    .command("add")
    .summary("add drives")
    .description("Adds directories to the store: enough of them make a set of their own, fewer join the sets there are.")
    .argument("<drives...>", "directories, new or empty; each should lie on a drive of its own")
    .action((drives: string[]) => run((context) => withStore(context, (store) => add(context, store, drives))));
}

async function list({ out }: CommandContext, store: Store): Promise<void> {
  const { sets } = await store.status();
  for (const [i, set] of sets.entries()) {
    for (const drive of set.drives) {
      await out.line(printable(`set ${i + 1}${describeDrive(drive)}  ${drive.id}`), { setId: set.id, ...drive });
    }
  }
}

async function replace(context: CommandContext, store: Store, { old, to }: { old: string; to: string }): Promise<void> {
  const named = driveNamed(context, old);
  const target = path.resolve(context.io.cwd, to);
  const status = await store.status();
  const replaced = await store.drives.replace(named, target, {
    onLabelled: () => editStoredDrives(context, (drives) => replaceEntry(drives, { named, target, status })),
  });
  await context.out.document(
    [
      `${printable(target)} is in the place of drive ${replaced.oldId} now, as drive ${replaced.newId}.`,
      "What belongs on it is made while the store is open; holdfast rebuild does it now.",
    ],
    replaced,
  );
}

async function add(context: CommandContext, store: Store, named: readonly string[]): Promise<void> {
  const paths = named.map((drive) => path.resolve(context.io.cwd, drive));
  const added = await store.drives.add(paths, {
    onLabelled: () =>
      editStoredDrives(context, (drives) => [...drives, ...paths.filter((added) => !drives.some((drive) => pathOf(drive) === added))]),
  });
  const { joined, newSets } = added;
  const moving = "Objects move to it while the store is open; holdfast rebuild does it now.";
  await context.out.document(
    [
      ...joined.map((drive) => `${printable(drive.path)} is drive ${drive.id} now, one more of set ${drive.setId}.`),
      ...newSets.map((setId) => `New drives make set ${setId}. ${moving}`),
    ],
    added,
  );
}

/** A drive as the store knows it: an id, or an absolute path. */
export function driveNamed({ io }: CommandContext, text: string): string {
  return /^[0-9a-f]{32}$/.test(text) ? text : path.resolve(io.cwd, text);
}

type Entries = Parameters<Parameters<typeof editStoredDrives>[1]>[0];

/** The entry of the drive that goes; for one that is named by its id and not there, the first one at which there is no drive. */
function replaceEntry(drives: Entries, { named, target, status }: { named: string; target: string; status: StoreStatus }): Entries {
  const known = status.sets.flatMap((set) => set.drives);
  const location = known.find(({ id }) => id === named)?.location ?? named;
  const there = new Set(known.flatMap((drive) => drive.location ?? []));
  const exact = drives.findIndex((drive) => pathOf(drive) === location);
  const at = exact >= 0 ? exact : drives.findIndex((drive) => !there.has(pathOf(drive)));
  if (at < 0) return [...drives, target];
  return drives.map((drive, i) => (i !== at ? drive : typeof drive === "string" ? target : { ...drive, path: target }));
}
