/**
 * Completing an upload: one commit that turns parts into an object. Parts that are blobs are named by the object's record from now on;
 * packed parts keep their entries, because an entry is what keeps a payload alive; parts not asked for are freed.
 *
 * Repeating a completion answers the same as long as a version made by the upload is still there: its record remembers the upload.
 */
import { HoldfastError, throwIfAborted } from "../../base/errors.ts";
import { objectBytesMax, partBytesMin, partsMax } from "../../base/limits.ts";
import type { SetTransaction } from "../../set/erasure-set.ts";
import { commitOnKey } from "../commit-on-key.ts";
import { type Conditions, checkWriteConditions, type ParsedConditions, parseConditions } from "../conditions.ts";
import type { ObjectContext } from "../context.ts";
import { bareEtag, multipartEtagOf } from "../etag.ts";
import { type ObjectRecord, recordKinds } from "../object-record.ts";
import { type PutResult, putResult } from "../put-object.ts";
import { invalidArgument, validateOptions } from "../validate.ts";
import { currentVersion, findMadeBy, installCurrent, makesNullVersions } from "../versions.ts";
import { locateUpload, readParts, requireUpload, type StoredPart, type UploadAddress, type UploadReference } from "./find-upload.ts";
import { validatePartNumber } from "./upload-part.ts";

/** A part to be made part of the object. */
export interface CompletedPart {
  readonly partNumber: number;
  /** As the part's upload answered it. Not checked when left out. */
  readonly etag?: string | undefined;
}

/** Options of a completion; the conditions are those on what it replaces. */
export interface CompleteUploadOptions extends Conditions {
  /** Size the whole object must have. */
  readonly contentLength?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface CompletePlan {
  readonly address: UploadAddress;
  /** Undefined takes every part there is. */
  readonly wanted: readonly CompletedPart[] | undefined;
  readonly conditions: ParsedConditions | undefined;
  readonly contentLength: number | undefined;
}

/** Turns an upload's parts into an object. */
export async function completeUpload(
  context: ObjectContext,
  bucketName: string,
  upload: UploadReference,
  parts: readonly CompletedPart[] | undefined,
  options: CompleteUploadOptions = {},
): Promise<PutResult> {
  validateOptions(options);
  throwIfAborted(options.signal);
  validateParts(parts);
  const conditions = parseConditions(options);
  const address = locateUpload(context, bucketName, upload);
  const plan: CompletePlan = { address, wanted: parts, conditions, contentLength: options.contentLength };
  return commitOnKey(context, address, { decide: (tx) => decideComplete(tx, context, plan) }, options.signal);
}

function decideComplete(tx: SetTransaction, context: ObjectContext, plan: CompletePlan): PutResult {
  const { address } = plan;
  if (tx.get(address.uploadKey) === undefined) {
    const made = findMadeBy(tx, address, address.uploadId);
    if (made !== undefined) return putResult(address, made, made);
  }
  const upload = requireUpload(tx, address);
  const stored = readParts(tx, address);
  const chosen = chooseParts(context, stored, plan);
  const current = currentVersion(tx, address);
  checkWriteConditions(plan.conditions, current?.record, address.key);
  const record: ObjectRecord = {
    kind: recordKinds.segments,
    order: tx.order,
    isNull: makesNullVersions(address),
    modifiedMs: tx.timeMs,
    sizeBytes: totalBytes(chosen, plan.contentLength),
    etag: multipartEtagOf(
      context.settings.etag,
      chosen.map((part) => part.record.etag),
      context.computeDigest,
    ),
    blob: undefined,
    segments: chosen.map(({ partNumber, record: { sizeBytes, blob } }) => ({ partNumber, sizeBytes, blob })),
    uploadId: address.uploadId,
    content: upload.content,
    metadata: upload.metadata,
    tags: upload.tags,
    checksums: undefined,
  };
  freeParts(tx, stored, new Set(chosen));
  tx.delete(address.uploadKey);
  installCurrent(tx, address, current, record);
  return putResult(address, record, record);
}

function chooseParts(context: ObjectContext, stored: readonly StoredPart[], plan: CompletePlan): readonly StoredPart[] {
  const byNumber = new Map(stored.map((part) => [part.partNumber, part]));
  const wanted: readonly CompletedPart[] = plan.wanted ?? stored;
  if (wanted.length === 0)
    throw new HoldfastError("PART_INVALID", "the upload has no parts yet; upload at least one", { details: { key: plan.address.key } });
  const bytesMin = context.settings.partBytesMin ?? partBytesMin;
  return wanted.map(({ partNumber, etag }, at) => {
    const part = byNumber.get(partNumber);
    const actual = part?.record.etag;
    if (part === undefined || (etag !== undefined && bareEtag(etag) !== actual)) {
      throw new HoldfastError("PART_INVALID", `part ${partNumber} is not there with that entity tag; upload it again`, {
        details: { partNumber, etag, actual },
      });
    }
    if (at < wanted.length - 1 && part.record.sizeBytes < bytesMin) {
      throw new HoldfastError(
        "PART_TOO_SMALL",
        `part ${partNumber} has ${part.record.sizeBytes} bytes; all but the last need at least ${bytesMin}`,
        {
          details: { partNumber, sizeBytes: part.record.sizeBytes, bytesMin },
        },
      );
    }
    return part;
  });
}

function totalBytes(parts: readonly StoredPart[], declared: number | undefined): number {
  const sizeBytes = parts.reduce((sum, part) => sum + part.record.sizeBytes, 0);
  if (sizeBytes > objectBytesMax)
    throw new HoldfastError("BODY_TOO_LARGE", `an object has at most ${objectBytesMax} bytes; the parts have ${sizeBytes}`, {
      details: { sizeBytes },
    });
  if (declared !== undefined && declared !== sizeBytes) {
    throw new HoldfastError("BODY_LENGTH_MISMATCH", `the parts have ${sizeBytes} bytes, but contentLength says ${declared}`, {
      details: { declared, received: sizeBytes },
    });
  }
  return sizeBytes;
}

/** Frees parts not chosen, and the entries of those whose blobs the object's record names from now on. */
function freeParts(tx: SetTransaction, stored: readonly StoredPart[], chosen: ReadonlySet<StoredPart>): void {
  for (const part of stored) {
    const { blob } = part.record;
    const isChosen = chosen.has(part);
    if (blob !== undefined && !isChosen) tx.removeBlob(blob);
    if (blob !== undefined || !isChosen) tx.delete(part.indexKey);
  }
}

function validateParts(parts: readonly CompletedPart[] | undefined): void {
  if (parts === undefined) return;
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > partsMax)
    throw invalidArgument("parts", parts, `must be an array of 1 to ${partsMax} parts; leave it out for all`);
  let previous = 0;
  for (const part of parts as readonly CompletedPart[]) {
    if (typeof part !== "object" || part === null) throw invalidArgument("parts", part, "must hold { partNumber, etag }");
    validatePartNumber(part.partNumber);
    if (part.etag !== undefined && typeof part.etag !== "string") throw invalidArgument("etag", part.etag, "must be a string");
    if (part.partNumber <= previous) {
      throw new HoldfastError("PART_ORDER_INVALID", `part ${part.partNumber} follows part ${previous}; list parts by rising number`, {
        details: { partNumber: part.partNumber },
      });
    }
    previous = part.partNumber;
  }
}
