/**
 * Deletes in packs that are given up. A delete is needed as long as an older pack may hold a put of the same key: without it, an index made
 * anew from the log would bring the key back. So it is written again, unless every older pack is gone or goes at the same time, or the
 * key is there (then a newer put, which stays in the log, overrules the delete).
 */
import { packsFolder, parsePackFileName } from "../format/pack-name.ts";
import { decodeRecords } from "../format/records.ts";
import { markKey } from "./index-entry.ts";
import { recordBytes } from "./measure-packs.ts";
import type { OpenSet } from "./open-set.ts";
import { type Pacer, unhurried } from "./pace.ts";

/** Deletes in one commit. */
const groupMax = 512;
/** Keys remembered as carried; beyond them one that was deleted several times may be carried several times. */
const carriedMax = 200_000;

interface Pacing {
  readonly pacer?: Pacer | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which packs are left when some are given up. */
export interface Remainder {
  /** The lowest pack that stays, or may be on a drive that is away. */
  readonly lowest: number;
  /** Numbers below the highest pack given up that no drive has: nothing can ever lie there. */
  readonly gaps: readonly number[];
}

/** Looks at what drives have. Where one is away, it may have any pack that is not known to be retired. */
export async function remainderWithout(set: OpenSet, victims: ReadonlySet<number>): Promise<Remainder> {
  const { context, activePack } = set;
  const found = new Set<number>();
  let certain = true;
  for (const { drive } of context.members) {
    const names = await drive?.list(packsFolder).catch(() => undefined);
    if (names === undefined) certain = false;
    for (const name of names ?? []) {
      const pack = parsePackFileName(name);
      if (pack !== undefined) found.add(pack);
    }
  }
  const highest = Math.max(0, ...victims);
  const gaps: number[] = [];
  let lowest = activePack;
  for (let pack = 1; pack < activePack; pack++) {
    if (context.retired.has(pack) || victims.has(pack)) continue;
    if (certain && !found.has(pack)) {
      // A number that is missing is lost: only its owner may say that it is not missed.
      if (pack < highest && context.settings.acceptLoss) gaps.push(pack);
      continue;
    }
    lowest = Math.min(lowest, pack);
  }
  return { lowest, gaps };
}

/** Bytes on each drive that carrying the deletes of a pack takes. @throws LOG_DAMAGED, ABORTED */
export async function carriedBytes(set: OpenSet, pack: number, pacing: Pacing): Promise<number> {
  let bytes = 0;
  const seen = new Set<string>();
  for await (const key of forgottenKeys(set, pack, pacing)) {
    const text = textOf(key);
    if (!seen.has(text)) bytes += recordBytes(key.byteLength, 0);
    if (seen.size < carriedMax) seen.add(text);
  }
  return bytes;
}

/** Writes the deletes of packs given up again where they are needed. @throws LOG_DAMAGED, ABORTED, WRITE_QUORUM_LOST */
export async function carryDeletes(set: OpenSet, victims: ReadonlySet<number>, lowest: number, pacing: Pacing): Promise<void> {
  const carried = new Set<string>();
  let group: Uint8Array[] = [];
  for (const pack of [...victims].sort((a, b) => a - b)) {
    if (pack < lowest) continue;
    for await (const key of forgottenKeys(set, pack, pacing)) {
      const text = textOf(key);
      if (carried.has(text)) continue;
      if (carried.size < carriedMax) carried.add(text);
      group.push(key);
      if (group.length < groupMax) continue;
      await deleteAgain(set, group, pacing.signal);
      group = [];
    }
  }
  if (group.length > 0) await deleteAgain(set, group, pacing.signal);
}

async function deleteAgain(set: OpenSet, keys: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<void> {
  await set.commit(
    {
      decide: (transaction) => {
        // A key that was put meanwhile is there because of a newer record, and so is one that was deleted since.
        for (const key of keys) if (transaction.get(key) === undefined) transaction.delete(key);
      },
    },
    { signal },
  );
}

/** Keys that a pack deletes and that are not there. */
async function* forgottenKeys(set: OpenSet, pack: number, { pacer = unhurried, signal }: Pacing): AsyncGenerator<Uint8Array> {
  const { entries } = await set.framesOf(pack);
  for (const { records } of entries) {
    for (const { key, value } of decodeRecords(records)) {
      if (value !== undefined || textOf(key) === textOf(markKey) || set.get(key) !== undefined) continue;
      yield key;
    }
    await pacer.spend(0, signal);
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
