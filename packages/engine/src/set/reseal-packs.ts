import { encodeFooter } from "../format/footer.ts";
import type { Member } from "./member.ts";
import { framesOf, type KnownPack, listPacks, readTrailer } from "./pack-entries.ts";
import type { RecoveredLog } from "./recover-log.ts";
import type { SetContext } from "./set-context.ts";

/** Gives every full pack the footer that a crash has kept it from, on every drive that has the pack without one. */
export async function resealPacks(context: SetContext, log: RecoveredLog): Promise<void> {
  const { lastPack } = log;
  const firstNewPack = log.tail.pack;
  const packs = (await listPacks(context)).filter((pack) => pack <= lastPack.pack && pack < firstNewPack);
  for (const pack of packs) {
    const unsealed: Member[] = [];
    for (const member of context.members) {
      if (member.takesRepairs && (await readTrailer(context, member, pack)) === undefined) unsealed.push(member);
    }
    if (unsealed.length === 0) continue;
    const frames = await framesOf(context, log, pack);
    const footer = encodeFooter({ setId: context.id, pack, position: frames.position, entries: frames.entries });
    await Promise.all(unsealed.map((member) => sealOn(member, frames, footer)));
  }
}

async function sealOn(member: Member, frames: KnownPack, footer: Uint8Array): Promise<void> {
  try {
    await member.withPack(frames.pack, { create: true }, async (file) => {
      if ((await file.size()) > frames.position) await file.truncate(frames.position);
      await file.writeDurable(frames.position, [footer]);
    });
  } catch (error) {
    member.noteWriteFailure(error);
  }
}
