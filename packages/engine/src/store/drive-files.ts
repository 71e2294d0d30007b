import type { Drive } from "../drive/drive.ts";
import { parseState } from "../format/state.ts";
import { rebuildFileName, stateFileName } from "../set/drive-state.ts";

/** The file that says who a drive is. */
export const labelFileName = "label";

/** What lies on a drive before it is told its first epoch: of those no frame was ever written. */
const firstFiles: ReadonlySet<string> = new Set([stateFileName, rebuildFileName, "promise"]);

/** True for a drive whose store was never opened since it was made: epochs start with the first opening. */
export async function isUnused(drive: Drive): Promise<boolean> {
  const state = await drive.readFile(stateFileName).then(parseState, () => undefined);
  return state?.epoch === 0;
}

/** True when nothing lies there but what is written before the label: taking the drive into a store was interrupted in between. */
export async function isHalfMade(drive: Drive, names: readonly string[]): Promise<boolean> {
  if (names.length === 0 || !names.every((name) => firstFiles.has(name))) return false;
  return names.includes(rebuildFileName) || (await isUnused(drive));
}

/** True on a drive that was labelled for a store and got nothing of it: joining was interrupted, and whoever finished it did without it. */
export async function isHalfAdded(drive: Drive): Promise<boolean> {
  const [names, folders] = [await drive.list(""), await drive.listFolders("")];
  if (folders.length > 0 || !names.every((name) => name === labelFileName || firstFiles.has(name))) return false;
  return names.includes(rebuildFileName) || (await isUnused(drive));
}

/** Takes everything off a drive that was never used. */
export async function clearDrive(drive: Drive): Promise<void> {
  for (const name of [labelFileName, stateFileName, "promise", rebuildFileName]) await drive.remove(name);
}
