/**
 * Writing a blob: the source is cut into stripes, each coded in one buffer (k data pieces, then m parity pieces) and appended to the shard
 * files of its drives while the next one fills. At the end every shard file is finished: durable under its name. Memory: two stripes.
 *
 * A drive that fails on the way is left out as long as the rest still makes the threshold of `quorum.ts`; the missing shard is made again
 * later. On any other error, or an abort, every file is removed.
 */
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import { createDigest, type DigestName, resumeDigest } from "../codec/digest.ts";
import type { DigestState } from "../codec/stripe-job.ts";
import { checksumBytes } from "../codec/xxh3.ts";
import type { Compute } from "../compute/compute.ts";
import type { StripeBuffer } from "../compute/stripe-buffers.ts";
import type { NewFile } from "../drive/drive.ts";
import { encodeBlobLocation } from "../format/blob-location.ts";
import { type BlobId, shardFileName } from "../format/blob-name.ts";
import { driveOfSlot, type StripeLayout } from "../format/layout.ts";
import { shardFileHeaderBytes, writePieceHeaderWith, writeShardFileHeader } from "../format/shard-file.ts";
import { pieceBytesOf, pieceHeaderBytesOf, piecePartsOf } from "../format/shard-geometry.ts";
import type { BlobLocation, BlobOptions, WrittenBlob } from "./erasure-set.ts";
import type { Member } from "./member.ts";
import { shardThreshold } from "./quorum.ts";
import type { SetContext } from "./set-context.ts";
import { StopSignal } from "./stop-signal.ts";

interface ShardFile {
  readonly slot: number;
  readonly member: Member;
  readonly file: NewFile;
}

export interface BlobPlan {
  readonly blob: BlobId;
  readonly layout: StripeLayout;
  readonly timeMs: number;
}

export interface BlobInput {
  readonly source: AsyncIterable<Uint8Array>;
  readonly options: BlobOptions;
  /** Told of bytes written to each drive; may throw to end the blob. */
  readonly onBytes: (bytesPerDrive: number) => void;
  /** Told of drives that are left without their shard. */
  readonly onMissed: (member: Member) => void;
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
  readonly #stop: StopSignal;
  readonly #onBytes: (bytesPerDrive: number) => void;
  readonly #onMissed: (member: Member) => void;
  #files: ShardFile[] = [];
  #finished: ShardFile[] = [];
  #failure: unknown;
  #digests: readonly DigestState[];
  /** Settles when the last stripe so far is coded. */
  #coding: Promise<unknown> = Promise.resolve();
  #stripe = 0;
  #sizeBytes = 0;

  constructor(context: SetContext, compute: Compute, plan: BlobPlan, input: BlobInput) {
    this.#context = context;
    this.#compute = compute;
    this.#plan = plan;
    this.#stop = new StopSignal(input.options.signal, input.closing);
    this.#onBytes = input.onBytes;
    this.#onMissed = input.onMissed;
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

  #acquire(): Promise<StripeBuffer> {
    const { data, parity } = this.#plan.layout;
    return this.#compute.acquire((data + parity) * pieceBytesOf(this.#context.settings.stripeBytes, data), this.#stop.signal);
  }

