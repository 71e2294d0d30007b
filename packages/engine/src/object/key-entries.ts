/**
 * Everything a set keeps about one object key, found from the key alone: its current version, its older versions, its uploads, and the
 * parts that belong to any of these. A part's key does not hold the object key, so parts are found through the entry whose upload id they
 * carry: its owner.
 */
import { concatBytes } from "../base/bytes.ts";
import type { BlobLocation, ErasureSet } from "../set/erasure-set.ts";
import { endOf, escapedKey, keyHead, keyHeadBytes, keyTags, movingKey, partKey, unescapeKey } from "./keys.ts";
import { packPartRecord, unpackPartRecord } from "./multipart/upload-record.ts";
import { type ObjectRecord, packObjectRecord, unpackObjectRecord } from "./object-record.ts";

/** An object key of a bucket. */
export interface ObjectKey {
  readonly bucketId: number;
  /** In UTF-8. */
  readonly keyBytes: Uint8Array;
}

/** An entry that is found by the object key, and the upload id its parts carry. */
export interface OwnerEntry {
  readonly indexKey: Uint8Array;
  readonly uploadId: Uint8Array | undefined;
  /** Blobs the entry names. */
  readonly blobCount: number;
}

/** What can be looked through. */
type Reader = Pick<ErasureSet, "get" | "scan">;

/** True when the set has any entry of the key, whole or not. */
export function holdsKey(set: Reader, key: ObjectKey): boolean {
  if (set.get(currentKeyOf(key)) !== undefined || isMarked(set, key)) return true;
  return [keyTags.version, keyTags.upload].some((tag) => holdsAny(set, escapedKey(tag, key.bucketId, key.keyBytes)));
}

/** True when what the set has of the key counts for nothing. */
export function isMarked(set: Reader, { bucketId, keyBytes }: ObjectKey): boolean {
  return set.get(movingKey(bucketId, keyBytes)) !== undefined;
}

/** True when the set has the key whole. */
export function holdsWholeKey(set: Reader, key: ObjectKey): boolean {
  return holdsKey(set, key) && !isMarked(set, key);
}

/** True when any entry's key starts with `prefix`. */
export function holdsAny(set: Reader, prefix: Uint8Array): boolean {
  let found = false;
  set.scan({ start: prefix, end: endOf(prefix) }, () => {
    found = true;
    return false;
  });
  return found;
}

/** At most `limit` of a key's entries but parts, after the index key `after`, in the order of their index keys. */
export function readOwners(set: Reader, key: ObjectKey, after: Uint8Array | undefined, limit: number): OwnerEntry[] {
  const owners: OwnerEntry[] = [];
  const current = currentKeyOf(key);
  const ranges = [
    { start: current, end: concatBytes([current, Uint8Array.of(0)]) },
    ...[keyTags.version, keyTags.upload].map((tag) => {
      const start = escapedKey(tag, key.bucketId, key.keyBytes);
      return { start, end: endOf(start) };
    }),
  ];
  for (const range of ranges) {
    if (owners.length >= limit) break;
    const start = after !== undefined && Buffer.compare(after, range.start) >= 0 ? concatBytes([after, Uint8Array.of(0)]) : range.start;
    if (Buffer.compare(start, range.end) >= 0) continue;
    set.scan({ start, end: range.end }, (indexKey, load) => {
      owners.push(ownerEntry(indexKey, load().value));
      return owners.length < limit;
    });
  }
  return owners;
}

/** At most `limit` index keys of an upload's parts, after the index key `after`. */
export function readPartKeys(
  set: Reader,
  upload: { readonly bucketId: number; readonly uploadId: Uint8Array },
  after: Uint8Array | undefined,
  limit: number,
): Uint8Array[] {
  const prefix = partKey(upload.bucketId, upload.uploadId);
  const found: Uint8Array[] = [];
  set.scan({ start: after === undefined ? prefix : concatBytes([after, Uint8Array.of(0)]), end: endOf(prefix) }, (indexKey) => {
    found.push(indexKey.slice());
    return found.length < limit;
  });
  return found;
}

/** The blobs an entry of any kind names. */
export function blobsOf(indexKey: Uint8Array, value: Uint8Array): readonly BlobLocation[] {
  const tag = indexKey[0];
  if (tag === keyTags.part) return oneOrNone(unpackPartRecord(value).blob);
  return tag === keyTags.current || tag === keyTags.version ? blobsOfRecord(unpackObjectRecord(value)) : [];
}

/** An entry's value with other blobs in the place of those it names; undefined keeps one. */
export function withBlobs(indexKey: Uint8Array, value: Uint8Array, replace: (blob: BlobLocation) => BlobLocation | undefined): Uint8Array {
  const swap = (blob: BlobLocation | undefined): BlobLocation | undefined => (blob === undefined ? undefined : (replace(blob) ?? blob));
  if (indexKey[0] === keyTags.part) {
    const part = unpackPartRecord(value);
    return packPartRecord({ ...part, blob: swap(part.blob) });
  }
  const record = unpackObjectRecord(value);
  const segments = record.segments?.map((segment) => ({ ...segment, blob: swap(segment.blob) }));
  return packObjectRecord({ ...record, blob: swap(record.blob), segments });
}

/** The object key in the index key of any entry but a part's. */
export function objectKeyOf(indexKey: Uint8Array): ObjectKey {
  const bucketId = new DataView(indexKey.buffer, indexKey.byteOffset).getUint32(1);
  const keyBytes = indexKey[0] === keyTags.current ? indexKey.slice(keyHeadBytes) : unescapeKey(indexKey).keyBytes;
  return { bucketId, keyBytes };
}

/** The greatest order in an entry: of the operation that put it, or of the version it describes. */
export function orderIn(indexKey: Uint8Array, entry: { readonly order: number; readonly value: Uint8Array }): number {
  const isVersion = indexKey[0] === keyTags.current || indexKey[0] === keyTags.version;
  return isVersion ? Math.max(entry.order, unpackObjectRecord(entry.value).order) : entry.order;
}

/** A text that stands for an object key in maps. */
export function keyText({ bucketId, keyBytes }: ObjectKey): string {
  return `${bucketId}:${Buffer.from(keyBytes.buffer, keyBytes.byteOffset, keyBytes.byteLength).toString("latin1")}`;
}

/** A text that stands for a blob in maps. */
export function blobText(blob: BlobLocation): string {
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength).toString("latin1");
}

function ownerEntry(indexKey: Uint8Array, value: Uint8Array): OwnerEntry {
  if (indexKey[0] === keyTags.upload) {
    return { indexKey: indexKey.slice(), uploadId: indexKey.slice(unescapeKey(indexKey).suffixAt), blobCount: 0 };
  }
  const record = unpackObjectRecord(value);
  return { indexKey: indexKey.slice(), uploadId: record.uploadId?.slice(), blobCount: blobsOfRecord(record).length };
}

function blobsOfRecord(record: ObjectRecord): readonly BlobLocation[] {
  if (record.blob !== undefined) return [record.blob];
  return (record.segments ?? []).flatMap((segment) => oneOrNone(segment.blob));
}

function oneOrNone<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}

function currentKeyOf({ bucketId, keyBytes }: ObjectKey): Uint8Array {
  return concatBytes([keyHead(keyTags.current, bucketId), keyBytes]);
}
