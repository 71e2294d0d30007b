/**
 * The two small files of every drive of a set.
 *
 * `state`: the newest epoch decided on as far as the drive knows, where that epoch starts, and whether the log was closed cleanly. A drive
 * that was away says so by an older epoch than the others. `promise`: the newest epoch somebody began to decide on.
 *
 * An epoch is promised on enough drives before its state is written to any. So whoever opens the set without seeing a state that reached
 * only a few drives still sees the promise and takes a higher epoch: no two decisions have one epoch, and the highest one seen is right.
 * Without the promise, a state left on one drive by an opening that lost its power could later overrule what was acknowledged meanwhile.
 */
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import { type DriveState, encodeState, parseState } from "../format/state.ts";
import type { Member } from "./member.ts";
import type { SetContext } from "./set-context.ts";

export const stateFileName = "state";
/** In the form of a state file; of its content only the epoch counts. */
const promiseFileName = "promise";

/** What is decided with an epoch. */
export interface EpochState {
  readonly epoch: number;
  /** Frames of older epochs at or above this sequence are cut; those before it are kept, whatever drives are there later. */
  readonly firstSequence: number;
  /** Where the log ends, when it is being closed. */
  readonly clean: CleanEnd | undefined;
}

/** Where a cleanly closed log ends. */
export interface CleanEnd {
  readonly lastSequence: number;
  readonly pack: number;
  readonly position: number;
}

/** Promises an epoch on every member that takes writes; resolves with the number of drives that have it. */
export function promiseEpoch(context: Pick<SetContext, "id" | "members">, epoch: number): Promise<number> {
  return writeAll(context, promiseFileName, { epoch, firstSequence: 0, clean: undefined });
}

/** Writes the state to every member that takes writes; resolves with the number of drives that have it. */
export function writeStates(context: Pick<SetContext, "id" | "members">, state: EpochState): Promise<number> {
  return writeAll(context, stateFileName, state);
}

async function writeAll(context: Pick<SetContext, "id" | "members">, name: string, state: EpochState): Promise<number> {
  const bytes = encodeState({
    setId: context.id,
    epoch: state.epoch,
    firstSequence: state.firstSequence,
    clean: state.clean !== undefined,
    lastSequence: state.clean?.lastSequence ?? 0,
    activePack: state.clean?.pack ?? 0,
    activePosition: state.clean?.position ?? 0,
  });
  const outcomes = await Promise.all(context.members.map((member) => writeOne(member, name, bytes)));
  return outcomes.filter((written) => written).length;
}

async function writeOne(member: Member, name: string, bytes: Uint8Array): Promise<boolean> {
  if (member.drive === undefined || member.state === "failed" || member.state === "missing") return false;
  try {
    await member.drive.replaceFile(name, bytes);
    return true;
  } catch (error) {
    member.noteWriteFailure(error);
    return false;
  }
}

/** What the members' files say. */
export interface KnownStates {
  /** The newest state of any member. */
  readonly newest: DriveState;
  /** The highest epoch of any state or promise. */
  readonly epochMax: number;
  /** The members that are there and were not closed in order with the newest epoch: a crash or an absence has left things on them. */
  readonly unclean: readonly Member[];
}

/** @throws LOG_DAMAGED, FORMAT_TOO_NEW */
export async function readStates(context: Pick<SetContext, "id" | "members">): Promise<KnownStates> {
  const states = new Map<Member, DriveState | undefined>();
  let newest: DriveState | undefined;
  let epochMax = 0;
  for (const member of context.members) {
    if (!member.readable) continue;
    const state = await readOne(context, member, stateFileName);
    const promise = await readOne(context, member, promiseFileName);
    epochMax = Math.max(epochMax, state?.epoch ?? 0, promise?.epoch ?? 0);
    states.set(member, state);
    if (state !== undefined && (newest === undefined || isNewer(state, newest))) newest = state;
  }
  if (newest === undefined) {
    throw new HoldfastError("LOG_DAMAGED", "no drive of the set has a state file that can be read; bring missing drives back");
  }
  const { epoch } = newest;
  const unclean = [...states].filter(([, state]) => !(state?.clean === true && state.epoch === epoch)).map(([member]) => member);
  return { newest, epochMax, unclean };
}

function isNewer(state: DriveState, than: DriveState): boolean {
  return state.epoch > than.epoch || (state.epoch === than.epoch && state.clean && !than.clean);
}

async function readOne(context: Pick<SetContext, "id">, member: Member, name: string): Promise<DriveState | undefined> {
  try {
    const state = member.drive === undefined ? undefined : parseState(await member.drive.readFile(name));
    return state?.setId === context.id ? state : undefined;
  } catch (error) {
    if (isHoldfastError(error, "FORMAT_TOO_NEW")) throw error;
    return undefined;
  }
}
