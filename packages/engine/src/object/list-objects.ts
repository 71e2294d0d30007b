import { utf8 } from "../base/bytes.ts";
import { throwIfAborted } from "../base/errors.ts";
import { listPageMax } from "../base/limits.ts";
import type { BucketState } from "./bucket-record.ts";
import { type ObjectChecksums, publicChecksums } from "./checksums.ts";
import { bucketNotFound, type ObjectContext, requireBucket } from "./context.ts";
import { keyTags } from "./keys.ts";
import { mergeNames } from "./list-merge.ts";
import { type ListedName, type ListFilter, scanNames, startAfterName } from "./list-scan.ts";
import { formatToken, parseToken } from "./list-token.ts";
import { type ObjectRecord, unpackObjectRecord } from "./object-record.ts";
import { invalidArgument, validateInteger, validateOptions, validateText } from "./validate.ts";

/** Options of every listing. */
export interface ListOptions {
  /** Only keys that start with this. */
  readonly prefix?: string | undefined;
  /** Keys are rolled up to common prefixes at the first of these after the prefix. Any text. */
  readonly delimiter?: string | undefined;
  /** Only keys and common prefixes after this, in the order of UTF-8 bytes. */
  readonly startAfter?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of one page. */
export interface ListPageOptions extends ListOptions {
  /** From the page before; it overrules `startAfter`. */
  readonly continuationToken?: string | undefined;
  /** At most this many keys and common prefixes; 1,000 when left out, which is also the most. */
  readonly maxKeys?: number | undefined;
}

/** An object in a listing. */
export interface ListedObject {
  readonly key: string;
  readonly prefix?: undefined;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly lastModified: Date;
  readonly checksums: ObjectChecksums;
}

/** A common prefix in a listing. */
export interface ListedPrefix {
  readonly prefix: string;
  readonly key?: undefined;
  readonly size?: undefined;
  readonly etag?: undefined;
  readonly lastModified?: undefined;
}

/** What a listing is made of. */
export type ListEntry = ListedObject | ListedPrefix;

/** One page of a listing, in the order of UTF-8 bytes. */
export interface ListPage {
  readonly entries: readonly ListEntry[];
  /** Undefined on the last page. */
  readonly continuationToken: string | undefined;
}

/** One page of a bucket's live objects. Costs the same however many keys there are, and one seek for a folder of any size. */
export async function listObjectsPage(context: ObjectContext, bucketName: string, options: ListPageOptions = {}): Promise<ListPage> {
  const { filter, startAfter } = parseListOptions(context, bucketName, options);
  validateInteger("maxKeys", options.maxKeys, { min: 0, max: listPageMax });
  const maxKeys = options.maxKeys ?? listPageMax;
  const after = options.continuationToken === undefined ? startAfter : parseToken(filter, options.continuationToken);
  const names = readPage(context, filter, after, maxKeys === 0 ? 0 : maxKeys + 1);
  const page = names.slice(0, maxKeys);
  const last = page.at(-1);
  const isTruncated = last !== undefined && names.length > maxKeys;
  return { entries: page.map(listEntry), continuationToken: isTruncated ? formatToken(filter, last.name) : undefined };
}

/** All of a bucket's live objects, page by page as they are asked for. Sees changes made meanwhile to keys not yet reached. */
export async function* listObjects(
  context: ObjectContext,
  bucketName: string,
  options: ListOptions = {},
): AsyncGenerator<ListEntry, void, undefined> {
  const { bucket, filter, startAfter } = parseListOptions(context, bucketName, options);
  let after = startAfter;
  for (;;) {
    throwIfAborted(options.signal);
    if (bucket.deleted) throw bucketNotFound(bucketName);
    const names = readPage(context, filter, after, listPageMax);
    for (const name of names) yield listEntry(name);
    if (names.length < listPageMax) return;
    after = names.at(-1)?.name;
  }
}

/** A listing's options, validated. */
export interface ParsedListOptions {
  readonly bucket: BucketState;
  readonly filter: ListFilter;
  readonly startAfter: Uint8Array | undefined;
}

/** The bucket, filter and start of a listing. @throws BUCKET_NOT_FOUND, ARGUMENT_INVALID */
export function parseListOptions(context: ObjectContext, bucketName: string, options: ListOptions): ParsedListOptions {
  validateOptions(options);
  throwIfAborted(options.signal);
  validateText("prefix", options.prefix);
  validateText("delimiter", options.delimiter);
  validateText("startAfter", options.startAfter);
  if (options.prefix !== undefined && options.prefix.length > 1024)
    throw invalidArgument("prefix", options.prefix, "is longer than any key");
  const bucket = requireBucket(context, bucketName);
  const delimiter = options.delimiter === undefined || options.delimiter === "" ? undefined : utf8(options.delimiter);
  const startAfter = options.startAfter === undefined || options.startAfter === "" ? undefined : utf8(options.startAfter);
  return { bucket, filter: { bucketId: bucket.record.id, prefix: utf8(options.prefix ?? ""), delimiter }, startAfter };
}

/** The text of a name. Names are UTF-8 by construction. */
export function nameText(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("utf8");
}

function readPage(context: ObjectContext, filter: ListFilter, after: Uint8Array | undefined, limit: number): ListedName<ObjectRecord>[] {
  const { topology } = context;
  return mergeNames<ObjectRecord>({ topology, bucketId: filter.bucketId, limit }, (page) => {
    const from = page.last?.name ?? after;
    const start = from === undefined ? undefined : startAfterName(keyTags.current, filter, from);
    return scanNames(page.set, {
      filter,
      tag: keyTags.current,
      start,
      limit: page.limit,
      isShown: page.isShown,
      decode: (_key, entry) => unpackObjectRecord(entry.value),
    });
  });
}

function listEntry({ name, value }: ListedName<ObjectRecord>): ListEntry {
  if (value === undefined) return { prefix: nameText(name) };
  const { sizeBytes, etag, modifiedMs, checksums } = value;
  return { key: nameText(name), size: sizeBytes, etag, lastModified: new Date(modifiedMs), checksums: publicChecksums(checksums) };
}
