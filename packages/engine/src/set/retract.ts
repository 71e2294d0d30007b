import { HoldfastError } from "../base/errors.ts";
import type { EncodedBatch } from "./encode-batch.ts";
import { writeStates } from "./drive-state.ts";
import type { Flight } from "./flight.ts";
import type { LogTail } from "./log-tail.ts";
import { witnessThreshold } from "./quorum.ts";
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
  let outOfReach = 0;
  for (const member of sentTo) {
    if (member.state === "failed") outOfReach++;
    else if (!(await cut())) outOfReach++;
    async function cut(): Promise<boolean> {
      try {
        await member.withPack(pack, { create: true }, (file) => file.truncate(position));
        return true;
      } catch (error) {
        member.noteWriteFailure(error);
        return false;
      }
    }
  }
  tail.position = position;
  if (outOfReach === 0) return;
  const epoch = tail.epoch + 1;
  const firstSequence = first.batch.sequence;
  const told = await writeStates(context, { epoch, firstSequence, clean: undefined });
  if (told < witnessThreshold(context.members.length, context.profile)) {
    throw new HoldfastError("WRITE_QUORUM_LOST", `only ${told} drives could be told that a write was taken back`, { details: { indeterminate: true } });
  }
  tail.epoch = epoch;
  tail.firstSequence = firstSequence;
}
