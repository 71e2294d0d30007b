/**
 * From drives with labels to open sets.
 */
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { isHoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import type { Compute } from "../compute/compute.ts";
import type { Drive } from "../drive/drive.ts";
import type { DriveLabel, LabelSet } from "../format/label.ts";
import { openIndexDirectory } from "../index/index-checkpoint.ts";
import { createMemoryIndex } from "../index/memory-index.ts";
import type { OrderedIndex } from "../index/ordered-index.ts";
import { Member } from "../set/member.ts";
import { openErasureSet } from "../set/open-erasure-set.ts";
import type { OpenSet } from "../set/open-set.ts";
import { RetiredPacks } from "../set/retired-packs.ts";
import type { SetHooks, SetSettings } from "../set/set-context.ts";
import { invalid } from "./check-fields.ts";
import type { ResolvedSettings } from "./settings.ts";
import { hasLeft } from "./topology.ts";

/** A member drive as the opening found it. */
export interface MemberDrive {
  readonly drive: Drive;
  /** Why it takes no writes. */
  readonly writeProblem: Error | undefined;
}

export interface OpenSetsOptions {
  readonly settings: ResolvedSettings;
  readonly clock: Clock;
  readonly compute: Compute;
  readonly bootId: string | undefined;
  /** Reasons for drives that are not there, for messages. */
  readonly missingReasons: readonly string[];
  readonly onProgress?: ((progress: { setId: string; packsDone: number; packs: number }) => void) | undefined;
}

/** Opens every set of the store; closes those already open when one fails. */
export async function openSets(label: DriveLabel, drives: ReadonlyMap<DriveId, MemberDrive>, options: OpenSetsOptions): Promise<OpenSet[]> {
  const open: OpenSet[] = [];
  try {
    for (const set of label.sets) open.push(await openSet(set, drives, options));
    return open;
  } catch (error) {
    for (const set of open) await set.close().catch(() => undefined);
    throw error;
  }
}

/** Opens one set. */
export async function openSet(set: LabelSet, drives: ReadonlyMap<DriveId, MemberDrive>, options: OpenSetsOptions): Promise<OpenSet> {
  const members = set.drives.map((id, ordinal) => {
    const found = drives.get(id);
    const member = new Member({
      ordinal,
      id,
      drive: found?.drive,
      reason: found === undefined ? (hasLeft(set, ordinal) ? "it has left the store" : missingReason(options.missingReasons)) : undefined,
    });
    member.draining = set.drainingDrives?.includes(ordinal) === true;
    member.hasLeft = hasLeft(set, ordinal);
    if (found?.writeProblem !== undefined) member.noteWriteFailure(found.writeProblem);
    return member;
  });
  const settings = await setSettings(set, members, options.settings);
  const index = await openIndex(set, members, options);
  const { clock, compute, onProgress } = options;
  const hooks: SetHooks = { onCommitted: new Set() };
  const profile = { data: set.data, parity: set.parity };
  const context = { id: set.setId, profile, members, index, clock, settings, retired: new RetiredPacks(), hooks };
  try {
    return await openErasureSet(context, { compute, onReplay: (progress) => onProgress?.({ setId: set.setId, ...progress }) });
  } catch (error) {
    // What was interrupted has left the index behind the log or even with it: the next opening goes on from there.
    await index.close().catch(() => undefined);
    await Promise.all(members.map((member) => member.close()));
    throw error;
  }
}

/** Which of the missing drives is which nobody knows: the label that would tell is missing with it. */
function missingReason(reasons: readonly string[]): string {
  return reasons.length === 0 ? "it is not among the drives named" : reasons.join("; ");
}

/**
 * The index of a set lies on the first of its drives that takes it, or in the directory of the settings. It is derived from the packs:
 * where the drive with the newest one is away, another one is brought up to date, or made.
 */
async function openIndex(set: LabelSet, members: readonly Member[], options: OpenSetsOptions): Promise<OrderedIndex> {
  const { settings, bootId } = options;
  const facts = { setId: set.setId, bootId };
  if (settings.indexDirectory !== undefined) return openNamedIndex(settings.indexDirectory, facts);
  let failure: unknown;
  for (const { state, drive } of members) {
    if (state !== "online" || drive?.localPath === undefined) continue;
    try {
      return await openIndexDirectory(join(drive.localPath, "index"), facts);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return createMemoryIndex();
}

async function openNamedIndex(directory: string, facts: { setId: string; bootId: string | undefined }): Promise<OrderedIndex> {
  try {
    return await openIndexDirectory(join(directory, facts.setId), facts);
  } catch (error) {
    if (!isHoldfastError(error, "DRIVE_UNREADABLE", "DRIVE_UNWRITABLE", "DRIVE_IO_ERROR")) throw error;
    throw invalid("indexDirectory", directory, `name a directory that can be written to (${error.message})`);
  }
}

const reserveBytesMax = 256 * 1024 * 1024;

async function setSettings(set: LabelSet, members: readonly Member[], settings: ResolvedSettings): Promise<SetSettings> {
  const survive = settings.survive ?? Math.min(1, set.parity);
  const { durability, batchOperationsMax, batchBytesMax, stripeBytes, packBytesMax, packRecordsBytesMax, acceptLoss } = settings;
  const reserveBytes = settings.reserveBytes ?? (await defaultReserveBytes(members));
  return {
    survive,
    durability,
    batchOperationsMax,
    batchBytesMax,
    stripeBytes,
    packBytesMax,
    packRecordsBytesMax,
    reserveBytes,
    acceptLoss,
  };
}

async function defaultReserveBytes(members: readonly Member[]): Promise<number> {
  let smallest = Number.POSITIVE_INFINITY;
  for (const member of members) {
    const space = await member.drive?.space().catch(() => undefined);
    if (space !== undefined) smallest = Math.min(smallest, space.totalBytes);
  }
  return Math.min(reserveBytesMax, Math.floor(smallest * 0.05));
}
