import type { ObjectBody } from "./body.ts";
import { type BucketInfo, bucketInfo } from "./bucket-info.ts";
import type { Versioning } from "./bucket-record.ts";
import { type ObjectContext, requireBucket } from "./context.ts";
import { type CopyOptions, type CopyResult, copyObject } from "./copy-object.ts";
import type { CopySource } from "./copy-source.ts";
import type { SignalOptions } from "./delete-bucket.ts";
import { type DeleteManyEntry, type DeleteManyResult, deleteMany } from "./delete-many.ts";
import { type DeleteOptions, type DeleteResult, deleteObject } from "./delete-object.ts";
import { type GetOptions, getObject } from "./get-object.ts";
import { type HeadOptions, headObject } from "./head-object.ts";
import { type ListEntry, type ListOptions, type ListPage, type ListPageOptions, listObjects, listObjectsPage } from "./list-objects.ts";
import {
  type ListVersionsEntry,
  type ListVersionsPage,
  type ListVersionsPageOptions,
  listVersions,
  listVersionsPage,
} from "./list-versions.ts";
import { type CreateUploadOptions, createUpload } from "./multipart/create-upload.ts";
import { type ListUploadsOptions, type ListUploadsPage, listUploads } from "./multipart/list-uploads.ts";
import { MultipartUpload } from "./multipart/multipart-upload.ts";
import type { ObjectInfo } from "./object-info.ts";
import { deleteObjectTags, getObjectTags, setObjectTags, type TagOptions } from "./object-tags.ts";
import { type PutManyEntry, type PutManyResult, putMany } from "./put-many.ts";
import { type PutOptions, type PutResult, putObject } from "./put-object.ts";
import { setVersioning } from "./set-versioning.ts";
import type { StoredObject } from "./stored-object.ts";
import type { ObjectTags } from "./validate-tags.ts";

/**
 * A bucket of a store, by name: every method looks the bucket up when it is called and fails with `BUCKET_NOT_FOUND` when there is none.
 *
 * Changes are durable and visible to every read and listing once their promise resolves; conditions and versions of a key are decided
 * in one order. Methods validate their arguments and reject with a `HoldfastError`.
 *
 * @example
 * ```ts
 * const photos = store.bucket("photos");
 * await photos.put("2026/cat.jpg", bytes, { contentType: "image/jpeg", ifNoneMatch: "*" });
 * const cat = await photos.get("2026/cat.jpg");
 * console.log(cat.size, await cat.bytes());
 * for await (const entry of photos.list({ prefix: "2026/", delimiter: "/" })) console.log(entry.key ?? entry.prefix);
 * ```
 */
export class Bucket {
  readonly name: string;
  readonly #context: ObjectContext;

  /** @internal */
  constructor(context: ObjectContext, name: string) {
    this.#context = context;
    this.name = name;
  }

