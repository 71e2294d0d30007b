/**
 * Opening the log of a set: finds where it ends and makes every drive agree.
 *
 *   1  states → the newest epoch, and whether it was closed cleanly (then the end is known)
 *   2  otherwise the last pack with a frame is read on all drives in step; the last `batchesInFlightMax` batches, and only they, may not
 *      have been acknowledged: each is kept or cut by `judgeTail`, or opening for writing is refused because absent drives may know more
 *   3  a new epoch, beginning behind the end, is made durable on enough drives: what is cut can never come back
 *   4  the tail is cut on every drive, and the batches kept are written again, whole, on every drive: what was only in the page cache of a
 *      failed machine, or missing on a laggard, is on stable storage now
 *
 * A crash anywhere in here leaves a log that the next opening recovers in the same way.
 */
import { HoldfastError } from "../base/errors.ts";
import { batchesInFlightMax } from "../base/limits.ts";
import type { FooterEntry } from "../format/footer.ts";
import { participants } from "../format/layout.ts";
import { packFileName } from "../format/pack-name.ts";
import type { DriveState } from "../format/state.ts";
import { readState, writeStates } from "./drive-state.ts";
import { footerEntryBytes, type LogTail } from "./log-tail.ts";
import { listPacks } from "./pack-entries.ts";
import { judgeTail, shardThreshold, witnessThreshold } from "./quorum.ts";
import { rewriteFrame } from "./rewrite-frame.ts";
import { PackScan, type ScanBounds, type ScannedFrame } from "./scan-pack.ts";
import type { SetContext } from "./set-context.ts";

export interface RecoveredLog {
  readonly tail: LogTail;
  /** Whether the last session closed the log. */
  readonly clean: boolean;
  /** Set when too few drives are there to open a new epoch: the set is read-only. */
  readonly readOnly: HoldfastError | undefined;
}

export async function recoverLog(context: SetContext): Promise<RecoveredLog> {
  const state = newestState(await readStates(context));
  const bounds: ScanBounds = { epoch: state.epoch, firstSequence: state.firstSequence, belowSequence: Number.POSITIVE_INFINITY };
  const packs = await listPacks(context);
  const end = state.clean ? await cleanEnd(context, state, bounds) : await uncleanEnd(context, packs, bounds);
  const tail: LogTail = {
    epoch: state.epoch,
    firstSequence: state.firstSequence,
    nextSequence: end.lastSequence + 1,
    committedSequence: end.lastSequence,
    pack: end.pack,
    position: end.position,
    footer: end.entries,
    footerBytes: end.entries.reduce((sum, entry) => sum + footerEntryBytes(entry.header.recordsBytes), 0),
  };
  const readOnly = await openEpoch(context, tail);
  if (readOnly === undefined && !state.clean) {
    await cutTail(context, tail, packs);
    for (const frame of end.doubtful) await rewriteFrame(context, frame);
  }
  return { tail, clean: state.clean, readOnly };
}

/** States of the members that have one; members note what they say. */
async function readStates(context: SetContext): Promise<DriveState[]> {
  const states: DriveState[] = [];
  for (const member of context.members) {
    const state = await readState(member);
    if (state !== undefined && state.setId === context.id) states.push(state);
  }
  return states;
}

function newestState(states: readonly DriveState[]): DriveState {
  let newest: DriveState | undefined;
  for (const state of states) {
    const newer = newest === undefined || state.epoch > newest.epoch || (state.epoch === newest.epoch && state.clean && !newest.clean);
    if (newer) newest = state;
  }
  if (newest !== undefined) return newest;
  throw new HoldfastError("LOG_DAMAGED", "no drive of the set has a state file that can be read; bring missing drives back");
}

interface LogEnd {
  readonly lastSequence: number;
  readonly pack: number;
  readonly position: number;
  readonly entries: FooterEntry[];
  /** Kept frames at the tail that may be missing or unsynced somewhere. */
  readonly doubtful: readonly ScannedFrame[];
}

async function cleanEnd(context: SetContext, state: DriveState, bounds: ScanBounds): Promise<LogEnd> {
  const { lastSequence, activePack: pack, activePosition: position } = state;
  const entries: FooterEntry[] = [];
  const scan = await PackScan.open(context, pack, bounds);
  while (scan.position < position) {
    const frame = await scan.next();
    if (frame === undefined) throw damagedLog(pack, scan.position);
    entries.push({ header: frame.header, records: frame.records });
  }
  return { lastSequence, pack, position, entries, doubtful: [] };
}

