/**
 * One batch on its way to the drives: laid out at the end of the log, coded, sent to every drive that can take it, counted.
 */
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { FooterEntry } from "../format/footer.ts";
import { noSlot } from "../format/frame.ts";
import { slotOfDrive } from "../format/layout.ts";
import type { Batch } from "./batch.ts";
import { chooseLayout } from "./choose-layout.ts";
import { type EncodedBatch, encodeBatch, frameBuffers, placeAndEncodeRecords, shardBytesOf } from "./encode-batch.ts";
import { type LogTail, needsNewPack } from "./log-tail.ts";
import type { Member } from "./member.ts";
import { AckTally, shardThreshold, witnessThreshold } from "./quorum.ts";
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
  /** True when the quorum has it on stable storage, false when it cannot get there. */
  readonly outcome: Promise<boolean>;
  acked: boolean | undefined;
  /** Why it failed, as the caller is told. */
  failure: HoldfastError | undefined;
  /** The pack this flight has left behind full. */
  readonly sealed: FullPack | undefined;
}

/**
 * Starts the next batch of the log. Changing packs waits until nothing else is in flight, so that a frame in a pack says that every
 * frame of the packs before is committed.
 */
export function startFlight(context: SetContext, tail: LogTail, batch: Batch, options: { alone: boolean }): Flight | "new pack needed, wait" {
  const idle = { batch, encoded: undefined, sentTo: [], sealed: undefined };
  if (batch.changes.length === 0) return { ...idle, outcome: Promise.resolve(true), acked: undefined, failure: undefined };
  let layout: ReturnType<typeof chooseLayout>;
  try {
    layout = chooseLayout(context, batch.profile, batch.sequence);
  } catch (error) {
    return { ...idle, outcome: Promise.resolve(false), acked: undefined, failure: error as HoldfastError };
  }
  const frameBytesBound = batch.recordsBytesBound + shardBytesOf(batch.payloadBytes, layout.data);
  let sealed: FullPack | undefined;
  if (needsNewPack(tail, { frameBytes: frameBytesBound, recordsBytes: batch.recordsBytesBound }, context.settings)) {
    if (!options.alone) return "new pack needed, wait";
    sealed = { pack: tail.pack, position: tail.position, entries: tail.footer };
    Object.assign(tail, { pack: tail.pack + 1, position: 0, footer: [], footerBytes: 0 });
  }
  const place = { setId: context.id, pack: tail.pack, position: tail.position, epoch: tail.epoch, survive: context.settings.survive };
  const encoded = encodeBatch(batch, placeAndEncodeRecords(batch, layout, place), layout, place);
  tail.position += encoded.frameBytes;
  const sentTo = context.members.filter((member) => member.writable);
  const tally = new AckTally({
    shards: layout.data + layout.parity,
    shardThreshold: shardThreshold(layout, context.settings.survive),
    witnesses: sentTo.length,
    witnessThreshold: witnessThreshold(context.members.length, context.profile),
  });
  const flight: Flight = { batch, encoded, sentTo, outcome: tally.outcome, acked: undefined, failure: undefined, sealed };
  for (const member of context.members) {
    if (sentTo.includes(member)) void sendFrame(context, flight, encoded, member, tally);
    else member.missedFrames++;
  }
  return flight;
}

async function sendFrame(context: SetContext, flight: Flight, encoded: EncodedBatch, member: Member, tally: AckTally): Promise<void> {
  const { header } = encoded;
  const hasShard = slotOfDrive(header.layout, member.ordinal) !== noSlot;
  let counted = false;
  const count = (durable: boolean): void => {
    if (!counted) tally.note({ durable, hasShard });
    counted = true;
  };
  const buffers = frameBuffers(encoded, member.ordinal);
  try {
    await member.enqueue(async () => {
      if (member.state !== "online") throw member.missingError();
      await member.withPack(header.pack, { create: true }, async (file) => {
        if (context.settings.durability === "full") return file.writeDurable(header.position, buffers);
        await file.write(header.position, buffers);
        count(true);
        return file.sync();
      });
    });
    count(true);
  } catch (error) {
    member.noteWriteFailure(error);
    member.missedFrames++;
    flight.failure ??= failureFor(error);
    count(false);
  }
}

/** What a caller is told when a drive's failure has cost the batch its quorum. */
function failureFor(error: unknown): HoldfastError {
  const details = { indeterminate: false };
  if (isHoldfastError(error, "DRIVE_FULL")) {
    return new HoldfastError("DRIVE_FULL", `${error.message}; nothing was written`, { cause: error, details: { ...error.details, ...details } });
  }
  return new HoldfastError("WRITE_QUORUM_LOST", "too few drives took the write, and nothing of it was kept; bring drives back", { cause: error, details });
}
