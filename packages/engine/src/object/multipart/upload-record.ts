/** Records of multipart uploads under way and of their parts. Drawn in docs/formats/records.md. */
import type { BlobLocation } from "../../set/erasure-set.ts";
import {
  optional,
  packEtag,
  type StoredAttributes,
  type StoredChecksums,
  type StoredContent,
  type StoredPairs,
  unpackEtag,
} from "../object-record.ts";
import { packRecord, recordVersion, unpackRecord } from "../record-codec.ts";

/** An upload under way: what the object will be besides its body. */
export interface UploadRecord extends StoredAttributes {
  readonly startedMs: number;
}

/** One part. Its bytes are a blob, or the payload of its entry. */
export interface PartRecord {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Without quotes. */
  readonly etag: string;
  readonly blob: BlobLocation | undefined;
  readonly checksums: StoredChecksums | undefined;
}

export function packUploadRecord(record: UploadRecord): Uint8Array {
  return packRecord([recordVersion, record.startedMs, record.content ?? null, record.metadata ?? null, record.tags ?? null]);
}

/** @throws FORMAT_TOO_NEW, INDEX_DAMAGED */
export function unpackUploadRecord(bytes: Uint8Array): UploadRecord {
  const fields = unpackRecord(bytes, "an upload");
  return {
    startedMs: fields[1] as number,
    content: optional<StoredContent>(fields[2]),
    metadata: optional<StoredPairs>(fields[3]),
    tags: optional<StoredPairs>(fields[4]),
  };
}

export function packPartRecord(record: PartRecord): Uint8Array {
  return packRecord([
    recordVersion,
    record.sizeBytes,
    record.modifiedMs,
    packEtag(record.etag),
    record.blob ?? null,
    record.checksums ?? null,
  ]);
}

/** @throws FORMAT_TOO_NEW, INDEX_DAMAGED */
export function unpackPartRecord(bytes: Uint8Array): PartRecord {
  const fields = unpackRecord(bytes, "a part");
  return {
    sizeBytes: fields[1] as number,
    modifiedMs: fields[2] as number,
    etag: unpackEtag(fields[3]),
    blob: optional<BlobLocation>(fields[4]),
    checksums: optional<StoredChecksums>(fields[5]),
  };
}
