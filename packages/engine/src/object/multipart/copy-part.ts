import { throwIfAborted } from "../../base/errors.ts";
import type { ObjectContext } from "../context.ts";
import { storeSource } from "../copy-object.ts";
import { type CopySource, openSource } from "../copy-source.ts";
import type { RangeRequest } from "../range.ts";
import { validateOptions } from "../validate.ts";
import { versionIdOf } from "../version-id.ts";
import { locateUpload, requireUpload, type UploadReference } from "./find-upload.ts";
import { commitPart, type UploadedPart, validatePartNumber } from "./upload-part.ts";

/** Options of a copied part. */
export interface CopyPartOptions {
  /** The bytes of the source wanted; all of it when left out. */
  readonly range?: RangeRequest | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a copied part answers. */
export interface CopiedPart extends UploadedPart {
  readonly sourceVersionId: string | undefined;
}

/** Makes a part from a stored object, or a range of one. */
export async function copyPart(
  context: ObjectContext,
  bucketName: string,
  upload: UploadReference,
  part: { readonly partNumber: number; readonly source: CopySource },
  options: CopyPartOptions = {},
): Promise<CopiedPart> {
  validateOptions(options);
  throwIfAborted(options.signal);
  validatePartNumber(part.partNumber);
  const address = locateUpload(context, bucketName, upload);
  requireUpload(address.set, address);
  const source = await openSource(context, bucketName, part.source, { range: options.range });
  const body = await storeSource(context, address, source, { checksums: [], signal: options.signal });
  const sourceVersionId = source.address.bucket.record.versioning === "off" ? undefined : versionIdOf(source.record);
  return { ...(await commitPart(context, address, { partNumber: part.partNumber, body }, options.signal)), sourceVersionId };
}
