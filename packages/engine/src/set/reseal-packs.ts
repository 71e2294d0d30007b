import { encodeFooter } from "../format/footer.ts";
import type { Member } from "./member.ts";
import { firstSequenceOf, listPacks, readFooter, readTrailer, scanEntries } from "./pack-entries.ts";
import type { LastPack, RecoveredLog } from "./recover-log.ts";
import type { SetContext } from "./set-context.ts";

/** Gives every full pack the footer that a crash has kept it from, on every drive that has the pack without one. */
export async function resealPacks(context: SetContext, log: RecoveredLog): Promise<void> {
  const { lastPack, bounds } = log;
  const firstNewPack = log.tail.pack;
  const packs = (await listPacks(context)).filter((pack) => pack <= lastPack.pack && pack < firstNewPack);
  for (const [i, pack] of packs.entries()) {
    const unsealed: Member[] = [];
    for (const member of context.members) {
      if (member.state === "online" && (await readTrailer(context, member, pack)) === undefined) unsealed.push(member);
    }
    if (unsealed.length === 0) continue;
    const next = packs[i + 1];
    const belowSequence = next === undefined ? undefined : await firstSequenceOf(context, next, bounds);
    const frames =
      pack === lastPack.pack
        ? lastPack
        : await framesOf(context, pack, { ...bounds, belowSequence: belowSequence ?? bounds.belowSequence });
    const footer = encodeFooter({ setId: context.id, pack, position: frames.position, entries: frames.entries });
    await Promise.all(unsealed.map((member) => sealOn(member, frames, footer)));
  }
}

async function framesOf(context: SetContext, pack: number, bounds: RecoveredLog["bounds"]): Promise<LastPack> {
  const known = await readFooter(context, pack);
  if (known !== undefined) return { pack, position: known.trailer.footerPosition, entries: known.entries };
  return { pack, ...(await scanEntries(context, pack, bounds)) };
}

async function sealOn(member: Member, frames: LastPack, footer: Uint8Array): Promise<void> {
  try {
    await member.withPack(frames.pack, { create: true }, async (file) => {
      if ((await file.size()) > frames.position) await file.truncate(frames.position);
      await file.writeDurable(frames.position, [footer]);
    });
  } catch (error) {
    member.noteWriteFailure(error);
  }
}
