import type { ObjectInfo } from "../object/object-info.ts";

/** What is known of an object, as JSON shows it. */
export function objectDocument(bucket: string, info: ObjectInfo): Record<string, unknown> {
  const { key, size, etag, lastModified, versionId, metadata, tagCount, checksums, partCount } = info;
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires } = info;
  const content = { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires };
  return { bucket, key, size, etag, lastModified, versionId, ...content, metadata, tagCount, checksums, partCount };
}
