/**
 * Scanning one set for the names of a listing: keys, and common prefixes, which cost one seek each however many keys they stand for.
 *
 * Works over any entries that start with an object key: current objects (the key as it is) and versions or uploads (the key escaped,
 * with a suffix). Names are bytes and sort byte by byte, which for UTF-8 is the order of code points.
 */
import { compareBytes, prefixEnd } from "../base/bytes.ts";
import type { ErasureSet, SetEntry } from "../set/erasure-set.ts";
import { endOf, escapedPrefix, keyHead, keyHeadBytes, keyTags, unescapeKey } from "./keys.ts";

/** What a listing is limited to. */
export interface ListFilter {
  readonly bucketId: number;
  readonly prefix: Uint8Array;
  /** Undefined for none; never empty. */
  readonly delimiter: Uint8Array | undefined;
}

/** A key, or a common prefix (without entry). */
export interface ListedName<T> {
  readonly name: Uint8Array;
  /** Undefined for a common prefix. */
  readonly value: T | undefined;
}

/** One scan: entries of one kind from an index key on. */
export interface NameScan<T> {
  readonly filter: ListFilter;
  /** One of `keyTags`. */
  readonly tag: number;
  /** First index key to look at; where the filter's prefix starts when undefined. */
  readonly start: Uint8Array | undefined;
  readonly limit: number;
  /** Answers whether a key is shown; all are when undefined. */
  readonly isShown?: ((name: Uint8Array) => boolean) | undefined;
  readonly decode: (indexKey: Uint8Array, entry: SetEntry, suffixAt: number) => T;
}

/** At most `limit` names in order; fewer only when there are no more. */
export function scanNames<T>(set: ErasureSet, scan: NameScan<T>): ListedName<T>[] {
  const { filter, tag, limit, decode } = scan;
  const names: ListedName<T>[] = [];
  if (limit <= 0) return names;
  const beginning = beginningOf(tag, filter);
  const range = { start: scan.start ?? beginning, end: endOf(beginning) };
  set.scan(range, (indexKey, entry) => {
    const { keyBytes, suffixAt } =
      tag === keyTags.current ? { keyBytes: indexKey.subarray(keyHeadBytes), suffixAt: 0 } : unescapeKey(indexKey);
    const folder = commonPrefix(filter, keyBytes);
    if (folder === undefined) {
      if (scan.isShown?.(keyBytes) === false) return true;
      names.push({ name: keyBytes, value: decode(indexKey, entry(), suffixAt) });
      return names.length < limit;
    }
    names.push({ name: folder, value: undefined });
    return names.length < limit && endOf(indexPrefix(tag, filter, folder));
  });
  return names;
}

/** The common prefix a key is rolled up in: up to and including the first delimiter after the filter's prefix. */
export function commonPrefix(filter: ListFilter, keyBytes: Uint8Array): Uint8Array | undefined {
  const { delimiter, prefix } = filter;
  if (delimiter === undefined) return undefined;
  const at = Buffer.from(keyBytes.buffer, keyBytes.byteOffset, keyBytes.byteLength).indexOf(delimiter, prefix.byteLength);
  return at < 0 ? undefined : keyBytes.subarray(0, at + delimiter.byteLength);
}

/** The first index key of a kind that comes after a name: after the key and all that hangs below it, or after the whole folder. */
export function startAfterName(tag: number, filter: ListFilter, name: Uint8Array): Uint8Array {
  const folder = commonPrefix(filter, name);
  return notBefore(tag, filter, folder === undefined ? startAfterKey(tag, filter, name) : endOf(indexPrefix(tag, filter, folder)));
}

/** `indexKey`, or where the filter's prefix begins when that is later. */
export function notBefore(tag: number, filter: ListFilter, indexKey: Uint8Array): Uint8Array {
  const beginning = beginningOf(tag, filter);
  return compareBytes(indexKey, beginning) < 0 ? beginning : indexKey;
}

function beginningOf(tag: number, filter: ListFilter): Uint8Array {
  return indexPrefix(tag, filter, filter.prefix);
}

function startAfterKey(tag: number, filter: ListFilter, name: Uint8Array): Uint8Array {
  const exact = indexPrefix(tag, filter, name);
  const next = new Uint8Array(exact.byteLength + 1);
  next.set(exact);
  return tag === keyTags.current ? next : (prefixEnd(next) as Uint8Array);
}

function indexPrefix(tag: number, filter: ListFilter, prefix: Uint8Array): Uint8Array {
  if (tag !== keyTags.current) return escapedPrefix(tag, filter.bucketId, prefix);
  const key = new Uint8Array(keyHeadBytes + prefix.byteLength);
  key.set(keyHead(tag, filter.bucketId));
  key.set(prefix, keyHeadBytes);
  return key;
}
