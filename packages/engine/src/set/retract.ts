import { HoldfastError } from "../base/errors.ts";
import { cutPack } from "./cut-pack.ts";
import { promiseEpoch, writeStates } from "./drive-state.ts";
import type { EncodedBatch } from "./encode-batch.ts";
import type { Flight } from "./flight.ts";
import type { LogTail } from "./log-tail.ts";
import type { Member } from "./member.ts";
import { countedDrives, witnessThreshold } from "./quorum.ts";
import type { SetContext } from "./set-context.ts";

/**
 * Takes the frames of lost flights back, so that they can never come into effect: cut from every drive that can be asked; where one that
 * was sent a frame cannot be, a new epoch is made durable on so many drives that every later opening learns of it.
 * @throws WRITE_QUORUM_LOST when neither can be done; then only a reopen decides
 */
export async function retract(context: SetContext, tail: LogTail, flights: readonly Flight[]): Promise<void> {
  await Promise.all(context.members.map((member) => member.drain()));
  const written = flights.filter((flight) => flight.encoded !== undefined);
  const first = written[0];
  if (first === undefined) return;
  const { pack, position } = (first.encoded as EncodedBatch).header;
  const sentTo = new Set(written.flatMap((flight) => flight.sentTo));
  const inReach = await Promise.all([...sentTo].map((member) => cut(member, pack, position)));
  tail.position = position;
  if (inReach.every((done) => done)) return;
  const epoch = tail.epoch + 1;
  const firstSequence = tail.committedSequence + 1;
  const needed = witnessThreshold(countedDrives(context.members), context.profile);
  let told = await promiseEpoch(context, epoch);
  if (told >= needed) told = await writeStates(context, { epoch, firstSequence, clean: undefined });
  if (told < needed) {
    throw new HoldfastError("WRITE_QUORUM_LOST", `only ${told} drives could be told that a write was taken back`, {
      details: { indeterminate: true },
    });
  }
  tail.epoch = epoch;
  tail.firstSequence = firstSequence;
}

async function cut(member: Member, pack: number, position: number): Promise<boolean> {
  if (!member.takesRepairs) return false;
  try {
    await member.enqueue(() => cutPack(member, pack, position));
    // It lacks nothing that was kept: the next write, perhaps a smaller one, is tried on it again.
    member.noteSpace();
    return true;
  } catch (error) {
    member.noteWriteFailure(error);
    return false;
  }
}
