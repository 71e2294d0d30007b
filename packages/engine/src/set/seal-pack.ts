import { encodeFooter } from "../format/footer.ts";
import type { FullPack } from "./flight.ts";
import { type LogTail, startNextPack } from "./log-tail.ts";
import type { SetContext } from "./set-context.ts";

/**
 * Appends the footer to a full pack on every drive that has all its frames: a footer says that this copy of the pack is whole. Nothing depends
 * on its success: a drive without it is looked through frame by frame, given what it lacks, and sealed then.
 */
export async function sealPack(context: SetContext, full: FullPack): Promise<void> {
  const footer = encodeFooter({ setId: context.id, pack: full.pack, position: full.position, entries: full.entries });
  await Promise.all(
    context.members.map(async (member) => {
      // Frames of this pack may still be on their way to a slow drive; later ones go to another file.
      await member.drain();
      if (!member.takesRepairs || full.pack < member.wholeFrom || member.lacking.has(full.pack)) return;
      try {
        await member.enqueue(() => member.withPack(full.pack, { create: true }, (file) => file.writeDurable(full.position, [footer])));
      } catch (error) {
        member.noteLacking(full.pack);
        member.noteWriteFailure(error);
      }
    }),
  );
}

/** Frames of an unfinished pack that the next opening reads one by one. */
const tailFramesMax = 256;

/**
 * Ends the pack being filled when the set is closed: where reading its frames again would make the next opening slow, and where a drive lacks
 * some of them, so that the missing footer tells.
 */
export async function sealLongTail(context: SetContext, tail: LogTail): Promise<void> {
  const isLacking = context.members.some((member) => member.lacking.has(tail.pack));
  if (tail.position === 0 || (tail.footer.length <= tailFramesMax && !isLacking)) return;
  await sealPack(context, { pack: tail.pack, position: tail.position, entries: tail.footer });
  startNextPack(tail);
}
