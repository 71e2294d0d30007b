import { fromHex } from "../../base/bytes.ts";
import { HoldfastError } from "../../base/errors.ts";
import type { SetEntry } from "../../set/erasure-set.ts";
import { type KeyAddress, locate, type ObjectContext } from "../context.ts";
import { endOf, partKey, partNumberOf, uploadIdBytes, uploadKey } from "../keys.ts";
import { invalidArgument } from "../validate.ts";
import type { VersionReader } from "../versions.ts";
import { type PartRecord, type UploadRecord, unpackPartRecord, unpackUploadRecord } from "./upload-record.ts";

/** Which upload a call is about. */
export interface UploadReference {
  readonly key: string;
  readonly uploadId: string;
}

/** An upload's place in its set. */
export interface UploadAddress extends KeyAddress {
  readonly uploadId: Uint8Array;
  readonly uploadKey: Uint8Array;
}

/** A part and where it is kept. */
export interface StoredPart {
  readonly partNumber: number;
  readonly indexKey: Uint8Array;
  readonly entry: SetEntry;
  readonly record: PartRecord;
}

/** Validates a reference to an upload. @throws BUCKET_NOT_FOUND, KEY_INVALID, ARGUMENT_INVALID, UPLOAD_NOT_FOUND */
export function locateUpload(context: ObjectContext, bucketName: string, upload: UploadReference): UploadAddress {
  if (typeof upload.uploadId !== "string") throw invalidArgument("uploadId", upload.uploadId, "must be a string");
  const address = locate(context, bucketName, upload.key);
  if (!new RegExp(`^[0-9a-f]{${2 * uploadIdBytes}}$`).test(upload.uploadId)) throw uploadNotFound(address, upload.uploadId);
  const uploadId = fromHex(upload.uploadId);
  return { ...address, uploadId, uploadKey: uploadKey(address.bucket.record.id, address.keyBytes, uploadId) };
}

/** The record of an upload under way. @throws UPLOAD_NOT_FOUND */
export function requireUpload(reader: VersionReader, address: UploadAddress): UploadRecord {
  const entry = reader.get(address.uploadKey);
  if (entry === undefined) throw uploadNotFound(address, Buffer.from(address.uploadId).toString("hex"));
  return unpackUploadRecord(entry.value);
}

/** One part of an upload, if it is there. */
export function findPart(reader: VersionReader, address: UploadAddress, partNumber: number): StoredPart | undefined {
  const indexKey = partKey(address.bucket.record.id, address.uploadId, partNumber);
  const entry = reader.get(indexKey);
  return entry === undefined ? undefined : { partNumber, indexKey, entry, record: unpackPartRecord(entry.value) };
}

/** At most `limit` parts of an upload after `after`, by number. */
export function readParts(
  reader: VersionReader,
  address: UploadAddress,
  options: { readonly after?: number; readonly limit?: number } = {},
): StoredPart[] {
  const prefix = partKey(address.bucket.record.id, address.uploadId);
  const start = options.after === undefined ? prefix : partKey(address.bucket.record.id, address.uploadId, options.after + 1);
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const parts: StoredPart[] = [];
  if (limit <= 0) return parts;
  reader.scan({ start, end: endOf(prefix) }, (indexKey, load) => {
    const entry = load();
    parts.push({ partNumber: partNumberOf(indexKey), indexKey, entry, record: unpackPartRecord(entry.value) });
    return parts.length < limit;
  });
  return parts;
}

function uploadNotFound(address: KeyAddress, uploadId: string): HoldfastError {
  return new HoldfastError(
    "UPLOAD_NOT_FOUND",
    `there is no multipart upload ${uploadId} of ${JSON.stringify(address.key)}; it was completed, aborted or never begun`,
    {
      details: { bucket: address.bucket.name, key: address.key, uploadId },
    },
  );
}