  async #open(): Promise<void> {
    const { layout, blob, timeMs } = this.#plan;
    const opened = await Promise.all(
      Array.from({ length: layout.data + layout.parity }, async (_, slot) => {
        const member = this.#context.members[driveOfSlot(layout, slot)] as Member;
        try {
          const file = await (member.drive as NonNullable<Member["drive"]>).create(shardFileName(blob));
          const header = new Uint8Array(shardFileHeaderBytes);
          writeShardFileHeader(header, 0, {
            setId: this.#context.id,
            blob,
            layout,
            slot,
            stripeBytes: this.#context.settings.stripeBytes,
            timeMs,
          });
          const shard = { slot, member, file };
          await this.#append(shard, [header]);
          return shard;
        } catch (error) {
          this.#note(member, error);
          return undefined;
        }
      }),
    );
    this.#files = opened.filter((shard) => shard !== undefined);
    this.#checkQuorum();
  }

  async #append(shard: ShardFile, buffers: readonly Uint8Array[]): Promise<void> {
    try {
      await shard.file.write(buffers);
    } catch (error) {
      await shard.file.abort();
      throw error;
    }
  }

  /** Codes one stripe behind the one before it, while that one is still being appended, and then appends its pieces. */
  async #flush(buffer: StripeBuffer, dataBytes: number, previous: Promise<void> | undefined): Promise<void> {
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
      await this.#appendStripe(stripe, pieceBytes, dataBytes, checksums);
      this.#sizeBytes += dataBytes;
      this.#stripe++;
    } finally {
      buffer.release();
    }
  }

  async #code(buffer: Uint8Array, pieceBytes: number, dataBytes: number): Promise<Uint8Array> {
    const { data, parity } = this.#plan.layout;
    const coded = await this.#compute.codeStripe({ shape: { data, parity }, pieceBytes, buffer, dataBytes, digests: this.#digests });
    this.#digests = coded.digests;
    return coded.blockChecksums;
  }

  async #appendStripe(stripe: Uint8Array, pieceBytes: number, dataBytes: number, checksums: Uint8Array): Promise<void> {
    const headerBytes = pieceHeaderBytesOf(pieceBytes);
    const checksumsBytes = piecePartsOf(pieceBytes) * checksumBytes;
    const appended = await Promise.all(
      this.#files.map(async (shard) => {
        const piece = stripe.subarray(shard.slot * pieceBytes, (shard.slot + 1) * pieceBytes);
        const header = new Uint8Array(headerBytes);
        const partChecksums = checksums.subarray(shard.slot * checksumsBytes, (shard.slot + 1) * checksumsBytes);
        const facts = { blob: this.#plan.blob, slot: shard.slot, stripe: this.#stripe, pieceBytes, dataBytes };
        writePieceHeaderWith(header, 0, facts, partChecksums);
        try {
          await this.#append(shard, [header, piece]);
          return shard;
        } catch (error) {
          this.#note(shard.member, error);
          return undefined;
        }
      }),
    );
    this.#onBytes(headerBytes + pieceBytes);
    this.#files = appended.filter((shard) => shard !== undefined);
    this.#checkQuorum();
  }

  async #finish(): Promise<WrittenBlob> {
    const finished = await Promise.all(
      this.#files.map(async (shard) => {
        try {
          await shard.file.finish();
          return shard;
        } catch (error) {
          await shard.file.abort();
          this.#note(shard.member, error);
          return undefined;
        }
      }),
    );
    this.#finished = finished.filter((shard) => shard !== undefined);
    this.#files = [];
    this.#checkQuorum();
    const { blob, layout } = this.#plan;
    const location = encodeBlobLocation({ blob, sizeBytes: this.#sizeBytes, stripeBytes: this.#context.settings.stripeBytes, layout });
    const digests = new Map(this.#digests.map((digest) => [digest.name, finishDigest(digest)]));
    return { blob: location as BlobLocation, sizeBytes: this.#sizeBytes, digests };
  }

  #note(member: Member, error: unknown): void {
    this.#failure ??= error;
    this.#onMissed(member);
    member.noteWriteFailure(error);
  }

  /** @throws WRITE_QUORUM_LOST, DRIVE_FULL when too few shards are left */
  #checkQuorum(): void {
    const left = this.#files.length + this.#finished.length;
    const { layout } = this.#plan;
    const { settings } = this.#context;
    if (left >= shardThreshold(layout, settings.survive)) return;
    if (isHoldfastError(this.#failure, "DRIVE_FULL")) throw this.#failure;
    throw new HoldfastError(
      "WRITE_QUORUM_LOST",
      `only ${left} of ${layout.data + layout.parity} drives took the object, and nothing of it was kept; bring drives back`,
      {
        cause: this.#failure,
        details: { indeterminate: false },
      },
    );
  }

  /** Leaves nothing behind. */
  async abort(): Promise<void> {
    await Promise.all(this.#files.map((shard) => shard.file.abort()));
    await Promise.all(this.#finished.map((shard) => shard.member.drive?.remove(shardFileName(this.#plan.blob)).catch(() => undefined)));
  }
}

function finishDigest({ name, state }: DigestState): Uint8Array {
  return (state === undefined ? createDigest(name) : resumeDigest(name, state)).digest();
}
