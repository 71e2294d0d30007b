/**
 * Listing versions: keys in order, the versions of a key from newest to oldest. Current objects and older versions are kept apart
 * (see versions.ts), so every set is scanned twice and the two are merged.
 */
import { compareBytes } from "../base/bytes.ts";
import { throwIfAborted } from "../base/errors.ts";
import { listPageMax } from "../base/limits.ts";
import type { ErasureSet } from "../set/erasure-set.ts";
import type { BucketState } from "./bucket-record.ts";
import { bucketNotFound, type KeyAddress, type ObjectContext } from "./context.ts";
import { currentKey, keyHeadBytes, keyTags, versionKey } from "./keys.ts";
import { mergeNames, type SetPage } from "./list-merge.ts";
import { type ListedPrefix, type ListOptions, nameText, type ParsedListOptions, parseListOptions } from "./list-objects.ts";
import { commonPrefix, type ListedName, type ListFilter, notBefore, scanNames, startAfterName } from "./list-scan.ts";
import { type ObjectRecord, recordKinds, unpackObjectRecord } from "./object-record.ts";
import { invalidArgument, validateInteger } from "./validate.ts";
import { parseVersionId, versionIdOf } from "./version-id.ts";
import { currentVersion, newestOlderVersion, selectVersion } from "./versions.ts";

/** Options of one page of versions. */
export interface ListVersionsPageOptions extends ListOptions {
  /** With `startAfter`: go on after this version of that key. */
  readonly startAfterVersion?: string | undefined;
  /** At most this many versions and common prefixes; 1,000 when left out, which is also the most. */
  readonly maxKeys?: number | undefined;
}

/** A version, or a delete marker, in a listing. */
export interface ListedVersion {
  readonly key: string;
  readonly prefix?: undefined;
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly deleteMarker: boolean;
  readonly size: number;
  /** Without quotes; empty for a delete marker. */
  readonly etag: string;
  readonly lastModified: Date;
}

export type ListVersionsEntry = ListedVersion | ListedPrefix;

/** One page of versions. */
export interface ListVersionsPage {
  readonly entries: readonly ListVersionsEntry[];
  /** Options that go on with the next page; undefined on the last one. */
  readonly next: { readonly startAfter: string; readonly startAfterVersion: string | undefined } | undefined;
}

interface FoundVersion {
  readonly record: ObjectRecord;
  readonly isLatest: boolean;
}

/** Where a listing goes on: after one version of a key, or after all of a name. */
interface Position {
  readonly name: Uint8Array;
  readonly afterOrder: number | undefined;
}

/** One page of a bucket's versions. */
export async function listVersionsPage(
  context: ObjectContext,
  bucketName: string,
  options: ListVersionsPageOptions = {},
): Promise<ListVersionsPage> {
  const listing = parseListOptions(context, bucketName, options);
  validateInteger("maxKeys", options.maxKeys, { min: 0, max: listPageMax });
  const maxKeys = options.maxKeys ?? listPageMax;
  const position = startPosition(context, listing, options.startAfterVersion);
  const names = readPage(context, listing, position, maxKeys === 0 ? 0 : maxKeys + 1);
  const entries = names.slice(0, maxKeys).map(versionEntry);
  const last = entries.at(-1);
  if (last === undefined || names.length <= maxKeys) return { entries, next: undefined };
  const next =
    last.prefix === undefined
      ? { startAfter: last.key, startAfterVersion: last.versionId }
      : { startAfter: last.prefix, startAfterVersion: undefined };
  return { entries, next };
}

/** All of a bucket's versions, page by page as they are asked for. */
export async function* listVersions(
  context: ObjectContext,
  bucketName: string,
  options: ListOptions = {},
): AsyncGenerator<ListVersionsEntry, void, undefined> {
  const listing = parseListOptions(context, bucketName, options);
  let position = startPosition(context, listing, undefined);
  for (;;) {
    throwIfAborted(options.signal);
    if (listing.bucket.deleted) throw bucketNotFound(bucketName);
    const names = readPage(context, listing, position, listPageMax);
    for (const name of names) yield versionEntry(name);
    const last = names.at(-1);
    if (last === undefined || names.length < listPageMax) return;
    position = positionOf(last);
  }
}

function readPage(
  context: ObjectContext,
  listing: ParsedListOptions,
  position: Position | undefined,
  limit: number,
): ListedName<FoundVersion>[] {
  const { topology } = context;
  return mergeNames<FoundVersion>({ topology, bucketId: listing.filter.bucketId, limit }, (page) => {
    return readSet(page, listing, page.last === undefined ? position : positionOf(page.last));
  });
}

