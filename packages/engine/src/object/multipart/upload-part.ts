import { partsMax } from "../../base/limits.ts";
import type { BlobLocation, SetOperation, SetTransaction } from "../../set/erasure-set.ts";
import { discardBody, type ObjectBody, takeBody } from "../body.ts";
import type { BodyOptions } from "../body-puller.ts";
import { type DeclaredChecksums, type ObjectChecksums, parseChecksums, publicChecksums } from "../checksums.ts";
import { commitBlobOnKey, commitOnKey } from "../commit-on-key.ts";
import type { ObjectContext } from "../context.ts";
import { partKey } from "../keys.ts";
import { digestBytes, type StoredBody, writeLargeBody } from "../put-object.ts";
import { invalidArgument, validateInteger, validateOptions } from "../validate.ts";
import { findPart, locateUpload, requireUpload, type UploadAddress, type UploadReference } from "./find-upload.ts";
import { packPartRecord } from "./upload-record.ts";

/** Options of a part. */
export interface UploadPartOptions extends BodyOptions {
  /** Checksums to verify and keep; `true` computes and keeps one. */
  readonly checksums?: DeclaredChecksums | undefined;
  /** MD5 of the part, to verify only. */
  readonly contentMd5?: Uint8Array | string | undefined;
}

/** What a part's upload answers. */
export interface UploadedPart {
  readonly partNumber: number;
  /** Without quotes. */
  readonly etag: string;
  readonly size: number;
  readonly lastModified: Date;
  readonly checksums: ObjectChecksums;
}

/** Stores one part; a part of the same number is replaced. Parts may be uploaded at the same time and in any order. */
export async function uploadPart(
  context: ObjectContext,
  bucketName: string,
  upload: UploadReference,
  part: { readonly partNumber: number; readonly body: ObjectBody },
  options: UploadPartOptions = {},
): Promise<UploadedPart> {
  try {
    validateOptions(options);
    validatePartNumber(part.partNumber);
    const address = locateUpload(context, bucketName, upload);
    const checksums = parseChecksums(options);
    requireUpload(address.set, address);
    const taken = await takeBody(part.body, context.settings.inlineBytes, options);
    const body =
      taken.bytes === undefined
        ? await writeLargeBody(context, address, taken.stream, { checksums, signal: options.signal })
        : digestBytes(context, taken.bytes, checksums);
    return await commitPart(context, address, { partNumber: part.partNumber, body }, options.signal);
  } catch (error) {
    discardBody(part.body);
    throw error;
  }
}

/** Commits a part's body. @throws UPLOAD_NOT_FOUND */
export function commitPart(
  context: ObjectContext,
  address: UploadAddress,
  part: { readonly partNumber: number; readonly body: StoredBody },
  signal: AbortSignal | undefined,
): Promise<UploadedPart> {
  const { bytes, placed } = part.body;
  const payloads = bytes === undefined || bytes.byteLength === 0 ? [] : [bytes];
  const operationFor = (blob: BlobLocation | undefined): SetOperation<UploadedPart> => ({
    profile: address.bucket.record.erasure,
    payloads,
    decide: (tx) => decidePart(tx, address, { ...part, blob }),
  });
  if (placed !== undefined) return commitBlobOnKey(context, address, { placed, operationFor }, signal);
  return commitOnKey(context, address, operationFor(undefined), signal);
}

/** @throws ARGUMENT_INVALID */
export function validatePartNumber(partNumber: number): void {
  if (partNumber === undefined) throw invalidArgument("partNumber", partNumber, `must be a whole number from 1 to ${partsMax}`);
  validateInteger("partNumber", partNumber, { min: 1, max: partsMax });
}

function decidePart(
  tx: SetTransaction,
  address: UploadAddress,
  { partNumber, body, blob }: { readonly partNumber: number; readonly body: StoredBody; readonly blob: BlobLocation | undefined },
): UploadedPart {
  requireUpload(tx, address);
  const replaced = findPart(tx, address, partNumber)?.record.blob;
  if (replaced !== undefined) tx.removeBlob(replaced);
  if (blob !== undefined) tx.addBlob(blob);
  const { sizeBytes, etag, checksums } = body;
  const record = packPartRecord({ sizeBytes, modifiedMs: tx.timeMs, etag, blob, checksums });
  const payload = body.bytes === undefined || sizeBytes === 0 ? undefined : 0;
  tx.put(partKey(address.bucket.record.id, address.uploadId, partNumber), record, payload);
  return { partNumber, etag, size: sizeBytes, lastModified: new Date(tx.timeMs), checksums: publicChecksums(checksums) };
}
