/**
 * How the versions of a key are kept, and the changes that keep it so.
 *
 *   current key   the newest version, when that is an object
 *   version keys  every other version, and every delete marker, newest first
 *
 * So a key whose newest version is a delete marker has no current entry: listings and reads of live objects never meet markers. An
 * entry that moves from one place to the other takes its value and payload along unchanged. All of this runs inside `decide`.
 */
import { equalBytes } from "../base/bytes.ts";
import type { SetEntry, SetTransaction } from "../set/erasure-set.ts";
import type { KeyAddress } from "./context.ts";
import { endOf, escapedKey, keyTags, partKey, versionKey } from "./keys.ts";
import { type ObjectRecord, packObjectRecord, recordKinds, unpackObjectRecord } from "./object-record.ts";
import { nullVersionId, type VersionSelector } from "./version-id.ts";

/** One stored version and where it is kept. */
export interface StoredVersion {
  readonly indexKey: Uint8Array;
  readonly entry: SetEntry;
  readonly record: ObjectRecord;
  readonly isCurrent: boolean;
}

/** What can be read by: a transaction, or a set's committed state. */
export type VersionReader = Pick<SetTransaction, "get" | "scan">;

/** The live object under a key, if any. */
export function currentVersion(reader: VersionReader, address: KeyAddress): StoredVersion | undefined {
  const entry = reader.get(address.currentKey);
  return entry === undefined
    ? undefined
    : { indexKey: address.currentKey, entry, record: unpackObjectRecord(entry.value), isCurrent: true };
}

/** The newest of the versions that are not current. */
export function newestOlderVersion(reader: VersionReader, address: KeyAddress): StoredVersion | undefined {
  return findOlderVersion(reader, address, () => true);
}

/** The version an id names, wherever it is kept. */
export function selectVersion(reader: VersionReader, address: KeyAddress, selector: VersionSelector): StoredVersion | undefined {
  const current = currentVersion(reader, address);
  if (current !== undefined && isSelected(current.record, selector)) return current;
  if (selector === nullVersionId) return findOlderVersion(reader, address, (record) => record.isNull);
  const indexKey = versionKey(address.bucket.record.id, address.keyBytes, selector);
  const entry = reader.get(indexKey);
  const record = entry === undefined ? undefined : unpackObjectRecord(entry.value);
  if (entry === undefined || record === undefined || record.isNull) return undefined;
  return { indexKey, entry, record, isCurrent: false };
}

/** The record of the newest version that a multipart upload made, if it is still there. */
export function findMadeBy(reader: VersionReader, address: KeyAddress, uploadId: Uint8Array): ObjectRecord | undefined {
  const isMade = (record: ObjectRecord): boolean => record.uploadId !== undefined && equalBytes(record.uploadId, uploadId);
  const current = currentVersion(reader, address);
  if (current !== undefined && isMade(current.record)) return current.record;
  return address.bucket.record.versioning === "off" ? undefined : findOlderVersion(reader, address, isMade)?.record;
}

/** True when a new version of this bucket gets the id "null". */
export function makesNullVersions(address: KeyAddress): boolean {
  return address.bucket.record.versioning !== "enabled";
}

/** Puts a new object in front of whatever `current` is; what it replaces is given up or becomes an older version, as the bucket says. */
export function installCurrent(
  tx: SetTransaction,
  address: KeyAddress,
  current: StoredVersion | undefined,
  record: ObjectRecord,
  payload?: number,
): void {
  retireCurrent(tx, address, current);
  tx.put(address.currentKey, packObjectRecord(record), payload);
}

/** Puts a delete marker in front of whatever `current` is. */
export function installMarker(tx: SetTransaction, address: KeyAddress, current: StoredVersion | undefined, marker: ObjectRecord): void {
  retireCurrent(tx, address, current);
  if (current !== undefined) tx.delete(address.currentKey);
  tx.put(versionKey(address.bucket.record.id, address.keyBytes, marker.order), packObjectRecord(marker));
}

/** Removes one version for good; when it was the current one, the newest older object takes its place. */
export function removeVersion(tx: SetTransaction, address: KeyAddress, version: StoredVersion): void {
  releaseBody(tx, address, version.record);
  tx.delete(version.indexKey);
  if (address.bucket.record.versioning === "off") return;
  const heir = tx.get(address.currentKey) === undefined ? newestOlderVersion(tx, address) : undefined;
  if (heir === undefined || heir.record.kind === recordKinds.marker) return;
  tx.put(address.currentKey, heir.entry.value, heir.entry.payload);
  tx.delete(heir.indexKey);
}

/** Gives up everything a version's body occupies besides its own entry. */
function releaseBody(tx: SetTransaction, address: KeyAddress, record: ObjectRecord): void {
  if (record.blob !== undefined) tx.removeBlob(record.blob);
  for (const segment of record.segments ?? []) {
    if (segment.blob !== undefined) tx.removeBlob(segment.blob);
    else tx.delete(partKey(address.bucket.record.id, record.uploadId as Uint8Array, segment.partNumber));
  }
}

/** Makes room at the front of a key's versions. The current entry itself is left to be overwritten or deleted by the caller. */
function retireCurrent(tx: SetTransaction, address: KeyAddress, current: StoredVersion | undefined): void {
  const { versioning } = address.bucket.record;
  if (current !== undefined) {
    const replaced = versioning === "off" || (versioning === "suspended" && current.record.isNull);
    if (replaced) releaseBody(tx, address, current.record);
    else tx.put(versionKey(address.bucket.record.id, address.keyBytes, current.record.order), current.entry.value, current.entry.payload);
    if (replaced) return;
  }
  if (versioning !== "suspended") return;
  const oldNull = findOlderVersion(tx, address, (record) => record.isNull);
  if (oldNull === undefined) return;
  releaseBody(tx, address, oldNull.record);
  tx.delete(oldNull.indexKey);
}

function findOlderVersion(
  reader: VersionReader,
  address: KeyAddress,
  accepts: (record: ObjectRecord) => boolean,
): StoredVersion | undefined {
  const start = escapedKey(keyTags.version, address.bucket.record.id, address.keyBytes);
  let found: StoredVersion | undefined;
  reader.scan({ start, end: endOf(start) }, (indexKey, load) => {
    const entry = load();
    const record = unpackObjectRecord(entry.value);
    if (!accepts(record)) return true;
    found = { indexKey, entry, record, isCurrent: false };
    return false;
  });
  return found;
}

function isSelected(record: ObjectRecord, selector: VersionSelector): boolean {
  return selector === nullVersionId ? record.isNull : !record.isNull && record.order === selector;
}
