import { encodeFooter } from "../format/footer.ts";
import type { FullPack } from "./flight.ts";
import { type LogTail, startNextPack } from "./log-tail.ts";
import type { SetContext } from "./set-context.ts";

/**
 * Appends the footer to a full pack on every drive that is there. Nothing depends on its success: a drive that misses it is read frame by
 * frame, and a failed write fences the drive off as any other does.
 */
export async function sealPack(context: SetContext, full: FullPack): Promise<void> {
  const footer = encodeFooter({ setId: context.id, pack: full.pack, position: full.position, entries: full.entries });
  await Promise.all(
    context.members.map(async (member) => {
      // Frames of this pack may still be on their way to a slow drive; later ones go to another file.
      await member.drain();
      if (member.state !== "online") return;
      try {
        await member.withPack(full.pack, { create: true }, (file) => file.writeDurable(full.position, [footer]));
      } catch (error) {
        member.noteWriteFailure(error);
      }
    }),
  );
}

/** Frames of an unfinished pack that the next opening reads one by one. */
const tailFramesMax = 256;

/** Ends the pack being filled when the set is closed and reading its frames again would make the next opening slow. */
export async function sealLongTail(context: SetContext, tail: LogTail): Promise<void> {
  if (tail.footer.length <= tailFramesMax) return;
  await sealPack(context, { pack: tail.pack, position: tail.position, entries: tail.footer });
  startNextPack(tail);
}
