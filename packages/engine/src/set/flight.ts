/**
 * One batch on its way to the drives: laid out at the end of the log, coded, sent to every drive that can take it, counted.
 */
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { DriveFile } from "../drive/drive.ts";
import type { FooterEntry } from "../format/footer.ts";
import { noSlot } from "../format/frame.ts";
import { slotOfDrive } from "../format/layout.ts";
import type { Batch } from "./batch.ts";
import { chooseLayout } from "./choose-layout.ts";
import { type EncodedBatch, encodeBatch, frameBuffers, placeAndEncodeRecords, shardBytesOf } from "./encode-batch.ts";
import { type LogTail, needsNewPack, startNextPack } from "./log-tail.ts";
import type { Member } from "./member.ts";
import { AckTally, countedDrives, shardThreshold, witnessThreshold } from "./quorum.ts";
import type { SetContext } from "./set-context.ts";

/** A pack that takes no more frames. */
export interface FullPack {
  readonly pack: number;
  /** Where its frames end. */
  readonly position: number;
  readonly entries: readonly FooterEntry[];
}

export interface Flight {
  readonly batch: Batch;
  /** Undefined when the batch changed nothing or could not be laid out: then nothing was written. */
  readonly encoded: EncodedBatch | undefined;
  /** The members that were sent a frame. */
  readonly sentTo: readonly Member[];
  /** Those of them that have it or may still get it. */
  readonly holders: Set<Member>;
  /** Those that did not get it. */
  readonly missing: Set<Member>;
  /** True once it counts: whoever does not get it from then on lacks it. */
  committed: boolean;
  /** True when the quorum has it on stable storage, false when it cannot get there. */
  readonly outcome: Promise<boolean>;
  acked: boolean | undefined;
  /** Why it failed, as the caller is told. */
  failure: HoldfastError | undefined;
  /** The pack this flight has left behind full. */
  readonly sealed: FullPack | undefined;
}

/**
 * Starts the next batch of the log. Two rules make what recovery finds at the tail unambiguous: changing packs waits until nothing else is
 * in flight, so that a frame in a pack says that every frame of the packs before is committed; and a drive that misses a batch in flight
 * gets no later one beside it, so that a frame on a drive says that it has all uncommitted ones before.
 */
export function startFlight(context: SetContext, tail: LogTail, batch: Batch, before: readonly Flight[]): Flight | "new pack needed, wait" {
  const idle = {
    batch,
    encoded: undefined,
    sentTo: [],
    holders: new Set<Member>(),
    missing: new Set<Member>(),
    committed: false,
    sealed: undefined,
  };
  const takers = context.members.filter(
    (member) => (batch.payloadBytes === 0 ? member.takesRecords : member.writable) && hasAll(member, before),
  );
  if (batch.changes.length === 0) return { ...idle, outcome: Promise.resolve(true), acked: undefined, failure: undefined };
  let layout: ReturnType<typeof chooseLayout>;
  try {
    layout = chooseLayout(context, takers, { wanted: batch.profile, turn: batch.sequence });
  } catch (error) {
    return { ...idle, outcome: Promise.resolve(false), acked: undefined, failure: error as HoldfastError };
  }
  const frameBytesBound = batch.recordsBytesBound + shardBytesOf(batch.payloadBytes, layout.data);
  let sealed: FullPack | undefined;
  if (needsNewPack(tail, { frameBytes: frameBytesBound, recordsBytes: batch.recordsBytesBound }, context.settings)) {
    if (before.length > 0) return "new pack needed, wait";
    sealed = { pack: tail.pack, position: tail.position, entries: tail.footer };
    startNextPack(tail);
  }
  const { pack, position, epoch } = tail;
  const place = {
    setId: context.id,
    pack,
    position,
    epoch,
    survive: context.settings.survive,
    before: position === 0 ? tail.before : undefined,
  };
  const encoded = encodeBatch(batch, placeAndEncodeRecords(batch, layout, place), layout, place);
  tail.position += encoded.frameBytes;
  const tally = new AckTally({
    shards: layout.data + layout.parity,
    shardThreshold: shardThreshold(layout, context.settings.survive),
    witnesses: takers.filter((member) => member.votes).length,
    witnessThreshold: witnessThreshold(countedDrives(context.members), context.profile),
  });
  const flight: Flight = {
    batch,
    encoded,
    sentTo: takers,
    holders: new Set(takers),
    missing: new Set(),
    committed: false,
    outcome: tally.outcome,
    acked: undefined,
    failure: undefined,
    sealed,
  };
  for (const member of context.members) {
    if (takers.includes(member)) void sendFrame(context, { flight, encoded, before: [...before] }, member, tally);
    else noteMissed(flight, encoded, member);
  }
  return flight;
}

function noteMissed(flight: Flight, encoded: EncodedBatch, member: Member): void {
  member.missedFrames++;
  if (flight.committed) member.noteLacking(encoded.header.pack);
  else flight.missing.add(member);
}

/** Marks a flight as committed: those that did not get it lack it from now on. */
export function markCommitted(flight: Flight): void {
  flight.committed = true;
  if (flight.encoded === undefined) return;
  for (const member of flight.missing) member.noteLacking(flight.encoded.header.pack);
}

/** True when a member has, or may still get, every one of these flights. */
function hasAll(member: Member, flights: readonly Flight[]): boolean {
  return flights.every(({ encoded, holders }) => encoded === undefined || holders.has(member));
}

interface Sending {
  readonly flight: Flight;
  readonly encoded: EncodedBatch;
  /** The flights that were under way when this one started. */
  readonly before: readonly Flight[];
}

async function sendFrame(context: SetContext, { flight, encoded, before }: Sending, member: Member, tally: AckTally): Promise<void> {
  const { header } = encoded;
  const hasShard = slotOfDrive(header.layout, member.ordinal) !== noSlot;
  const { votes } = member;
  let counted = false;
  const count = (durable: boolean): void => {
    if (!counted) tally.note({ durable, hasShard, votes });
    counted = true;
  };
  const buffers = frameBuffers(encoded, member.ordinal);
  const write = async (file: DriveFile): Promise<void> => {
    if (context.settings.durability === "full") return file.writeDurable(header.position, buffers);
    await file.write(header.position, buffers);
    count(true);
    return file.sync();
  };
  try {
    await member.enqueue(async () => {
      if (!hasAll(member, before)) throw new HoldfastError("DRIVE_FAILED", `drive ${member.id} did not take the write before`);
      await member.withPack(header.pack, { create: true }, write).catch((error: unknown) => {
        member.noteWriteFailure(error);
        throw error;
      });
    });
    count(true);
  } catch (error) {
    noteMissed(flight, encoded, member);
    flight.holders.delete(member);
    flight.failure ??= failureFor(error);
    count(false);
  }
}

/** What a caller is told when a drive's failure has cost the batch its quorum. */
function failureFor(error: unknown): HoldfastError {
  const details = { indeterminate: false };
  if (isHoldfastError(error, "DRIVE_FULL")) {
    return new HoldfastError("DRIVE_FULL", `${error.message}; nothing was written`, {
      cause: error,
      details: { ...error.details, ...details },
    });
  }
  return new HoldfastError("WRITE_QUORUM_LOST", "too few drives took the write, and nothing of it was kept; bring drives back", {
    cause: error,
    details,
  });
}
