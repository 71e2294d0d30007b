import { fromHex, toHex } from "../../base/bytes.ts";
import { listPageMax } from "../../base/limits.ts";
import type { ObjectContext } from "../context.ts";
import { keyTags, uploadIdBytes, uploadKey } from "../keys.ts";
import { mergeNames } from "../list-merge.ts";
import { type ListedPrefix, type ListOptions, nameText, parseListOptions } from "../list-objects.ts";
import { commonPrefix, type ListFilter, notBefore, scanNames, startAfterName } from "../list-scan.ts";
import { invalidArgument, validateInteger } from "../validate.ts";
import { unpackUploadRecord } from "./upload-record.ts";

/** Options of one page of uploads. */
export interface ListUploadsOptions extends ListOptions {
  /** With `startAfter`: go on after this upload of that key. */
  readonly startAfterUploadId?: string | undefined;
  /** At most this many uploads and common prefixes; 1,000 when left out, which is also the most. */
  readonly maxUploads?: number | undefined;
}

/** An upload under way, in a listing. */
export interface ListedUpload {
  readonly key: string;
  readonly prefix?: undefined;
  readonly uploadId: string;
  readonly startedAt: Date;
}

export type ListUploadsEntry = ListedUpload | ListedPrefix;

/** One page of uploads: by key, then by age. */
export interface ListUploadsPage {
  readonly entries: readonly ListUploadsEntry[];
  /** Options that go on with the next page; undefined on the last one. */
  readonly next: { readonly startAfter: string; readonly startAfterUploadId: string | undefined } | undefined;
}

interface FoundUpload {
  readonly uploadId: Uint8Array;
  readonly startedMs: number;
}

/** Lists the multipart uploads under way in a bucket. */
export async function listUploads(context: ObjectContext, bucketName: string, options: ListUploadsOptions = {}): Promise<ListUploadsPage> {
  const { filter, startAfter } = parseListOptions(context, bucketName, options);
  validateInteger("maxUploads", options.maxUploads, { min: 0, max: listPageMax });
  const maxUploads = options.maxUploads ?? listPageMax;
  const uploadId = parseMarker(options.startAfterUploadId, startAfter);
  const { topology } = context;
  const listing = { topology, bucketId: filter.bucketId, limit: maxUploads === 0 ? 0 : maxUploads + 1 };
  const names = mergeNames<FoundUpload>(listing, ({ set, last, limit, isShown }) => {
    const name = last?.name ?? startAfter;
    const start = name === undefined ? undefined : startAt(filter, name, last === undefined ? uploadId : last.value?.uploadId);
    return scanNames(set, {
      filter,
      tag: keyTags.upload,
      start,
      limit,
      isShown,
      decode: (indexKey, entry, suffixAt) => ({ uploadId: indexKey.slice(suffixAt), startedMs: unpackUploadRecord(entry.value).startedMs }),
    });
  });
  const entries = names.slice(0, maxUploads).map(({ name, value }): ListUploadsEntry => {
    const text = nameText(name);
    return value === undefined ? { prefix: text } : { key: text, uploadId: toHex(value.uploadId), startedAt: new Date(value.startedMs) };
  });
  const last = entries.at(-1);
  if (last === undefined || names.length <= maxUploads) return { entries, next: undefined };
  return {
    entries,
    next:
      last.prefix === undefined
        ? { startAfter: last.key, startAfterUploadId: last.uploadId }
        : { startAfter: last.prefix, startAfterUploadId: undefined },
  };
}

function startAt(filter: ListFilter, name: Uint8Array, uploadId: Uint8Array | undefined): Uint8Array {
  if (uploadId === undefined || commonPrefix(filter, name) !== undefined) return startAfterName(keyTags.upload, filter, name);
  const exact = uploadKey(filter.bucketId, name, uploadId);
  const next = new Uint8Array(exact.byteLength + 1);
  next.set(exact);
  return notBefore(keyTags.upload, filter, next);
}

function parseMarker(uploadId: string | undefined, startAfter: Uint8Array | undefined): Uint8Array | undefined {
  if (uploadId === undefined) return undefined;
  if (startAfter === undefined) throw invalidArgument("startAfterUploadId", uploadId, "needs startAfter, the key it is an upload of");
  const bytes = typeof uploadId === "string" ? fromHex(uploadId) : new Uint8Array(0);
  if (bytes.byteLength !== uploadIdBytes) throw invalidArgument("startAfterUploadId", uploadId, "is no upload id; use one from a listing");
  return bytes;
}
