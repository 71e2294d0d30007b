/**
 * Opening the log of a set: finds where it ends and makes every drive agree.
 *
 *   1  states → the newest epoch, and whether it was closed cleanly (then the end is known)
 *   2  otherwise the last pack with a frame is read on all drives in step; the last `batchesInFlightMax` batches, and of these only those
 *      of the newest epoch, may not have been acknowledged: each is kept or cut by `judgeTail`, or opening is refused because absent drives
 *      may know more. Batches of older epochs were decided on when the newest epoch began.
 *   3  a higher epoch is promised on enough drives
 *   4  the batches kept are written again, whole, on every drive: what was only in the page cache of a failed machine, or missing on a
 *      laggard, is on stable storage now
 *   5  the new epoch, beginning behind the end, is made durable on enough drives: what is cut can never come back, what is kept stays
 *   6  the tail is cut on every drive, and the log goes on in a new pack: a footer or frame that an absent drive has behind the end of the
 *      old one can never be taken for part of it
 *
 * A crash anywhere in here leaves a log that the next opening recovers in the same way.
 */
import { HoldfastError } from "../base/errors.ts";
import { batchesInFlightMax } from "../base/limits.ts";
import type { FooterEntry } from "../format/footer.ts";
import { participants } from "../format/layout.ts";
import { packFileName } from "../format/pack-name.ts";
import type { DriveState } from "../format/state.ts";
import type { PackEnd } from "./batch-records.ts";
import { cutPack } from "./cut-pack.ts";
import { promiseEpoch, readStates, writeStates } from "./drive-state.ts";
import { footerEntryBytes, type LogTail, startNextPack } from "./log-tail.ts";
import { damagedPack, lostPacks } from "./lost-packs.ts";
import type { Member } from "./member.ts";
import { type KnownPack, listPacks, readFooter, scanEntries, sealedAs } from "./pack-entries.ts";
import { countedDrives, judgeTail, shardThreshold, witnessThreshold } from "./quorum.ts";
import { rewriteFrame } from "./rewrite-frame.ts";
import { PackScan, type ScanBounds, type ScannedFrame } from "./scan-pack.ts";
import type { SetContext } from "./set-context.ts";

export interface RecoveredLog {
  readonly tail: LogTail;
  /** What counts of the packs as they were found. */
  readonly bounds: ScanBounds;
  /** The last pack with frames, as it was found. */
  readonly lastPack: KnownPack;
  /** Whether the last session closed the log. */
  readonly clean: boolean;
  /** The drives on which a crash or an absence may have left blobs that no record names. */
  readonly unclean: readonly Member[];
  /** Set when too few drives are there to open a new epoch: the set is read-only. */
  readonly readOnly: HoldfastError | undefined;
}

/** @throws TAIL_UNDECIDED, LOG_DAMAGED, DRIVES_MISSING */
export async function recoverLog(context: SetContext): Promise<RecoveredLog> {
  await context.retired.load(context);
  const { newest: state, epochMax, unclean } = await readStates(context);
  const bounds: ScanBounds = { epoch: state.epoch, firstSequence: state.firstSequence, belowSequence: Number.POSITIVE_INFINITY };
  const packs = await listPacks(context);
  const end = state.clean ? await cleanEnd(context, state, bounds) : await uncleanEnd(context, packs, bounds);
  // What packs that were given up held lies before the end, and so does the beginning of the newest epoch.
  const lastSequence = Math.max(end.lastSequence, state.firstSequence - 1, context.retired.throughSequence);
  if (end.lastSequence < lastSequence && !context.settings.acceptLoss) throw lostPacks(context, [end.pack]);
  const tail: LogTail = {
    epoch: state.epoch,
    firstSequence: state.firstSequence,
    nextSequence: lastSequence + 1,
    committedSequence: lastSequence,
    pack: end.pack,
    position: end.position,
    before: end.position === 0 ? await sealedEnd(context, end.pack - 1) : undefined,
    footer: [...end.entries],
    footerBytes: end.entries.reduce((sum, entry) => sum + footerEntryBytes(entry.header.recordsBytes), 0),
  };
  const readOnly = await openEpoch(context, tail, { epoch: epochMax + 1, doubtful: end.doubtful });
  if (readOnly === undefined && !state.clean) {
    await cutTail(context, end, packs);
    if (end.position > 0) startNextPack(tail);
  }
  return { tail, bounds, lastPack: end, clean: state.clean, unclean, readOnly };
}

/** Where a sealed pack ends. */
async function sealedEnd(context: SetContext, pack: number): Promise<PackEnd | undefined> {
  const position = (await sealedAs(context, pack))?.footerPosition;
  return position === undefined ? undefined : { pack, position };
}

interface LogEnd extends KnownPack {
  readonly lastSequence: number;
  /** Kept frames at the tail that may be missing or unsynced somewhere. */
  readonly doubtful: readonly ScannedFrame[];
}

async function cleanEnd(context: SetContext, state: DriveState, bounds: ScanBounds): Promise<LogEnd> {
  const { lastSequence, activePack: pack, activePosition: position } = state;
  const entries: FooterEntry[] = [];
  const scan = await PackScan.open(context, pack, bounds);
  while (scan.position < position) {
    const frame = await scan.next();
    if (frame !== undefined) entries.push({ header: frame.header, records: frame.records });
    else if (!context.settings.acceptLoss) throw damagedPack(pack, scan.position);
    else if (!(await scan.skipDamage())) break;
  }
  return { lastSequence, pack, position, entries, doubtful: [] };
}

