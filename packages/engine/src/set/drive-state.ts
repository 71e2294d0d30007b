/**
 * The small state file of every drive of a set: the highest epoch the drive has seen, where that epoch starts, and whether the log was
 * closed cleanly. A drive that was away says so by an older epoch than the others.
 */
import { isHoldfastError } from "../base/errors.ts";
import { encodeState, parseState, type DriveState } from "../format/state.ts";
import type { Member } from "./member.ts";
import type { SetContext } from "./set-context.ts";

export const stateFileName = "state";

/** Where a cleanly closed log ends. */
export interface CleanEnd {
  readonly lastSequence: number;
  readonly pack: number;
  readonly position: number;
}

/** Writes the state to every member that takes writes; resolves with the number of drives that have it. */
export async function writeStates(
  context: Pick<SetContext, "id" | "members">,
  state: { epoch: number; firstSequence: number; clean: CleanEnd | undefined },
): Promise<number> {
  const bytes = encodeState({
    setId: context.id,
    epoch: state.epoch,
    firstSequence: state.firstSequence,
    clean: state.clean !== undefined,
    lastSequence: state.clean?.lastSequence ?? 0,
    activePack: state.clean?.pack ?? 0,
    activePosition: state.clean?.position ?? 0,
  });
  const outcomes = await Promise.all(context.members.map((member) => writeState(member, bytes)));
  return outcomes.filter((written) => written).length;
}

async function writeState(member: Member, bytes: Uint8Array): Promise<boolean> {
  if (member.drive === undefined || member.state === "failed" || member.state === "missing") return false;
  try {
    await member.drive.replaceFile(stateFileName, bytes);
    return true;
  } catch (error) {
    member.noteWriteFailure(error);
    return false;
  }
}

/** What a member's state file says; undefined when there is none that can be read. */
export async function readState(member: Member): Promise<DriveState | undefined> {
  try {
    return member.drive === undefined ? undefined : parseState(await member.drive.readFile(stateFileName));
  } catch (error) {
    if (isHoldfastError(error, "FORMAT_TOO_NEW")) throw error;
    return undefined;
  }
}
