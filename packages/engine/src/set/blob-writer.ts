/**
 * Writing a blob: the source is cut into stripes, each coded in one buffer (k data pieces, then m parity pieces) and appended to the shard
 * files of its drives while the next one fills. At the end every shard file is finished: durable under its name.
 *
 * A drive that fails on the way is left out as long as the rest still makes the threshold of `quorum.ts`; one that is slow is not waited
 * for beyond a grace: it may lag a few stripes, then it is left out as well. What they are left without is made again later. On any other
 * error, or an abort, every file is removed. A drive that never answers holds up neither the one nor the other as long as enough others do.
 *
 * Memory: two stripes, and as many more as drives lag, all within the budget of `compute`; when that is short the laggards are left out.
 */
import { isHoldfastError } from "../base/errors.ts";
import { createDigest, type DigestName, resumeDigest } from "../codec/digest.ts";
import type { DigestState } from "../codec/stripe-job.ts";
import { checksumBytes } from "../codec/xxh3.ts";
import type { Compute } from "../compute/compute.ts";
import type { StripeBuffer } from "../compute/stripe-buffers.ts";
import type { Drive } from "../drive/drive.ts";
import { encodeBlobLocation } from "../format/blob-location.ts";
import type { BlobId } from "../format/blob-name.ts";
import type { StripeLayout } from "../format/layout.ts";
import { shardFileHeaderBytes, writePieceHeaderWith, writeShardFileHeader } from "../format/shard-file.ts";
import { pieceBytesOf, pieceHeaderBytesOf, piecePartsOf } from "../format/shard-geometry.ts";
import type { DriveHealth } from "./drive-health.ts";
import type { BlobLocation, BlobOptions, WrittenBlob } from "./erasure-set.ts";
import type { Member } from "./member.ts";
import { late } from "./patience.ts";
import type { SetContext } from "./set-context.ts";
import { ShardCrew } from "./shard-crew.ts";
import { StopSignal } from "./stop-signal.ts";

/** When memory is short, drives that lag are left out after so long. */
const memoryGraceMs = 100;

export interface BlobPlan {
  readonly blob: BlobId;
  readonly layout: StripeLayout;
  readonly timeMs: number;
}

export interface BlobInput {
  readonly source: AsyncIterable<Uint8Array>;
  readonly options: BlobOptions;
  readonly health: DriveHealth;
  /** Told of bytes written to each drive; may throw to end the blob. */
  readonly onBytes: (bytesPerDrive: number) => void;
  /** Told of drives that are left without their shard. */
  readonly onMissed: (member: Member) => void;
  /** Told of a drive that has finished its shard after all: after it was told to be left without. */
  readonly onFinishedLate: (member: Member, drive: Drive) => Promise<void>;
  /** Fires with the error to end with when the set is being closed. */
  readonly closing: AbortSignal;
}

