/**
 * The records of a whole pack, from the footer where a drive has a sound one, else from its frames.
 */
import { type FooterEntry, type PackTrailer, parseFooter, parseTrailer, trailerBytes } from "../format/footer.ts";
import { packsFolder, parsePackFileName } from "../format/pack-name.ts";
import { type PackEnd, packEndIn } from "./batch-records.ts";
import { damagedPack } from "./lost-packs.ts";
import type { Member } from "./member.ts";
import { PackScan, readWhole, type ScanBounds } from "./scan-pack.ts";
import type { SetContext } from "./set-context.ts";

type Reader = Pick<SetContext, "id" | "members">;
type Scanner = Pick<SetContext, "id" | "members" | "settings">;

/** A pack whose committed frames are known. */
export interface KnownPack {
  readonly pack: number;
  /** Where its frames end. */
  readonly position: number;
  readonly entries: readonly FooterEntry[];
}

/** The packs any drive of the set has, but for those retired, ascending. */
export async function listPacks(context: Pick<SetContext, "members" | "retired">): Promise<number[]> {
  const packs = new Set<number>();
  for (const member of context.members) {
    const names = (await member.drive?.list(packsFolder).catch(() => [])) ?? [];
    for (const name of names) {
      const pack = parsePackFileName(name);
      if (pack !== undefined && !context.retired.has(pack)) packs.add(pack);
    }
  }
  return [...packs].sort((a, b) => a - b);
}

/** The trailer of a member's copy of a pack; undefined when it is not sealed there. */
export async function readTrailer(context: Reader, member: Member, pack: number): Promise<PackTrailer | undefined> {
  if (!member.readable) return undefined;
  try {
    const file = await member.packFile(pack, { create: false });
    const size = await file.size();
    const bytes = size < trailerBytes ? undefined : await readWhole(file, size - trailerBytes, trailerBytes);
    const trailer = bytes === undefined ? undefined : parseTrailer(bytes);
    if (trailer === undefined || trailer.setId !== context.id || trailer.pack !== pack) return undefined;
    return trailer.footerPosition + trailer.footerBytes + trailerBytes === size ? trailer : undefined;
  } catch {
    return undefined;
  }
}

/** The footer of a pack from the first drive that has a sound one. */
export async function readFooter(context: Reader, pack: number): Promise<{ trailer: PackTrailer; entries: FooterEntry[] } | undefined> {
  for (const member of context.members) {
    const trailer = await readTrailer(context, member, pack);
    if (trailer === undefined) continue;
    const file = await member.packFile(pack, { create: false });
    const body = await readWhole(file, trailer.footerPosition, trailer.footerBytes);
    const entries = body === undefined ? undefined : parseFooter(trailer, body);
    if (entries !== undefined) return { trailer, entries };
  }
  return undefined;
}

/**
 * Every frame of a pack without its shard, by scanning; with where they end. Where a later pack bounds it, all of them must be there, unless the
 * owner has accepted the loss of what is not. @throws LOG_DAMAGED
 */
export async function scanEntries(
  context: Scanner,
  pack: number,
  bounds: ScanBounds,
): Promise<{ entries: FooterEntry[]; position: number }> {
  const scan = await PackScan.open(context, pack, bounds);
  const entries: FooterEntry[] = [];
  do {
    for (let frame = await scan.next(); frame !== undefined; frame = await scan.next()) {
      entries.push({ header: frame.header, records: frame.records });
    }
  } while (context.settings.acceptLoss && (await scan.skipDamage()));
  if (!Number.isFinite(bounds.belowSequence) || context.settings.acceptLoss) return { entries, position: scan.position };
  const last = entries.at(-1)?.header.sequence ?? 0;
  const sealed = await sealedAs(context, pack);
  const isShort = scan.position < (bounds.end ?? 0) || last < (sealed?.lastSequence ?? 0);
  if (isShort || (await scan.hasLaterFrame())) throw damagedPack(pack, scan.position);
  return { entries, position: scan.position };
}

/** What the trailers say of a pack: the one that has seen most of it, also where its footer is damaged. */
export async function sealedAs(context: Reader, pack: number): Promise<PackTrailer | undefined> {
  let most: PackTrailer | undefined;
  for (const member of context.members) {
    const trailer = await readTrailer(context, member, pack);
    if (trailer !== undefined && trailer.lastSequence > (most?.lastSequence ?? 0)) most = trailer;
  }
  return most;
}

/** What the first frame of a pack tells. */
export interface PackStart {
  readonly sequence: number;
  /** Where the pack before ends. */
  readonly before: PackEnd | undefined;
}

/** The first frame of a pack; undefined when it has none. */
export async function packStart(context: Reader, pack: number, bounds: ScanBounds): Promise<PackStart | undefined> {
  const scan = await PackScan.open(context, pack, bounds);
  const frame = (await scan.next()) ?? (await readFooter(context, pack))?.entries[0];
  return frame === undefined ? undefined : { sequence: frame.header.sequence, before: packEndIn(frame.records) };
}

/** What a pack is bounded by, as the next one with frames says. */
export function boundedBy(bounds: ScanBounds, pack: number, next: PackStart): ScanBounds {
  return { ...bounds, belowSequence: next.sequence, end: next.before?.pack === pack ? next.before.position : undefined };
}

/** The frames of a pack that takes no more: from a footer, from the opening that found it unfinished, or by scanning. @throws LOG_DAMAGED */
export async function framesOf(
  context: Pick<SetContext, "id" | "members" | "retired" | "settings">,
  known: { readonly lastPack: KnownPack | undefined; readonly bounds: ScanBounds },
  pack: number,
): Promise<KnownPack> {
  const footer = await readFooter(context, pack);
  if (footer !== undefined) return { pack, position: footer.trailer.footerPosition, entries: footer.entries };
  if (pack === known.lastPack?.pack) return known.lastPack;
  const next = (await listPacks(context)).find((other) => other > pack);
  const start = next === undefined ? undefined : await packStart(context, next, known.bounds);
  return { pack, ...(await scanEntries(context, pack, start === undefined ? known.bounds : boundedBy(known.bounds, pack, start))) };
}