  /** What is known of the bucket. @throws BUCKET_NOT_FOUND */
  async info(): Promise<BucketInfo> {
    return bucketInfo(requireBucket(this.#context, this.name));
  }

  /** True when there is such a bucket. */
  async exists(): Promise<boolean> {
    this.#context.checkOpen?.();
    return this.#context.buckets.has(this.name);
  }

  /** Enables or suspends versioning. @throws BUCKET_NOT_FOUND */
  setVersioning(versioning: Exclude<Versioning, "off">, options?: SignalOptions): Promise<void> {
    return setVersioning(this.#context, this.name, versioning, options);
  }

  /**
   * Puts an object, whole or not at all. A stream given as the body is read to its end, or destroyed when the put fails. Bytes are not
   * copied: leave them unchanged until the put settles.
   * @throws KEY_INVALID, BODY_INVALID, BODY_LENGTH_MISMATCH, CHECKSUM_MISMATCH, PRECONDITION_FAILED, WRITE_QUORUM_LOST, DRIVE_FULL, ABORTED
   */
  put(key: string, body: ObjectBody, options?: PutOptions): Promise<PutResult> {
    return putObject(this.#context, this.name, key, body, options);
  }

  /** Puts many objects, the small ones in one commit; answers in the order of the entries. @throws ARGUMENT_INVALID, ABORTED */
  putMany(entries: readonly PutManyEntry[], options?: SignalOptions): Promise<PutManyResult[]> {
    return putMany(this.#context, this.name, entries, options);
  }

  /**
   * Gets an object with its body open.
   * @throws OBJECT_NOT_FOUND, VERSION_NOT_FOUND, DELETE_MARKER, NOT_MODIFIED, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE, OBJECT_DAMAGED
   */
  get(key: string, options?: GetOptions): Promise<StoredObject> {
    return getObject(this.#context, this.name, key, options);
  }

  /** What is known of an object, without its body. @throws as `get` */
  head(key: string, options?: HeadOptions): Promise<ObjectInfo> {
    return headObject(this.#context, this.name, key, options);
  }

  /** Deletes an object (with versioning: puts a delete marker), or one version for good. @throws KEY_INVALID, PRECONDITION_FAILED */
  delete(key: string, options?: DeleteOptions): Promise<DeleteResult> {
    return deleteObject(this.#context, this.name, key, options);
  }

  /** Deletes many objects in one commit; answers in the order of the entries. @throws ARGUMENT_INVALID, ABORTED */
  deleteMany(entries: readonly DeleteManyEntry[], options?: SignalOptions): Promise<DeleteManyResult[]> {
    return deleteMany(this.#context, this.name, entries, options);
  }

  /** Copies an object of this bucket, or of another, to `key`. @throws OBJECT_NOT_FOUND, PRECONDITION_FAILED */
  copy(source: CopySource, key: string, options?: CopyOptions): Promise<CopyResult> {
    return copyObject(this.#context, this.name, source, key, options);
  }

  /** All objects in the order of UTF-8 bytes, with common prefixes where a delimiter is given. @throws ARGUMENT_INVALID */
  list(options?: ListOptions): AsyncGenerator<ListEntry, void, undefined> {
    return listObjects(this.#context, this.name, options);
  }

  /** One page of `list`. @throws ARGUMENT_INVALID, TOKEN_INVALID */
  listPage(options?: ListPageOptions): Promise<ListPage> {
    return listObjectsPage(this.#context, this.name, options);
  }

  /** All versions and delete markers, by key, newest first. @throws ARGUMENT_INVALID */
  listVersions(options?: ListOptions): AsyncGenerator<ListVersionsEntry, void, undefined> {
    return listVersions(this.#context, this.name, options);
  }

  /** One page of `listVersions`. @throws ARGUMENT_INVALID, VERSION_ID_INVALID */
  listVersionsPage(options?: ListVersionsPageOptions): Promise<ListVersionsPage> {
    return listVersionsPage(this.#context, this.name, options);
  }

  /** The tags of an object. @throws OBJECT_NOT_FOUND */
  getTags(key: string, options?: TagOptions): Promise<Record<string, string>> {
    return getObjectTags(this.#context, this.name, key, options);
  }

  /** Replaces the tags of an object. @throws OBJECT_NOT_FOUND, TAGS_INVALID */
  setTags(key: string, tags: ObjectTags, options?: TagOptions): Promise<void> {
    return setObjectTags(this.#context, this.name, key, tags, options);
  }

  /** Removes the tags of an object. @throws OBJECT_NOT_FOUND */
  deleteTags(key: string, options?: TagOptions): Promise<void> {
    return deleteObjectTags(this.#context, this.name, key, options);
  }

  /** Begins a multipart upload. @throws KEY_INVALID, METADATA_INVALID */
  async createUpload(key: string, options?: CreateUploadOptions): Promise<MultipartUpload> {
    return this.upload(key, await createUpload(this.#context, this.name, key, options));
  }

  /** A multipart upload begun earlier, by its id; used, it fails with `UPLOAD_NOT_FOUND` when there is none. */
  upload(key: string, uploadId: string): MultipartUpload {
    return new MultipartUpload(this.#context, this.name, { key, uploadId });
  }

  /** One page of the multipart uploads under way. @throws ARGUMENT_INVALID */
  listUploads(options?: ListUploadsOptions): Promise<ListUploadsPage> {
    return listUploads(this.#context, this.name, options);
  }
}
