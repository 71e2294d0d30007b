/**
 * Reads everything a set has on its drives, compares it with its checksums and all shards of a stripe with each other, and repairs what the
 * other drives can make good: packs first, from the oldest on, then blobs in the order of their names. Whoever goes on at the cursor of the
 * last step, and from the start after the end, always looks at what has not been looked at for longest.
 *
 * The pack being filled is ended first, because only what takes no more frames can be looked through; without repairs, which change nothing, it is
 * read up to the last committed batch. What is written meanwhile is left to the next pass.
 */
import { isHoldfastError, throwIfAborted } from "../base/errors.ts";
import type { RepairStep } from "./finding.ts";
import { keyAfter, liveBlobs } from "./heal-list.ts";
import { liveBlobKey, liveBlobRange } from "./index-entry.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-set.ts";
import type { Pacer } from "./pace.ts";
import { type KnownPack, listPacks, scanEntries } from "./pack-entries.ts";
import { repairBlob } from "./repair-blob.ts";
import { repairPack } from "./repair-pack.ts";
import type { ScanBounds } from "./scan-pack.ts";

/** The next thing to be looked at: the first pack from this number on, or the first blob from this key of the index on. */
export type ScrubCursor = { readonly pack: number } | { readonly blobKey: Uint8Array };

export interface ScrubOptions {
  readonly pacer: Pacer;
  readonly signal?: AbortSignal | undefined;
  /** False only looks. Default true; a set that takes no writes is only looked at. */
  readonly repair?: boolean | undefined;
  readonly from?: ScrubCursor | undefined;
}

export interface ScrubStep extends RepairStep {
  /** Where to go on: what is before it is done. */
  readonly cursor: ScrubCursor;
}

/** @throws ABORTED, STORE_CLOSED */
export async function* scrubSet(set: OpenSet, options: ScrubOptions): AsyncGenerator<ScrubStep, void> {
  const { from = { pack: 0 } } = options;
  if ("pack" in from) yield* scrubPacks(set, options, from.pack);
  yield* scrubBlobs(set, options, "pack" in from ? liveBlobRange.start : from.blobKey);
}

async function* scrubPacks(set: OpenSet, options: ScrubOptions, from: number): AsyncGenerator<ScrubStep, void> {
  const full = await fullPacks(set, from);
  for (const pack of full) yield* scrubPack(set, options, pack);
  const rest = Math.max(from, (full.at(-1) ?? -1) + 1);
  if (mayWrite(set, options)) {
    await set.rotatePack();
    for (const pack of await fullPacks(set, rest)) yield* scrubPack(set, options, pack);
    return;
  }
  if (set.activePack < from) return;
  const frames = await committedFrames(set, set.activePack);
  if (frames === undefined) yield { ...damagedPack(set.activePack), cursor: { pack: set.activePack + 1 } };
  else yield* scrubPack(set, options, frames.pack, frames);
}

async function fullPacks(set: OpenSet, from: number): Promise<number[]> {
  const packs = await listPacks(set.context);
  return packs.filter((pack) => pack >= from && pack < set.activePack);
}

async function* scrubPack(set: OpenSet, options: ScrubOptions, pack: number, unfinished?: KnownPack): AsyncGenerator<ScrubStep, void> {
  const { pacer, signal } = options;
  throwIfAborted(signal);
  const write = mayWrite(set, options);
  const repair = repairPack(set, pack, { targets: targetsOf(set), write, crossCheck: true, unfinished, pacer, signal });
  for await (const step of repair) yield { ...step, cursor: { pack } };
  yield { ...nothing, cursor: { pack: pack + 1 } };
}

async function* scrubBlobs(set: OpenSet, options: ScrubOptions, from: Uint8Array): AsyncGenerator<ScrubStep, void> {
  const { pacer, signal } = options;
  for await (const location of liveBlobs(set, { pacer, signal }, from)) {
    throwIfAborted(signal);
    const blobKey = liveBlobKey(location);
    const repair = repairBlob(set, location, { targets: targetsOf(set), write: mayWrite(set, options), crossCheck: true, pacer, signal });
    for await (const step of repair) yield { ...step, cursor: { blobKey } };
    yield { ...nothing, cursor: { blobKey: keyAfter(blobKey) } };
  }
}

const nothing: RepairStep = { readBytes: 0, writtenBytes: 0, findings: [] };

function damagedPack(pack: number): RepairStep {
  return { ...nothing, findings: [{ place: `pack ${pack}`, drive: "set", problem: "damaged", repairable: false, repaired: false }] };
}

function mayWrite(set: OpenSet, options: ScrubOptions): boolean {
  return options.repair !== false && set.status().writable;
}

function targetsOf(set: OpenSet): Member[] {
  return set.context.members.filter((member) => member.takesRepairs);
}

/** The frames of the pack being filled that are committed now; undefined when no drive that is there has one of them. */
export async function committedFrames(set: OpenSet, pack: number): Promise<KnownPack | undefined> {
  const { context } = set;
  const { sequence } = set.status();
  // Committed frames may still be on their way to slower drives.
  await Promise.all(context.members.map((member) => member.drain()));
  const bounds: ScanBounds = { epoch: 0, firstSequence: 0, belowSequence: sequence + 1 };
  try {
    return { pack, ...(await scanEntries(context, pack, bounds)) };
  } catch (error) {
    if (isHoldfastError(error, "LOG_DAMAGED")) return undefined;
    throw error;
  }
}
