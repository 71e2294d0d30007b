/**
 * Compares the index of an open set with one made from the packs beside it: an entry that is missing, was never put, or is another one than the log
 * says is found, whatever the drive has done to the file. The index beside follows every commit while the two are compared, a slice of the
 * entries at a time; what only the index knows (how far upkeep is, blobs given up whose shards are gone) is left out.
 *
 * With `repair` the index beside takes the other one's place where they differ. Memory is bounded; the drive takes one more index meanwhile.
 */
import { compareBytes } from "../base/bytes.ts";
import { isHoldfastError, throwIfAborted } from "../base/errors.ts";
import type { BesideIndex, IndexMutation, OrderedIndex } from "../index/ordered-index.ts";
import type { Batch } from "./batch.ts";
import type { RepairStep } from "./finding.ts";
import { appliedKey, encodeApplied, freedBlobRange, indexMutation, isUpkeepKey, upkeepRange } from "./index-entry.ts";
import type { OpenSet } from "./open-set.ts";
import { unhurried } from "./pace.ts";
import { makeBeside, type RenewOptions } from "./renew-index.ts";

export interface CheckIndexOptions extends RenewOptions {
  /** False only looks. Default true. */
  readonly repair?: boolean | undefined;
}

/** Entries compared before others get a turn. */
const sliceEntries = 512;

/**
 * Not checked are an index in memory, which no drive has had, and one that has no room for another beside it. Packs that are nowhere, which nothing
 * but an index made anew would miss, are found too. @throws ABORTED, STORE_CLOSED
 */
export async function* checkIndex(set: OpenSet, options: CheckIndexOptions = {}): AsyncGenerator<RepairStep, void> {
  if (set.context.index.renewal === undefined) return;
  try {
    yield* compareWithLog(set, options);
  } catch (error) {
    if (isHoldfastError(error, "DRIVE_FULL")) return;
    const packs = isHoldfastError(error, "LOG_DAMAGED", "DRIVES_MISSING") ? error.details.packs : undefined;
    if (!Array.isArray(packs)) throw error;
    const lost = { drive: "set", problem: "missing", repairable: false, repaired: false } as const;
    yield { readBytes: 0, writtenBytes: 0, findings: packs.map((pack: number) => ({ place: `pack ${pack}`, ...lost })) };
  }
}

async function* compareWithLog(set: OpenSet, options: CheckIndexOptions): AsyncGenerator<RepairStep, void> {
  const { index, hooks } = set.context;
  const { repair = true, pacer = unhurried, signal } = options;
  let failure: unknown;
  let follow = (_: Batch): void => undefined;
  const beside = await makeBeside(set, options, (even) => {
    follow = (batch) => {
      try {
        even.write(changesOf(batch));
      } catch (error) {
        failure ??= error;
      }
    };
    hooks.onCommitted.add(follow);
  });
  try {
    for (let start: Uint8Array | undefined = appliedKey; start !== undefined; ) {
      throwIfAborted(signal);
      if (failure !== undefined) throw failure;
      const slice = compareSlice(index, beside, start);
      if (slice.differs) {
        if (repair) await replace(index, beside);
        const finding = { place: "index", drive: "set", problem: "damaged", repairable: true, repaired: repair } as const;
        yield { readBytes: slice.bytes, writtenBytes: 0, findings: [finding] };
        return;
      }
      start = slice.next;
      yield { readBytes: slice.bytes, writtenBytes: 0, findings: [] };
      await pacer.spend(slice.bytes, signal);
      await beside.pressure();
    }
  } finally {
    hooks.onCommitted.delete(follow);
    await beside.close();
  }
}

/** What the commit of a batch has written to the index. */
function changesOf(batch: Batch): IndexMutation[] {
  const changes = batch.changes.map(({ key, entry }) => indexMutation(key, entry));
  return changes.length === 0 ? [] : [...changes, { key: appliedKey, value: encodeApplied(batch.sequence) }];
}

async function replace(index: OrderedIndex, beside: BesideIndex): Promise<void> {
  const kept: IndexMutation[] = [];
  passDamage(() => index.scan(upkeepRange, (key, value) => kept.push({ key, value }) > 0));
  beside.write(kept);
  await beside.adopt();
}

/** False when the index was found to be damaged on the way. */
function passDamage(look: () => void): boolean {
  try {
    look();
    return true;
  } catch (error) {
    if (!isHoldfastError(error, "INDEX_DAMAGED")) throw error;
    return false;
  }
}

interface Slice {
  readonly differs: boolean;
  readonly bytes: number;
  /** Where the next one starts; undefined at the end. */
  readonly next: Uint8Array | undefined;
}

/** Compares entries from a key on, in one turn: nothing is committed between the two looks. */
function compareSlice(index: OrderedIndex, beside: OrderedIndex, start: Uint8Array): Slice {
  const made = entriesFrom(beside, start, { end: undefined, entriesMax: sliceEntries + 1 });
  const next = made.length > sliceEntries ? made.pop()?.key : undefined;
  const used: Entry[] = [];
  const isSound = passDamage(() => used.push(...entriesFrom(index, start, { end: next, entriesMax: made.length + 1 })));
  const bytes = made.reduce((sum, { key, value }) => sum + key.byteLength + value.byteLength, 0);
  if (!isSound) return { differs: true, bytes, next: undefined };
  let at = 0;
  for (const { key, value } of made) {
    const other = used[at];
    const distance = other === undefined ? 1 : compareBytes(other.key, key);
    if (distance === 0 && compareBytes((other as Entry).value, value) === 0) at++;
    else if (distance <= 0 || !isFreed(key)) return { differs: true, bytes, next: undefined };
  }
  return { differs: at < used.length, bytes, next };
}

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The first entries of [start, end). */
function entriesFrom(
  index: OrderedIndex,
  start: Uint8Array,
  limits: { readonly end: Uint8Array | undefined; readonly entriesMax: number },
): Entry[] {
  const entries: Entry[] = [];
  index.scan({ start, end: limits.end }, (key, value) => {
    if (!isUpkeepKey(key)) entries.push({ key, value });
    return entries.length < limits.entriesMax;
  });
  return entries;
}

/** An index from the log does not know that the shards of a blob given up have been removed. */
function isFreed(key: Uint8Array): boolean {
  return key[0] === freedBlobRange.start[0];
}
