/**
 * The heavy work on one stripe, as plain data in and out so that it can be done on any thread: the caller's own or a worker's.
 *
 * A stripe lies in one buffer: k data pieces, then m parity pieces, each of `pieceBytes`. Jobs write to the buffer in place. What
 * crosses threads beside it is small: shapes, digest states, checksums. Errors cross as data, since a thrown one loses its fields.
 */

import type { ErrorCode, ErrorDetails } from "../base/errors.ts";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { checksumBlockBytes } from "../base/limits.ts";
import type { DigestName } from "./digest.ts";
import { createDigest, resumeDigest } from "./digest.ts";
import type { CodeKernel, CodeShape } from "./kernel.ts";
import { checksumBytes, writeBlockChecksums } from "./xxh3.ts";

/** A digest under way. */
export interface DigestState {
  readonly name: DigestName;
  /** What it has seen so far; undefined at the start. */
  readonly state: Uint8Array | undefined;
}

interface Stripe {
  readonly shape: CodeShape;
  /** A multiple of 128. */
  readonly pieceBytes: number;
  /** (k + m) × pieceBytes. */
  readonly buffer: Uint8Array;
}

/** Fills the parity pieces; the data pieces are there, padded with zeros by the caller. */
export interface CodeStripeJob extends Stripe {
  readonly kind: "codeStripe";
  /** The object's bytes at the start of the buffer, which the digests see. */
  readonly dataBytes: number;
  readonly digests: readonly DigestState[];
}

export interface CodedStripe {
  /** For each of the k + m pieces, for each of its blocks of 64 KiB, 8 bytes. */
  readonly blockChecksums: Uint8Array;
  /** The digests of the job, having seen the stripe. */
  readonly digests: readonly DigestState[];
}

/** Fills the pieces `wanted` from those not in `lost`. */
export interface ReconstructJob extends Stripe {
  readonly kind: "reconstruct";
  /** Numbers of pieces whose bytes in the buffer mean nothing; at most m. */
  readonly lost: readonly number[];
  /** Those of `lost` to fill. */
  readonly wanted: readonly number[];
}

export type Job = CodeStripeJob | ReconstructJob;
export type JobValue<J extends Job> = J extends CodeStripeJob ? CodedStripe : undefined;

/** How a job ended, in a form that survives the way between threads. */
export type JobOutcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: { readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails } };

/** Does a job here and now; `loadDigests` has been awaited if it has digests. */
export function runJob<J extends Job>(job: J, kernel: CodeKernel): JobValue<J> {
  invariant(job.buffer.byteLength === (job.shape.data + job.shape.parity) * job.pieceBytes, "a stripe's buffer holds its pieces");
  return (job.kind === "codeStripe" ? codeStripe(job, kernel) : reconstruct(job, kernel)) as JobValue<J>;
}

/** Does a job and never throws: what a worker answers with. */
export function runJobSafely<J extends Job>(job: J, kernel: CodeKernel): JobOutcome<JobValue<J>> {
  try {
    return { ok: true, value: runJob(job, kernel) };
  } catch (error) {
    if (isHoldfastError(error)) return { ok: false, error: { code: error.code, message: error.message, details: error.details } };
    return {
      ok: false,
      error: { code: "INTERNAL", message: String(error), details: { stack: error instanceof Error ? error.stack : undefined } },
    };
  }
}

/** The value of an outcome. @throws the error it carries */
export function unwrapOutcome<T>(outcome: JobOutcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw new HoldfastError(outcome.error.code, outcome.error.message, { details: outcome.error.details });
}

/** Bytes of the block checksums of a stripe's pieces. */
function blockChecksumsBytes(shape: CodeShape, pieceBytes: number): number {
  return (shape.data + shape.parity) * Math.ceil(pieceBytes / checksumBlockBytes) * checksumBytes;
}

function codeStripe(job: CodeStripeJob, kernel: CodeKernel): CodedStripe {
  const { shape, pieceBytes, buffer, dataBytes } = job;
  invariant(dataBytes <= shape.data * pieceBytes, "a stripe's data fits its data pieces");
  const pieces = piecesOf(job);
  kernel.encode(shape, pieces.slice(0, shape.data), pieces.slice(shape.data));
  const blockChecksums = new Uint8Array(blockChecksumsBytes(shape, pieceBytes));
  const checksumsOfPiece = blockChecksums.byteLength / pieces.length;
  pieces.forEach((piece, number) => {
    writeBlockChecksums(blockChecksums, number * checksumsOfPiece, piece, checksumBlockBytes);
  });
  const data = buffer.subarray(0, dataBytes);
  return { blockChecksums, digests: job.digests.map((digest) => advance(digest, data)) };
}

function reconstruct(job: ReconstructJob, kernel: CodeKernel): undefined {
  const pieces = piecesOf(job);
  const shards = pieces.map((piece, number) => (job.lost.includes(number) ? undefined : piece));
  kernel.reconstruct(job.shape, shards, new Map(job.wanted.map((number) => [number, pieces[number] as Uint8Array])));
  return undefined;
}

function piecesOf({ shape, pieceBytes, buffer }: Stripe): Uint8Array[] {
  return Array.from({ length: shape.data + shape.parity }, (_, number) => buffer.subarray(number * pieceBytes, (number + 1) * pieceBytes));
}

function advance({ name, state }: DigestState, bytes: Uint8Array): DigestState {
  const digest = state === undefined ? createDigest(name) : resumeDigest(name, state);
  digest.update(bytes);
  return { name, state: digest.save() };
}
