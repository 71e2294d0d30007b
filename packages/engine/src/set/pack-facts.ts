import { trailerBytes } from "../format/footer.ts";
import { footerEntryBytes } from "./log-tail.ts";
import type { OpenSet } from "./open-set.ts";
import { listPacks, readTrailer } from "./pack-entries.ts";
import type { SetContext } from "./set-context.ts";

/** What never changes of a pack that takes no more. */
export interface PackFacts {
  readonly pack: number;
  /** Of its first and last batch; the first is above the last where there is none. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Bytes on each drive, with the footer. */
  readonly bytes: number;
}

/** Facts of sealed packs, found once. */
const known = new WeakMap<SetContext, Map<number, PackFacts>>();

/** The facts of a pack below the active one. @throws LOG_DAMAGED */
export async function packFacts(set: OpenSet, pack: number): Promise<PackFacts> {
  const packs = known.get(set.context) ?? new Map<number, PackFacts>();
  known.set(set.context, packs);
  const facts = packs.get(pack) ?? (await factsFromTrailer(set, pack)) ?? (await factsFromFrames(set, pack));
  packs.set(pack, facts);
  return facts;
}

/** The packs below the active one that any drive has, ascending. @throws LOG_DAMAGED */
export async function sealedPacks(set: OpenSet): Promise<PackFacts[]> {
  const { activePack } = set;
  const facts: PackFacts[] = [];
  for (const pack of await listPacks(set.context)) {
    if (pack >= activePack) continue;
    const found = await packFacts(set, pack);
    const before = facts.at(-1)?.lastSequence ?? 0;
    facts.push(found.lastSequence > 0 ? found : { ...found, firstSequence: before + 1, lastSequence: before });
  }
  const packs = known.get(set.context);
  for (const pack of packs?.keys() ?? []) if (set.context.retired.has(pack)) packs?.delete(pack);
  return facts;
}

/** Bytes on each drive of a pack that may still be growing. */
export async function packBytes(set: OpenSet, pack: number): Promise<number> {
  const sizes = set.context.members.map(async (member) => {
    if (!member.readable) return 0;
    return member.withPack(pack, { create: false }, (file) => file.size()).catch(() => 0);
  });
  return Math.max(0, ...(await Promise.all(sizes)));
}

async function factsFromTrailer(set: OpenSet, pack: number): Promise<PackFacts | undefined> {
  for (const member of set.context.members) {
    const trailer = await readTrailer(set.context, member, pack);
    if (trailer === undefined || trailer.frames === 0) continue;
    const { firstSequence, lastSequence, footerPosition, footerBytes } = trailer;
    return { pack, firstSequence, lastSequence, bytes: footerPosition + footerBytes + trailerBytes };
  }
  return undefined;
}

async function factsFromFrames(set: OpenSet, pack: number): Promise<PackFacts> {
  const { entries, position } = await set.framesOf(pack);
  const footerBytes = entries.reduce((sum, { header }) => sum + footerEntryBytes(header.recordsBytes), 0);
  return {
    pack,
    firstSequence: entries[0]?.header.sequence ?? 1,
    lastSequence: entries.at(-1)?.header.sequence ?? 0,
    bytes: position + footerBytes + trailerBytes,
  };
}
