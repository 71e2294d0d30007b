/**
 * Scrubbing by schedule: everything is read once in a while, a turn at a time. How far the pass under way is, and when it began, is kept in the
 * set's index, which is derived: when that is lost, a pass begins anew.
 */
import { fromHex, fromUtf8, toHex, utf8 } from "../base/bytes.ts";
import { isHoldfastError } from "../base/errors.ts";
import { checkIndex } from "../set/check-index.ts";
import type { RepairStep } from "../set/finding.ts";
import { upkeepKey } from "../set/index-entry.ts";
import type { OpenSet } from "../set/open-set.ts";
import type { Pacer } from "../set/pace.ts";
import { type ScrubCursor, scrubSet } from "../set/scrub-set.ts";

const stateKey = upkeepKey("scrub");

/** What a pass has found so far. */
export interface ScrubCounts {
  readonly readBytes: number;
  readonly faults: number;
  readonly repaired: number;
  readonly unrepairable: number;
}

export interface ScrubState extends ScrubCounts {
  /** Wall time at which the pass began, milliseconds. */
  readonly startedMs: number;
  /** Wall time at which it ended; undefined while it is under way. */
  readonly finishedMs: number | undefined;
  readonly cursor: ScrubCursor;
}

export interface ScrubTurnOptions {
  /** A pass begins so long after the last one began. */
  readonly everyMs: number;
  /** The turn ends with the first pack or blob after so long. */
  readonly budgetMs: number;
  readonly pacer: Pacer;
  readonly signal?: AbortSignal | undefined;
}

/** How the last pass, or the one under way, stands; undefined before the first one. */
export function scrubState(set: OpenSet): ScrubState | undefined {
  const bytes = set.context.index.get(stateKey);
  return bytes === undefined ? undefined : decodeState(bytes);
}

/** True when a pass is under way or due. */
export function needsScrub(set: OpenSet, options: Pick<ScrubTurnOptions, "everyMs">): boolean {
  const state = scrubState(set);
  if (state === undefined || state.finishedMs === undefined) return true;
  const sinceMs = set.context.clock.nowMs() - state.startedMs;
  // A clock that was set back must not put the next pass off for years.
  return sinceMs >= options.everyMs || sinceMs < 0;
}

/**
 * Goes on with the pass under way, or begins one that is due, for one turn. Resolves with how it stands: `finishedMs` is set when this turn has
 * ended it. @throws ABORTED, STORE_CLOSED
 */
export async function scrubTurn(set: OpenSet, options: ScrubTurnOptions): Promise<ScrubState | undefined> {
  if (!needsScrub(set, options)) return undefined;
  const { clock } = set.context;
  const untilMs = clock.monotonicMs() + options.budgetMs;
  const known = scrubState(set);
  let state = known === undefined || known.finishedMs !== undefined ? freshState(clock.nowMs()) : known;
  // What was found in an item is counted when the item is done: one that is broken off is looked at again.
  let item = noCounts;
  try {
    for await (const { cursor, ...step } of scrubSet(set, { ...options, from: state.cursor })) {
      item = addCounts(item, countsOf(step));
      if (sameCursor(cursor, state.cursor)) continue;
      state = { ...state, ...addCounts(state, item), cursor };
      item = noCounts;
      if (clock.monotonicMs() >= untilMs) return save(set, state);
    }
    state = { ...state, ...addCounts(state, item) };
    item = noCounts;
    for await (const step of checkIndex(set, options)) state = { ...state, ...addCounts(state, countsOf(step)) };
    return save(set, { ...state, finishedMs: clock.nowMs() });
  } catch (error) {
    if (isHoldfastError(error, "ABORTED")) save(set, state);
    throw error;
  }
}

const noCounts: ScrubCounts = { readBytes: 0, faults: 0, repaired: 0, unrepairable: 0 };

function countsOf({ readBytes, findings }: Pick<RepairStep, "readBytes" | "findings">): ScrubCounts {
  const repaired = findings.filter((finding) => finding.repaired).length;
  return { readBytes, faults: findings.length, repaired, unrepairable: findings.filter((finding) => !finding.repairable).length };
}

function freshState(startedMs: number): ScrubState {
  return { ...noCounts, startedMs, finishedMs: undefined, cursor: { pack: 0 } };
}

function addCounts(a: ScrubCounts, b: ScrubCounts): ScrubCounts {
  return {
    readBytes: a.readBytes + b.readBytes,
    faults: a.faults + b.faults,
    repaired: a.repaired + b.repaired,
    unrepairable: a.unrepairable + b.unrepairable,
  };
}

function sameCursor(a: ScrubCursor, b: ScrubCursor): boolean {
  return JSON.stringify(plainCursor(a)) === JSON.stringify(plainCursor(b));
}

function plainCursor(cursor: ScrubCursor): { readonly pack: number } | { readonly blobKey: string } {
  return "pack" in cursor ? cursor : { blobKey: toHex(cursor.blobKey) };
}

function save(set: OpenSet, state: ScrubState): ScrubState {
  set.context.index.write([{ key: stateKey, value: utf8(JSON.stringify({ ...state, cursor: plainCursor(state.cursor) })) }]);
  return state;
}

/** Undefined for what this version did not write: the pass begins anew. */
function decodeState(bytes: Uint8Array): ScrubState | undefined {
  try {
    const { startedMs, finishedMs, cursor, readBytes, faults, repaired, unrepairable } = JSON.parse(fromUtf8(bytes)) as Record<
      string,
      unknown
    >;
    const numbers = [startedMs, readBytes, faults, repaired, unrepairable];
    if (!numbers.every((value) => typeof value === "number") || typeof cursor !== "object" || cursor === null) return undefined;
    const from = cursor as { pack?: unknown; blobKey?: unknown };
    const known =
      typeof from.pack === "number"
        ? { pack: from.pack }
        : typeof from.blobKey === "string"
          ? { blobKey: fromHex(from.blobKey) }
          : undefined;
    if (known === undefined) return undefined;
    const counts = { readBytes, faults, repaired, unrepairable } as ScrubCounts;
    return {
      ...counts,
      startedMs: startedMs as number,
      finishedMs: typeof finishedMs === "number" ? finishedMs : undefined,
      cursor: known,
    };
  } catch {
    return undefined;
  }
}
