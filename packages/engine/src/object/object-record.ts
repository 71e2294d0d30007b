/**
 * The record of one version of an object, as it is kept under current and version keys. Drawn in docs/formats/records.md.
 *
 * The facts a caller gave (headers, metadata, tags, checksums) stay in their stored, flat form until somebody asks for them: moving,
 * copying and listing objects never look at them.
 */
import { fromHex, toHex } from "../base/bytes.ts";
import type { BlobLocation } from "../set/erasure-set.ts";
import { packRecord, recordVersion } from "./record-codec.ts";
import { RecordFields } from "./record-fields.ts";

/** How the body is kept. */
export const recordKinds = {
  /** In the log: the entry's payload; an empty body has none. */
  packed: 0,
  /** One blob. */
  blob: 1,
  /** Several segments: a completed multipart upload. */
  segments: 2,
  /** No body: a delete marker. */
  marker: 3,
} as const;

const recordKindCount = Object.keys(recordKinds).length;

export type RecordKind = (typeof recordKinds)[keyof typeof recordKinds];

/** One part of a multipart object: a blob, or (without one) the payload of the part's own entry. */
export interface Segment {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly blob: BlobLocation | undefined;
}

/** Values of the six content headers in the order of `contentHeaderNames`. */
export type StoredContent = readonly (string | null)[];
/** Names and values in turn, sorted by name. */
export type StoredPairs = readonly string[];
/** Numbers of checksums (see checksums.ts) and their bytes in turn. */
export type StoredChecksums = readonly (number | Uint8Array)[];

/** What a caller may say about an object besides its body. */
export interface StoredAttributes {
  readonly content: StoredContent | undefined;
  readonly metadata: StoredPairs | undefined;
  readonly tags: StoredPairs | undefined;
}

/** What is stored about one version. */
export interface ObjectRecord extends StoredAttributes {
  readonly kind: RecordKind;
  /** Order of the operation that made the version: its version id, and its age. */
  readonly order: number;
  /** True for the version whose id is "null": made while the bucket's versioning was off or suspended. */
  readonly isNull: boolean;
  readonly modifiedMs: number;
  readonly sizeBytes: number;
  /** Without quotes. */
  readonly etag: string;
  readonly blob: BlobLocation | undefined;
  readonly segments: readonly Segment[] | undefined;
  /** The upload a multipart object came from. */
  readonly uploadId: Uint8Array | undefined;
  readonly checksums: StoredChecksums | undefined;
}

const hexDigest = /^[0-9a-f]{32}$/;

/** The record's bytes. */
export function packObjectRecord(record: ObjectRecord): Uint8Array {
  return packRecord([
    recordVersion,
    record.kind,
    record.order,
    record.isNull ? 1 : 0,
    record.modifiedMs,
    record.sizeBytes,
    packEtag(record.etag),
    packLocation(record),
    record.content ?? null,
    record.metadata ?? null,
    record.tags ?? null,
    record.checksums ?? null,
    record.uploadId ?? null,
  ]);
}

/** The record in `bytes`. @throws FORMAT_TOO_NEW, INDEX_DAMAGED */
export function unpackObjectRecord(bytes: Uint8Array): ObjectRecord {
  const fields = new RecordFields(bytes, "an object");
  const kind = fields.integer(1, recordKindCount) as RecordKind;
  return {
    kind,
    order: fields.integer(2),
    isNull: fields.integer(3, 2) === 1,
    modifiedMs: fields.integer(4),
    sizeBytes: fields.integer(5),
    etag: unpackEtag(fields.etag(6)),
    blob: kind === recordKinds.blob ? fields.location(7) : undefined,
    segments: kind === recordKinds.segments ? fields.triples(7).map(toSegment) : undefined,
    content: fields.gappedTexts(8),
    metadata: fields.texts(9, true),
    tags: fields.texts(10, true),
    checksums: fields.numberedBytes(11),
    uploadId: fields.bytes(12),
  };
}

/** The record of a delete marker. */
export function markerRecord(facts: { readonly order: number; readonly isNull: boolean; readonly modifiedMs: number }): ObjectRecord {
  return {
    kind: recordKinds.marker,
    order: facts.order,
    isNull: facts.isNull,
    modifiedMs: facts.modifiedMs,
    sizeBytes: 0,
    etag: "",
    blob: undefined,
    segments: undefined,
    content: undefined,
    metadata: undefined,
    tags: undefined,
    checksums: undefined,
    uploadId: undefined,
  };
}

/** An entity tag as stored: the 16 bytes of an MD5, or text. */
export function packEtag(etag: string): Uint8Array | string {
  return hexDigest.test(etag) ? fromHex(etag) : etag;
}

/** The entity tag in a stored field. */
export function unpackEtag(field: Uint8Array | string): string {
  return typeof field === "string" ? field : toHex(field);
}

function packLocation(record: ObjectRecord): unknown {
  if (record.kind === recordKinds.blob) return record.blob;
  if (record.kind !== recordKinds.segments) return null;
  const flat: unknown[] = [];
  for (const segment of record.segments ?? []) flat.push(segment.partNumber, segment.sizeBytes, segment.blob ?? null);
  return flat;
}

function toSegment([partNumber, sizeBytes, blob]: readonly [number, number, Uint8Array | undefined]): Segment {
  return { partNumber, sizeBytes, blob: blob as BlobLocation | undefined };
}