async function uncleanEnd(context: SetContext, packs: readonly number[], bounds: ScanBounds): Promise<LogEnd> {
  for (const pack of [...packs].reverse()) {
    const scan = await PackScan.open(context, pack, bounds);
    const frames: ScannedFrame[] = [];
    const recent: ScannedFrame[] = [];
    const entries: FooterEntry[] = [];
    for (let frame = await scan.next(); frame !== undefined; frame = await scan.next()) {
      recent.push(frame);
      entries.push({ header: frame.header, records: frame.records });
      if (recent.length > batchesInFlightMax) recent.shift();
    }
    if (entries.length === 0) continue;
    if (await scan.hasLaterFrame()) throw damagedLog(pack, scan.position);
    frames.push(...(await judgeFrames(context, scan, recent)));
    const cut = recent.length - frames.length;
    const position = cut === 0 ? scan.position : ((recent[frames.length] as ScannedFrame).header.position);
    entries.length -= cut;
    const lastSequence = entries.at(-1)?.header.sequence ?? (await lastSequenceBefore(context, packs, pack, bounds));
    return { lastSequence, pack, position, entries, doubtful: frames };
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
        evidence.absentDrives++;
        if (slots.has(member.ordinal)) evidence.absentShards++;
        continue;
      }
      const whole = await scan.isWhole(frame, member);
      if (whole.records) evidence.validRecords++;
      if (whole.shard && slots.has(member.ordinal)) evidence.validShards++;
    }
    const verdict = judgeTail(evidence, {
      shards: header.shardBytes === 0 ? 1 : header.layout.data,
      shardThreshold: shardThreshold(header.layout, header.survive),
      witnessThreshold: witnessThreshold(context.members.length, context.profile),
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
    const scan = await PackScan.open(context, earlier, bounds);
    let last: number | undefined;
    for (let frame = await scan.next(); frame !== undefined; frame = await scan.next()) last = frame.header.sequence;
    if (last !== undefined) return last;
  }
  return 0;
}

/** Makes a new epoch durable that begins behind the end. With too few drives for that, the set can only be read. */
async function openEpoch(context: SetContext, tail: LogTail): Promise<HoldfastError | undefined> {
  const needed = witnessThreshold(context.members.length, context.profile);
  const present = context.members.filter((member) => member.state === "online").length;
  const readOnly = (count: number): HoldfastError =>
    new HoldfastError("WRITE_QUORUM_LOST", `only ${count} of the ${context.members.length} drives of the set can be written, ${needed} are needed; bring drives back and open the store again`, {
      details: { available: count, needed, indeterminate: false },
    });
  if (present < needed) return readOnly(present);
  tail.epoch++;
  tail.firstSequence = tail.nextSequence;
  const told = await writeStates(context, { epoch: tail.epoch, firstSequence: tail.firstSequence, clean: undefined });
  return told < needed ? readOnly(told) : undefined;
}

/** Cuts everything behind the end of the log on every drive that is there. */
async function cutTail(context: SetContext, tail: LogTail, packs: readonly number[]): Promise<void> {
  await Promise.all(
    context.members.map(async (member) => {
      if (member.drive === undefined || member.state !== "online") return;
      try {
        for (const pack of packs.filter((candidate) => candidate > tail.pack)) {
          member.forgetPack(pack);
          await member.drive.remove(packFileName(pack));
        }
        const file = await member.packFile(tail.pack, { create: true });
        if ((await file.size()) > tail.position) await file.truncate(tail.position);
      } catch (error) {
        member.noteWriteFailure(error);
      }
    }),
  );
}

function damagedLog(pack: number, position: number): HoldfastError {
  return new HoldfastError("LOG_DAMAGED", `the log is damaged in pack ${pack} at byte ${position} on every drive that is there; bring missing drives back`, {
    details: { pack, position },
  });
}

function undecided(context: SetContext, sequence: number): HoldfastError {
  const absent = context.members.filter((member) => !member.readable).map((member) => member.id);
  return new HoldfastError("TAIL_UNDECIDED", `batch ${sequence} may have been acknowledged, but only the missing drives can tell; bring back ${absent.join(", ")}`, {
    details: { sequence, absentDrives: absent },
  });
}

