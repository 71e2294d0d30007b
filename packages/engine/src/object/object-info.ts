import { type ContentHeaders, publicContent } from "./attributes.ts";
import { type ObjectChecksums, publicChecksums } from "./checksums.ts";
import type { KeyAddress } from "./context.ts";
import type { ObjectRecord } from "./object-record.ts";
import { expandPairs } from "./pairs.ts";
import { versionIdOf } from "./version-id.ts";

/** What is known of a stored object, without its body. */
export interface ObjectInfo extends ContentHeaders {
  readonly key: string;
  /** Bytes of the whole object, also when a range was asked for. */
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly lastModified: Date;
  /** Undefined where the bucket's versioning was never enabled. */
  readonly versionId: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tagCount: number;
  readonly checksums: ObjectChecksums;
  /** Parts of a multipart object; undefined for others. */
  readonly partCount: number | undefined;
}

/** A record as callers see it. */
export function objectInfo(address: KeyAddress, record: ObjectRecord): ObjectInfo {
  return {
    key: address.key,
    size: record.sizeBytes,
    etag: record.etag,
    lastModified: new Date(record.modifiedMs),
    versionId: address.bucket.record.versioning === "off" ? undefined : versionIdOf(record),
    ...publicContent(record.content),
    metadata: expandPairs(record.metadata),
    tagCount: (record.tags?.length ?? 0) / 2,
    checksums: publicChecksums(record.checksums),
    partCount: record.segments?.length,
  };
}
