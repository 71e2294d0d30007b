/**
 * A drive joins a running set: one that was away, an empty one in a lost one's place, or one more.
 *
 *   1  while the set goes on: the drive is told the epoch (and, when it is empty, marked as not voting); packs it has that the set has
 *      given up, or has not begun, are removed: a frame there was cut while the drive was away
 *   2  in a quiesced moment the pack being filled is ended and the drive takes frames from the next one on, as any other does
 *   3  what it lacks of the packs before, and of the blobs, is made by `heal-set.ts`; only then does an empty drive vote
 *
 * So frames on the drive are, from the new pack on, in order and without a hole, which is what recovery stands on; and whatever lies in
 * earlier packs of it is of committed batches, or is overwritten when they are healed.
 */
import { HoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import type { Drive } from "../drive/drive.ts";
import { packFileName, packsFolder, parsePackFileName } from "../format/pack-name.ts";
import type { Committer } from "./committer.ts";
import { prepareState } from "./drive-state.ts";
import type { Member } from "./member.ts";
import type { SetContext } from "./set-context.ts";

export interface JoiningDrive {
  readonly id: DriveId;
  readonly drive: Drive;
  /** True for an empty drive: it holds nothing of what the set has acknowledged. */
  readonly fresh: boolean;
}

/** @throws DRIVE_FOREIGN, and what the drive throws when it cannot be written */
export async function joinMember(context: SetContext, committer: Committer, member: Member, joining: JoiningDrive): Promise<void> {
  const { drive, id, fresh } = joining;
  if (member.drive !== undefined)
    throw new HoldfastError("DRIVE_DUPLICATED", `the place of drive ${member.id} is taken by ${member.drive.location}`);
  if (member.isLeaving) {
    throw new HoldfastError(
      "DRIVE_FAILED",
      `drive ${member.id} has not answered all it was asked when it left: it cannot be used before it has`,
    );
  }
  const { tail } = committer;
  for (let prepared = false; !prepared; ) {
    const { epoch, firstSequence, pack } = tail;
    await prepareState(context, drive, { epoch, firstSequence, clean: undefined }, { fresh });
    await context.retired.writeTo(context, drive);
    await removePacks(context, drive, (found) => found > pack || (tail.position === 0 && found === pack));
    prepared = await committer.quiesce(async () => {
      if (tail.epoch !== epoch || tail.pack < pack) return false;
      void committer.startNextPack();
      member.attach(drive, { id, fresh, wholeFrom: tail.pack });
      member.transition("rebuilding", fresh ? "an empty drive: what belongs on it is being made" : "it was away");
      return true;
    });
  }
}

async function removePacks(context: SetContext, drive: Drive, isDead: (pack: number) => boolean): Promise<void> {
  for (const name of await drive.list(packsFolder)) {
    const pack = parsePackFileName(name);
    if (pack !== undefined && (isDead(pack) || context.retired.has(pack))) await drive.remove(packFileName(pack));
  }
}
