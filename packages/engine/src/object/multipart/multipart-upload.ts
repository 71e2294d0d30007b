import type { ObjectBody } from "../body.ts";
import type { ObjectContext } from "../context.ts";
import type { CopySource } from "../copy-source.ts";
import type { PutResult } from "../put-object.ts";
import { abortUpload } from "./abort-upload.ts";
import { type CompletedPart, type CompleteUploadOptions, completeUpload } from "./complete-upload.ts";
import { type CopiedPart, type CopyPartOptions, copyPart } from "./copy-part.ts";
import { type ListPartsOptions, type ListPartsPage, listParts } from "./list-parts.ts";
import { type UploadedPart, type UploadPartOptions, uploadPart } from "./upload-part.ts";

/**
 * A multipart upload under way: an object made of parts that are uploaded in any order, at the same time, over days and restarts.
 *
 * @example
 * ```ts
 * const upload = await bucket.createUpload("film.mp4", { contentType: "video/mp4" });
 * const first = await upload.uploadPart(1, firstBytes);
 * const second = await upload.uploadPart(2, secondBytes);
 * await upload.complete([first, second]);
 * ```
 */
export class MultipartUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly #context: ObjectContext;
  readonly #bucketName: string;

  /** @internal */
  constructor(context: ObjectContext, bucketName: string, upload: { readonly key: string; readonly uploadId: string }) {
    this.#context = context;
    this.#bucketName = bucketName;
    this.key = upload.key;
    this.uploadId = upload.uploadId;
  }

  /** Stores a part; one of the same number is replaced. @throws UPLOAD_NOT_FOUND, BODY_INVALID, BODY_LENGTH_MISMATCH, CHECKSUM_MISMATCH */
  uploadPart(partNumber: number, body: ObjectBody, options?: UploadPartOptions): Promise<UploadedPart> {
    return uploadPart(this.#context, this.#bucketName, this, { partNumber, body }, options);
  }

  /** Makes a part from a stored object or a range of one. @throws UPLOAD_NOT_FOUND, OBJECT_NOT_FOUND, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE */
  copyPart(partNumber: number, source: CopySource, options?: CopyPartOptions): Promise<CopiedPart> {
    return copyPart(this.#context, this.#bucketName, this, { partNumber, source }, options);
  }

  /** One page of the parts uploaded so far. @throws UPLOAD_NOT_FOUND */
  listParts(options?: ListPartsOptions): Promise<ListPartsPage> {
    return listParts(this.#context, this.#bucketName, this, options);
  }

  /**
   * Turns the parts into the object, all of them when `parts` is left out. Repeating it answers the same while the object is there.
   * @throws UPLOAD_NOT_FOUND, PART_INVALID, PART_ORDER_INVALID, PART_TOO_SMALL, PRECONDITION_FAILED
   */
  complete(parts?: readonly CompletedPart[], options?: CompleteUploadOptions): Promise<PutResult> {
    return completeUpload(this.#context, this.#bucketName, this, parts, options);
  }

  /** Ends the upload and frees its parts. @throws UPLOAD_NOT_FOUND */
  abort(options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    return abortUpload(this.#context, this.#bucketName, this, options);
  }
}
