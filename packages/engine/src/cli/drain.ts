import type { Command } from "commander";
import type { Store, StoreStatus } from "../engine.ts";
import { usageError } from "./address.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { driveNamed } from "./drive.ts";
import { editStoredDrives, pathOf } from "./edit-store-file.ts";
import { withStore } from "./find-store.ts";
import { printable } from "./printable.ts";
import { createWorkProgress } from "./work-progress.ts";

/** `holdfast drain`: empties a drive or a set and takes it out of the store. */
export function addDrain(program: Command, run: RunWork): void {
  program
    .command("drain")
    .summary("empty a drive or a set and take it out")
    .description(
      "Writes what lies on a drive again on the others of its set, or moves the objects of a set to the others, and takes it out of the store. Interrupted, it goes on whenever the store is open.",
    )
    .argument("<drive|set>", "path or id of a drive; id of a set, or set:2 for the second of holdfast status")
    .action((named: string) => run((context) => withStore(context, (store) => drain(context, store, named))));
}

async function drain(context: CommandContext, store: Store, named: string): Promise<void> {
  const status = await store.status();
  const target = setNamed(status, named) ?? driveNamed(context, named);
  const gone = locationsOf(status, target);
  const progress = createWorkProgress(context, "draining");
  try {
    await store.drives.drain(target, { signal: context.io.signal, onProgress: (step) => progress.show(step) });
  } finally {
    progress.stop();
  }
  await editStoredDrives(context, (drives) => drives.filter((drive) => !gone.includes(pathOf(drive))));
  await context.out.document([`${printable(named)} is empty and no part of the store any more.`], { drained: target, locations: gone });
}

/** `set:2` → the id of the second set. @throws ARGUMENT_INVALID */
function setNamed({ sets }: StoreStatus, text: string): string | undefined {
  const match = /^set:(\d{1,6})$/.exec(text);
  if (match === null) return undefined;
  const set = sets[Number(match[1]) - 1];
  if (set === undefined) throw usageError(`${text}: the store has ${sets.length} ${sets.length === 1 ? "set" : "sets"}`);
  return set.id;
}

function locationsOf({ sets }: StoreStatus, target: string): string[] {
  const going = sets.flatMap((set) =>
    set.id === target ? set.drives : set.drives.filter(({ id, location }) => id === target || location === target),
  );
  return going.flatMap(({ location }) => location ?? []);
}