function readSet(
  { set, limit, isShown }: SetPage<FoundVersion>,
  { bucket, filter }: ParsedListOptions,
  position: Position | undefined,
): ListedName<FoundVersion>[] {
  const scan = (tag: number, most: number): ListedName<ObjectRecord>[] => {
    const start = position === undefined ? undefined : startAt(tag, filter, position);
    return scanNames(set, { filter, tag, start, limit: most, isShown, decode: (_key, entry) => unpackObjectRecord(entry.value) });
  };
  const current = scan(keyTags.current, limit + 1);
  if (position !== undefined && isPassed(current[0], position)) current.shift();
  let previous: Uint8Array | undefined;
  return mergeKinds(current, scan(keyTags.version, limit), limit).map(({ name, value }, at) => {
    if (value === undefined) return { name, value };
    const isFirstOfKey = previous === undefined || compareBytes(previous, name) !== 0;
    previous = name;
    const continues = at === 0 && position?.afterOrder !== undefined && compareBytes(position.name, name) === 0;
    return { name, value: { record: value, isLatest: continues ? isNewest(addressOf(set, bucket, name), value) : isFirstOfKey } };
  });
}

/** Current objects before older versions of the same key; common prefixes once. */
function mergeKinds(
  current: readonly ListedName<ObjectRecord>[],
  older: readonly ListedName<ObjectRecord>[],
  limit: number,
): ListedName<ObjectRecord>[] {
  const merged: ListedName<ObjectRecord>[] = [];
  let a = 0;
  let b = 0;
  while (merged.length < limit) {
    const left = current[a];
    const right = older[b];
    if (left === undefined && right === undefined) break;
    const order = left === undefined ? 1 : right === undefined ? -1 : compareBytes(left.name, right.name);
    if (order === 0 && left?.value === undefined) b++;
    merged.push((order <= 0 ? left : right) as ListedName<ObjectRecord>);
    if (order <= 0) a++;
    else b++;
  }
  return merged;
}

/** In the middle of a key the current object is looked at again: an older version may have become it since the page before. */
function startAt(tag: number, filter: ListFilter, { name, afterOrder }: Position): Uint8Array {
  if (afterOrder === undefined || commonPrefix(filter, name) !== undefined) return startAfterName(tag, filter, name);
  if (tag === keyTags.current) return notBefore(tag, filter, currentKey(filter.bucketId, nameText(name)));
  const exact = versionKey(filter.bucketId, name, afterOrder);
  const next = new Uint8Array(exact.byteLength + 1);
  next.set(exact);
  return notBefore(tag, filter, next);
}

/** True when the listing has shown this current object, or a version older than it, already. */
function isPassed(current: ListedName<ObjectRecord> | undefined, position: Position): boolean {
  if (current?.value === undefined || position.afterOrder === undefined) return false;
  return compareBytes(current.name, position.name) === 0 && current.value.order >= position.afterOrder;
}

/** For a page that starts in the middle of a key: newer versions may have gone since the page before. */
function isNewest(address: KeyAddress, record: ObjectRecord): boolean {
  const newest = currentVersion(address.set, address) ?? newestOlderVersion(address.set, address);
  return newest?.record.order === record.order;
}

function startPosition(
  context: ObjectContext,
  { bucket, startAfter }: ParsedListOptions,
  versionId: string | undefined,
): Position | undefined {
  const selector = parseVersionId(versionId);
  if (startAfter === undefined) {
    if (selector !== undefined) throw invalidArgument("startAfterVersion", versionId, "needs startAfter, the key it is a version of");
    return undefined;
  }
  if (typeof selector !== "string") return { name: startAfter, afterOrder: selector };
  const set = context.topology.ownerOf({ bucketId: bucket.record.id, keyBytes: startAfter });
  const order = selectVersion(set, addressOf(set, bucket, startAfter), selector)?.record.order;
  return { name: startAfter, afterOrder: order ?? Number.MAX_SAFE_INTEGER };
}

function addressOf(set: ErasureSet, bucket: BucketState, name: Uint8Array): KeyAddress {
  const key = nameText(name);
  const current = currentKey(bucket.record.id, key);
  return { key, bucket, set, currentKey: current, keyBytes: current.subarray(keyHeadBytes) };
}

function positionOf(last: ListedName<FoundVersion>): Position {
  return { name: last.name, afterOrder: last.value?.record.order };
}

function versionEntry({ name, value }: ListedName<FoundVersion>): ListVersionsEntry {
  if (value === undefined) return { prefix: nameText(name) };
  const { record, isLatest } = value;
  return {
    key: nameText(name),
    versionId: versionIdOf(record),
    isLatest,
    deleteMarker: record.kind === recordKinds.marker,
    size: record.sizeBytes,
    etag: record.etag,
    lastModified: new Date(record.modifiedMs),
  };
}
