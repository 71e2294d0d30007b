/** Records of multipart uploads under way and of their parts. Drawn in docs/formats/records.md. */
import type { BlobLocation } from "../../set/erasure-set.ts";
import { packEtag, type StoredAttributes, type StoredChecksums, unpackEtag } from "../object-record.ts";
import { packRecord, recordVersion } from "../record-codec.ts";
import { RecordFields } from "../record-fields.ts";

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
  const fields = new RecordFields(bytes, "an upload");
  return { startedMs: fields.integer(1), content: fields.gappedTexts(2), metadata: fields.texts(3, true), tags: fields.texts(4, true) };
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
  const fields = new RecordFields(bytes, "a part");
  return {
    sizeBytes: fields.integer(1),
    modifiedMs: fields.integer(2),
    etag: unpackEtag(fields.etag(3)),
    blob: fields.bytes(4) as BlobLocation | undefined,
    checksums: fields.numberedBytes(5),
  };
}