/** Streams the source into the shard files of a new blob. */
export async function writeBlobShards(context: SetContext, compute: Compute, plan: BlobPlan, input: BlobInput): Promise<WrittenBlob> {
  const writer = new BlobWriter(context, compute, plan, input);
  try {
    return await writer.write(input.source);
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

class BlobWriter {
  readonly #context: SetContext;
  readonly #compute: Compute;
  readonly #plan: BlobPlan;
  readonly #health: DriveHealth;
  readonly #stop: StopSignal;
  readonly #onBytes: (bytesPerDrive: number) => void;
  readonly #crew: ShardCrew;
  #digests: readonly DigestState[];
  /** Settles when the last stripe so far is coded. */
  #coding: Promise<unknown> = Promise.resolve();
  #stripe = 0;
  #sizeBytes = 0;

  constructor(context: SetContext, compute: Compute, plan: BlobPlan, input: BlobInput) {
    this.#context = context;
    this.#compute = compute;
    this.#plan = plan;
    this.#health = input.health;
    this.#stop = new StopSignal(input.options.signal, input.closing);
    this.#onBytes = input.onBytes;
    this.#crew = new ShardCrew(context, plan, { ...input, stop: this.#stop });
    this.#digests = input.options.digests.map((name) => ({ name: name as DigestName, state: undefined }));
  }

  async write(source: AsyncIterable<Uint8Array>): Promise<WrittenBlob> {
    const pieces = source[Symbol.asyncIterator]();
    try {
      await this.#open();
      await this.#writeStripes(pieces);
      this.#stop.check();
      return await this.#finish();
    } catch (error) {
      // Not waited for: a source may never answer, and what led here is the error to report.
      void Promise.resolve()
        .then(() => pieces.return?.())
        .catch(() => undefined);
      throw this.#stop.signal.aborted && isHoldfastError(error, "ABORTED") ? this.#stop.error() : error;
    } finally {
      this.#stop.release();
    }
  }

  /** One stripe is coded and written while the next one fills. */
  async #writeStripes(pieces: AsyncIterator<Uint8Array>): Promise<void> {
    const { stripeBytes } = this.#context.settings;
    let flushing: Promise<void> | undefined;
    let buffer: StripeBuffer | undefined;
    let filled = 0;
    const flush = async (): Promise<void> => {
      const previous = flushing;
      flushing = this.#flush(buffer as StripeBuffer, filled, previous);
      flushing.catch(() => undefined);
      buffer = undefined;
      filled = 0;
      await previous;
    };
    try {
      for (let step = await this.#stop.race(pieces.next()); step.done !== true; step = await this.#stop.race(pieces.next())) {
        const bytes = step.value;
        for (let at = 0; at < bytes.byteLength; ) {
          this.#stop.check();
          buffer ??= await this.#acquire();
          const count = Math.min(bytes.byteLength - at, stripeBytes - filled);
          buffer.bytes.set(bytes.subarray(at, at + count), filled);
          filled += count;
          at += count;
          if (filled === stripeBytes) await flush();
        }
      }
      if (buffer !== undefined) await flush();
    } finally {
      buffer?.release();
      await Promise.resolve(flushing).catch(() => undefined);
    }
    await flushing;
  }

  async #acquire(): Promise<StripeBuffer> {
    const { data, parity } = this.#plan.layout;
    const granted = this.#compute.acquire((data + parity) * pieceBytesOf(this.#context.settings.stripeBytes, data), this.#stop.signal);
    if (!this.#crew.isLagging) return granted;
    const buffer = await this.#health.patience.until(granted, this.#health.nowMs() + memoryGraceMs);
    if (buffer !== late) return buffer;
    this.#crew.leaveLaggardsOut();
    return granted;
  }

  async #open(): Promise<void> {
    const { layout, blob, timeMs } = this.#plan;
    for (let slot = 0; slot < layout.data + layout.parity; slot++) {
      const { stripeBytes } = this.#context.settings;
      const header = new Uint8Array(shardFileHeaderBytes);
      writeShardFileHeader(header, 0, { setId: this.#context.id, blob, layout, slot, stripeBytes, timeMs });
      this.#crew.open(slot, header);
    }
    await this.#crew.caughtUp();
  }

  /** Codes one stripe behind the one before it, while that one is still being appended, and then appends its pieces. */
  async #flush(buffer: StripeBuffer, dataBytes: number, previous: Promise<void> | undefined): Promise<void> {
    const held = shareBuffer(buffer);
    try {
      const { layout } = this.#plan;
      const pieceBytes = pieceBytesOf(dataBytes, layout.data);
      buffer.bytes.fill(0, dataBytes, layout.data * pieceBytes);
      const stripe = buffer.bytes.subarray(0, (layout.data + layout.parity) * pieceBytes);
      const coding = this.#coding.then(() => this.#code(stripe, pieceBytes, dataBytes));
      this.#coding = coding.catch(() => undefined);
      // The buffer is the job's until it is done, whatever becomes of the stripe before.
      const checksums = await coding;
      await previous;
      await this.#appendStripe(stripe, { pieceBytes, dataBytes, checksums, hold: held.take });
      this.#sizeBytes += dataBytes;
      this.#stripe++;
    } finally {
      held.letGo();
    }
  }

  async #code(buffer: Uint8Array, pieceBytes: number, dataBytes: number): Promise<Uint8Array> {
    const { data, parity } = this.#plan.layout;
    const coded = await this.#compute.codeStripe({ shape: { data, parity }, pieceBytes, buffer, dataBytes, digests: this.#digests });
    this.#digests = coded.digests;
    return coded.blockChecksums;
  }

  async #appendStripe(
    stripe: Uint8Array,
    facts: { pieceBytes: number; dataBytes: number; checksums: Uint8Array; hold: () => () => void },
  ): Promise<void> {
    const { pieceBytes, dataBytes, checksums, hold } = facts;
    const headerBytes = pieceHeaderBytesOf(pieceBytes);
    const checksumsBytes = piecePartsOf(pieceBytes) * checksumBytes;
    for (const shard of this.#crew.atWork) {
      const { slot } = shard;
      const piece = stripe.subarray(slot * pieceBytes, (slot + 1) * pieceBytes);
      const header = new Uint8Array(headerBytes);
      const partChecksums = checksums.subarray(slot * checksumsBytes, (slot + 1) * checksumsBytes);
      writePieceHeaderWith(header, 0, { blob: this.#plan.blob, slot, stripe: this.#stripe, pieceBytes, dataBytes }, partChecksums);
      shard.append([header, piece], hold());
    }
    await this.#crew.caughtUp();
    this.#onBytes(headerBytes + pieceBytes);
  }

  async #finish(): Promise<WrittenBlob> {
    await this.#crew.finish();
    const { blob, layout } = this.#plan;
    const location = encodeBlobLocation({ blob, sizeBytes: this.#sizeBytes, stripeBytes: this.#context.settings.stripeBytes, layout });
    const digests = new Map(this.#digests.map((digest) => [digest.name, finishDigest(digest)]));
    return { blob: location as BlobLocation, sizeBytes: this.#sizeBytes, digests };
  }

  /** Leaves nothing behind, as far as the drives answer; the rest follows when they do. */
  async abort(): Promise<void> {
    await this.#crew.remove();
  }
}

/** A buffer that goes back when whoever has taken a part of it, and its owner, have let go. */
function shareBuffer(buffer: StripeBuffer): { readonly take: () => () => void; readonly letGo: () => void } {
  let holders = 1;
  const letGo = (): void => {
    holders--;
    if (holders === 0) buffer.release();
  };
  const take = (): (() => void) => {
    holders++;
    return () => letGo();
  };
  return { take, letGo };
}

function finishDigest({ name, state }: DigestState): Uint8Array {
  return (state === undefined ? createDigest(name) : resumeDigest(name, state)).digest();
}
