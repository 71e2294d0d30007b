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
import type { Drive } from "../drive/drive.ts";
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

/** Marks a drive that was put in a lost one's place and does not hold everything yet; in the form of a state file, only its being there counts. */
export const rebuildFileName = "rebuild";

/** Promises an epoch on every member that takes writes; resolves with the number of voting drives that have it. */
export function promiseEpoch(context: Pick<SetContext, "id" | "members">, epoch: number): Promise<number> {
  return writeAll(context, promiseFileName, { epoch, firstSequence: 0, clean: undefined });
}

/**
 * Writes the state to every member that takes writes; resolves with the number of voting drives that have it. A clean end is given only to
 * drives that hold everything: the next opening looks the others through.
 */
export function writeStates(context: Pick<SetContext, "id" | "members">, state: EpochState): Promise<number> {
  return writeAll(context, stateFileName, state);
}

async function writeAll(context: Pick<SetContext, "id" | "members">, name: string, state: EpochState): Promise<number> {
  const outcomes = await Promise.all(
    context.members.map((member) => {
      const clean = member.isWhole ? state.clean : undefined;
      return writeOne(member, name, encode(context, { ...state, clean }));
    }),
  );
  return outcomes.filter((votes) => votes).length;
}

function encode(context: Pick<SetContext, "id">, state: EpochState): Uint8Array {
  return encodeState({
    setId: context.id,
    epoch: state.epoch,
    firstSequence: state.firstSequence,
    clean: state.clean !== undefined,
    lastSequence: state.clean?.lastSequence ?? 0,
    activePack: state.clean?.pack ?? 0,
    activePosition: state.clean?.position ?? 0,
  });
}

/** True when a drive that votes has it. */
async function writeOne(member: Member, name: string, bytes: Uint8Array): Promise<boolean> {
  if (!member.takesRepairs) return false;
  const { votes } = member;
  try {
    await member.enqueue((drive) => drive.replaceFile(name, bytes));
    return votes && member.votes;
  } catch (error) {
    member.noteWriteFailure(error);
    return false;
  }
}

/** Makes a drive that is to join know the epoch, and that it does not vote, before it gets a frame. @throws DRIVE_FOREIGN when it knows a later one */
export async function prepareState(
  context: Pick<SetContext, "id">,
  drive: Drive,
  state: EpochState,
  options: { readonly fresh: boolean },
): Promise<void> {
  const known = await readOne(context, drive, stateFileName);
  const promised = await readOne(context, drive, promiseFileName);
  if ((known?.epoch ?? 0) > state.epoch) {
    throw new HoldfastError("DRIVE_FOREIGN", `drive ${drive.location} knows a later epoch than its set: open the store again with it`, {
      details: { drive: drive.location, epoch: known?.epoch, setEpoch: state.epoch },
    });
  }
  const bytes = encode(context, state);
  if (options.fresh) await drive.replaceFile(rebuildFileName, bytes);
  if ((promised?.epoch ?? 0) < state.epoch) await drive.replaceFile(promiseFileName, bytes);
  await drive.replaceFile(stateFileName, bytes);
}

/** Lets a drive vote again. */
export async function removeRebuildMark(drive: Drive): Promise<void> {
  await drive.remove(rebuildFileName);
}

/** True on a drive that was put in a lost one's place and may lack something. */
export function hasRebuildMark(drive: Drive): Promise<boolean> {
  return drive.readFile(rebuildFileName).then(
    () => true,
    (error: unknown) => !isHoldfastError(error, "FILE_NOT_FOUND"),
  );
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
    const { drive } = member;
    if (drive === undefined) continue;
    const state = await readOne(context, drive, stateFileName);
    const promise = await readOne(context, drive, promiseFileName);
    epochMax = Math.max(epochMax, state?.epoch ?? 0, promise?.epoch ?? 0);
    states.set(member, state);
    if (state !== undefined && (newest === undefined || isNewer(state, newest))) newest = state;
  }
  if (newest === undefined) {
    throw new HoldfastError("LOG_DAMAGED", "no drive of the set has a state file that can be read; bring missing drives back");
  }
  const { epoch } = newest;
  const unclean = [...states].filter(([, state]) => !(state?.clean === true && state.epoch === epoch)).map(([member]) => member);
  for (const member of unclean) {
    member.unchecked = true;
    // It was away while others went on.
    if (member.state === "online" && states.get(member)?.epoch !== epoch) member.transition("rebuilding", "it was away");
  }
  return { newest, epochMax, unclean };
}

function isNewer(state: DriveState, than: DriveState): boolean {
  return state.epoch > than.epoch || (state.epoch === than.epoch && state.clean && !than.clean);
}

async function readOne(context: Pick<SetContext, "id">, drive: Drive, name: string): Promise<DriveState | undefined> {
  try {
    const state = parseState(await drive.readFile(name));
    return state?.setId === context.id ? state : undefined;
  } catch (error) {
    if (isHoldfastError(error, "FORMAT_TOO_NEW")) throw error;
    return undefined;
  }
}
