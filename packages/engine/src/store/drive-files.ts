import type { Drive } from "../drive/drive.ts";
import { parseState } from "../format/state.ts";
import { stateFileName } from "../set/drive-state.ts";

/** The file that says who a drive is. */
export const labelFileName = "label";

/** True for a drive whose store was never opened since it was made: epochs start with the first opening. */
export async function isUnused(drive: Drive): Promise<boolean> {
  const state = await drive.readFile(stateFileName).then(parseState, () => undefined);
  return state?.epoch === 0;
}

/** True when nothing lies there but the state that is written before the label: the making of a store was interrupted in between. */
export async function isHalfMade(drive: Drive, names: readonly string[]): Promise<boolean> {
  return names.length === 1 && names[0] === stateFileName && (await isUnused(drive));
}
