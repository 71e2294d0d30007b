import { encodeFooter } from "../format/footer.ts";
import type { LogTail } from "./log-tail.ts";
import { firstSequenceOf, listPacks, readFooter, readTrailer, scanEntries } from "./pack-entries.ts";
import type { SetContext } from "./set-context.ts";

/** Gives every full pack the footer that a crash has kept it from, on every drive that has the pack without one. */
export async function resealPacks(context: SetContext, tail: LogTail): Promise<void> {
  const packs = (await listPacks(context)).filter((pack) => pack < tail.pack);
  const bounds = { epoch: tail.epoch, firstSequence: tail.firstSequence };
  for (const [i, pack] of packs.entries()) {
    const unsealed = [];
    for (const member of context.members) {
      if (member.state === "online" && (await readTrailer(context, member, pack)) === undefined) unsealed.push(member);
    }
    if (unsealed.length === 0) continue;
    const next = packs[i + 1] ?? tail.pack;
    const belowSequence = (await firstSequenceOf(context, next, { ...bounds, belowSequence: Number.POSITIVE_INFINITY })) ?? tail.nextSequence;
    const known = await readFooter(context, pack);
    const scanned = known === undefined ? await scanEntries(context, pack, { ...bounds, belowSequence }) : undefined;
    const entries = known?.entries ?? scanned?.entries ?? [];
    const position = known?.trailer.footerPosition ?? scanned?.position ?? 0;
    const footer = encodeFooter({ setId: context.id, pack, position, entries });
    for (const member of unsealed) {
      try {
        await member.withPack(pack, { create: true }, async (file) => {
          if ((await file.size()) > position) await file.truncate(position);
          await file.writeDurable(position, [footer]);
        });
      } catch (error) {
        member.noteWriteFailure(error);
      }
    }
  }
}
