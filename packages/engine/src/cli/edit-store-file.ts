/**
 * Keeps the list of drives in the settings file right while drives come and go. Everything else in the file stays as it is.
 */
import { open, readFile, rename, unlink } from "node:fs/promises";
import path from "node:path";
import type { DriveSettings } from "../store/settings.ts";
import type { CommandContext } from "./command-context.ts";
import { storeFilePath } from "./find-store.ts";
import { localError } from "./local-error.ts";

type DriveEntry = string | DriveSettings;

/** Changes the drives of the settings file: `change` gets their entries with absolute paths, and so it gives them back. */
export async function editStoredDrives(
  context: CommandContext,
  change: (drives: readonly DriveEntry[]) => readonly DriveEntry[],
): Promise<void> {
  const file = storeFilePath(context);
  const folder = path.dirname(file);
  try {
    const settings = JSON.parse(await readFile(file, "utf8")) as { drives?: readonly DriveEntry[] };
    const before = settings.drives ?? [];
    const absolute = before.map((drive) => withPath(drive, path.resolve(folder, pathOf(drive))));
    const after = change(absolute).map((drive) => {
      const kept = absolute.indexOf(drive);
      return kept < 0 ? withPath(drive, shortest(file, pathOf(drive))) : (before[kept] as DriveEntry);
    });
    await replaceFile(file, `${JSON.stringify({ ...settings, drives: after }, null, 2)}\n`);
  } catch (error) {
    throw localError(error, { path: file, action: "write" });
  }
}

export function pathOf(drive: DriveEntry): string {
  return typeof drive === "string" ? drive : drive.path;
}

function withPath(drive: DriveEntry, to: string): DriveEntry {
  return typeof drive === "string" ? to : { ...drive, path: to };
}

/** Paths beside the file are kept relative, so that the file moves together with its drives. */
function shortest(file: string, target: string): string {
  const relative = path.relative(path.dirname(file), target).split(path.sep).join("/");
  return relative.startsWith("..") || path.isAbsolute(relative) ? target : relative === "" ? "." : relative;
}

/** The old file or the new one, whatever happens. */
async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  try {
    const handle = await open(temporary, "w");
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}
