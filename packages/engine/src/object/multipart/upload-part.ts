import { partsMax } from "../../base/limits.ts";
import type { SetTransaction } from "../../set/erasure-set.ts";
import { discardBody, type ObjectBody, takeBody } from "../body.ts";
import type { BodyOptions } from "../body-puller.ts";
import { type DeclaredChecksums, type ObjectChecksums, parseChecksums, publicChecksums } from "../checksums.ts";
import { commitInBucket, type ObjectContext } from "../context.ts";
import { partKey } from "../keys.ts";
import { digestBytes, type StoredBody, withBlob, writeLargeBody } from "../put-object.ts";
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
    return await commitPart(address, part.partNumber, body, options.signal);
  } catch (error) {
    discardBody(part.body);
    throw error;
  }
}

/** Commits a part's body, packed or blob. @throws UPLOAD_NOT_FOUND */
export function commitPart(
  address: UploadAddress,
  partNumber: number,
  body: StoredBody,
  signal: AbortSignal | undefined,
): Promise<UploadedPart> {
  const { bucket, set } = address;
  const payloads = body.bytes === undefined || body.bytes.byteLength === 0 ? [] : [body.bytes];
  const commit = (commitSignal?: AbortSignal): Promise<UploadedPart> =>
    commitInBucket(
      bucket,
      set,
      { profile: bucket.record.erasure, payloads, decide: (tx) => decidePart(tx, address, partNumber, body) },
      commitSignal,
    );
  return body.blob === undefined ? commit(signal) : withBlob(set, body.blob, signal, () => commit());
}

/** @throws ARGUMENT_INVALID */
export function validatePartNumber(partNumber: number): void {
  if (partNumber === undefined) throw invalidArgument("partNumber", partNumber, `must be a whole number from 1 to ${partsMax}`);
  validateInteger("partNumber", partNumber, { min: 1, max: partsMax });
}

function decidePart(tx: SetTransaction, address: UploadAddress, partNumber: number, body: StoredBody): UploadedPart {
  requireUpload(tx, address);
  const replaced = findPart(tx, address, partNumber)?.record.blob;
  if (replaced !== undefined) tx.removeBlob(replaced);
  if (body.blob !== undefined) tx.addBlob(body.blob);
  const { sizeBytes, etag, checksums, blob } = body;
  const record = packPartRecord({ sizeBytes, modifiedMs: tx.timeMs, etag, blob, checksums });
  const payload = body.bytes === undefined || sizeBytes === 0 ? undefined : 0;
  tx.put(partKey(address.bucket.record.id, address.uploadId, partNumber), record, payload);
  return { partNumber, etag, size: sizeBytes, lastModified: new Date(tx.timeMs), checksums: publicChecksums(checksums) };
}