async function uncleanEnd(context: SetContext, packs: readonly number[], bounds: ScanBounds): Promise<LogEnd> {
  for (const pack of [...packs].reverse()) {
    const scan = await PackScan.open(context, pack, bounds);
    const recent: ScannedFrame[] = [];
    const entries: FooterEntry[] = [];
    do {
      for (let frame = await scan.next(); frame !== undefined; frame = await scan.next()) {
        recent.push(frame);
        entries.push({ header: frame.header, records: frame.records });
        if (recent.length > batchesInFlightMax) recent.shift();
      }
    } while (context.settings.acceptLoss && (await scan.skipDamage()));
    if (!context.settings.acceptLoss && (await scan.hasLaterFrame())) throw damagedPack(pack, scan.position);
    if (entries.length === 0) continue;
    const undecided = recent.filter((frame) => frame.header.epoch >= bounds.epoch);
    const kept = await judgeFrames(context, scan, undecided);
    entries.length -= undecided.length - kept.length;
    const position = undecided[kept.length]?.header.position ?? scan.position;
    const lastSequence = entries.at(-1)?.header.sequence ?? (await lastSequenceBefore(context, packs, pack, bounds));
    return { lastSequence, pack, position, entries, doubtful: kept };
  }
  return { lastSequence: 0, pack: packs[0] ?? 1, position: 0, entries: [], doubtful: [] };
}

/** The frames at the tail that are kept: all before the first one that is cut. @throws TAIL_UNDECIDED */
async function judgeFrames(context: SetContext, scan: PackScan, recent: readonly ScannedFrame[]): Promise<ScannedFrame[]> {
  const kept: ScannedFrame[] = [];
  for (const frame of recent) {
    const { header } = frame;
    const evidence = { validShards: 0, absentShards: 0, validRecords: 0, absentDrives: 0 };
    const slots = new Set(participants(header.layout));
    for (const member of context.members) {
      if (!member.readable) {
        // One that has left may have had a shard once, but counts as no witness.
        if (!member.hasLeft) evidence.absentDrives++;
        if (slots.has(member.ordinal)) evidence.absentShards++;
        continue;
      }
      const whole = await scan.isWhole(frame, member);
      if (whole.records && member.votes) evidence.validRecords++;
      if (whole.shard && slots.has(member.ordinal)) evidence.validShards++;
    }
    const verdict = judgeTail(evidence, {
      shards: header.shardBytes === 0 ? 1 : header.layout.data,
      shardThreshold: shardThreshold(header.layout, header.survive),
      witnessThreshold: witnessThreshold(countedDrives(context.members), context.profile),
    });
    if (verdict === "undecided") throw undecided(context, header.sequence);
    if (verdict === "cut") break;
    kept.push(frame);
  }
  return kept;
}

/** The last sequence of the packs before one whose only frames were cut. */
async function lastSequenceBefore(context: SetContext, packs: readonly number[], pack: number, bounds: ScanBounds): Promise<number> {
  for (const earlier of packs.filter((candidate) => candidate < pack).reverse()) {
    const entries = (await readFooter(context, earlier))?.entries ?? (await scanEntries(context, earlier, bounds)).entries;
    const last = entries.at(-1);
    if (last !== undefined) return last.header.sequence;
  }
  return 0;
}

/** Makes a new epoch durable that begins behind the end. With too few drives for that, the set can only be read. */
async function openEpoch(
  context: SetContext,
  tail: LogTail,
  next: { epoch: number; doubtful: readonly ScannedFrame[] },
): Promise<HoldfastError | undefined> {
  const needed = witnessThreshold(countedDrives(context.members), context.profile);
  const { epoch } = next;
  const firstSequence = tail.nextSequence;
  let told = context.members.filter((member) => member.votes && member.takesRepairs).length;
  if (told >= needed) told = await promiseEpoch(context, epoch);
  if (told >= needed) {
    for (const frame of next.doubtful) await rewriteFrame(context, frame);
    told = await writeStates(context, { epoch, firstSequence, clean: undefined });
  }
  if (told >= needed) {
    Object.assign(tail, { epoch, firstSequence });
    return undefined;
  }
  return new HoldfastError(
    "WRITE_QUORUM_LOST",
    `only ${told} of the ${countedDrives(context.members)} drives of the set can be written, ${needed} are needed; bring drives back and open the store again`,
    {
      details: { available: told, needed, indeterminate: false },
    },
  );
}

/** Cuts everything behind the end of the log on every drive that is there. */
async function cutTail(context: SetContext, end: LogEnd, packs: readonly number[]): Promise<void> {
  await Promise.all(
    context.members.map(async (member) => {
      if (member.drive === undefined || !member.takesRepairs) return;
      try {
        for (const pack of packs.filter((candidate) => candidate > end.pack)) {
          member.forgetPack(pack);
          await member.drive.remove(packFileName(pack));
        }
        await cutPack(member, end.pack, end.position);
      } catch (error) {
        member.noteWriteFailure(error);
      }
    }),
  );
}

function undecided(context: SetContext, sequence: number): HoldfastError {
  const absent = context.members.filter((member) => !member.readable).map((member) => member.id);
  return new HoldfastError(
    "TAIL_UNDECIDED",
    `batch ${sequence} may have been acknowledged, but only the missing drives can tell; bring back ${absent.join(", ")}`,
    {
      details: { sequence, absentDrives: absent },
    },
  );
}
