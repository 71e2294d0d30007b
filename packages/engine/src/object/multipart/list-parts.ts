import { throwIfAborted } from "../../base/errors.ts";
import { listPageMax, partsMax } from "../../base/limits.ts";
import { publicChecksums } from "../checksums.ts";
import type { ObjectContext } from "../context.ts";
import { validateInteger, validateOptions } from "../validate.ts";
import { locateUpload, readParts, requireUpload, type UploadReference } from "./find-upload.ts";
import type { UploadedPart } from "./upload-part.ts";

/** Options of one page of parts. */
export interface ListPartsOptions {
  /** Only parts with a higher number. */
  readonly startAfter?: number | undefined;
  /** At most this many; 1,000 when left out, which is also the most. */
  readonly maxParts?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One page of an upload's parts, by number. */
export interface ListPartsPage {
  readonly parts: readonly UploadedPart[];
  /** `startAfter` of the next page; undefined on the last one. */
  readonly next: number | undefined;
}

/** Lists the parts of an upload under way. */
export async function listParts(
  context: ObjectContext,
  bucketName: string,
  upload: UploadReference,
  options: ListPartsOptions = {},
): Promise<ListPartsPage> {
  validateOptions(options);
  throwIfAborted(options.signal);
  validateInteger("startAfter", options.startAfter, { min: 0, max: partsMax });
  validateInteger("maxParts", options.maxParts, { min: 0, max: listPageMax });
  const maxParts = options.maxParts ?? listPageMax;
  const address = locateUpload(context, bucketName, upload);
  requireUpload(address.set, address);
  const found = readParts(address.set, address, { after: options.startAfter ?? 0, limit: maxParts === 0 ? 0 : maxParts + 1 });
  const parts = found.slice(0, maxParts).map(({ partNumber, record }) => ({
    partNumber,
    etag: record.etag,
    size: record.sizeBytes,
    lastModified: new Date(record.modifiedMs),
    checksums: publicChecksums(record.checksums),
  }));
  return { parts, next: found.length > maxParts ? parts.at(-1)?.partNumber : undefined };
}
