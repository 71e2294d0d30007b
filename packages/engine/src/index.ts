/** Holdfast: an embeddable, erasure-coded object store. */
export type { Clock } from "./base/clock.ts";
export { type ErrorCode, type ErrorDetails, type ErrorKind, errorCodes, HoldfastError, isHoldfastError } from "./base/errors.ts";
export type { DriveId, SetId, StoreId } from "./base/ids.ts";
export type { Random } from "./base/random.ts";
export type { Drive, DriveFile, DriveSpace, NewFile } from "./drive/drive.ts";
export { openStore } from "./engine.ts";
export type { ContentHeaders, ObjectAttributes } from "./object/attributes.ts";
export type { ObjectBody } from "./object/body.ts";
export type { BodyOptions } from "./object/body-puller.ts";
export type { Bucket } from "./object/bucket.ts";
export type { BucketInfo } from "./object/bucket-info.ts";
export type { Versioning } from "./object/bucket-record.ts";
export type { DeclaredChecksums, ObjectChecksums } from "./object/checksums.ts";
export type { Conditions } from "./object/conditions.ts";
export type { CopyOptions, CopyResult } from "./object/copy-object.ts";
export type { CopySource } from "./object/copy-source.ts";
export type { CreateBucketOptions } from "./object/create-bucket.ts";
export type { SignalOptions } from "./object/delete-bucket.ts";
export type { DeleteManyEntry, DeleteManyResult } from "./object/delete-many.ts";
export type { DeleteOptions, DeleteResult } from "./object/delete-object.ts";
export type { DigestName } from "./object/digests.ts";
export type { GetOptions } from "./object/get-object.ts";
export type { HeadOptions } from "./object/head-object.ts";
export type { ListEntry, ListedObject, ListedPrefix, ListOptions, ListPage, ListPageOptions } from "./object/list-objects.ts";
export type { ListedVersion, ListVersionsEntry, ListVersionsPage, ListVersionsPageOptions } from "./object/list-versions.ts";
export type { CompletedPart, CompleteUploadOptions } from "./object/multipart/complete-upload.ts";
export type { CopiedPart, CopyPartOptions } from "./object/multipart/copy-part.ts";
export type { CreateUploadOptions } from "./object/multipart/create-upload.ts";
export type { ListPartsOptions, ListPartsPage } from "./object/multipart/list-parts.ts";
export type { ListedUpload, ListUploadsEntry, ListUploadsOptions, ListUploadsPage } from "./object/multipart/list-uploads.ts";
export type { MultipartUpload } from "./object/multipart/multipart-upload.ts";
export type { UploadedPart, UploadPartOptions } from "./object/multipart/upload-part.ts";
export type { ReadStats } from "./object/object-body.ts";
export type { ObjectInfo } from "./object/object-info.ts";
export type { TagOptions } from "./object/object-tags.ts";
export type { PutManyEntry, PutManyResult } from "./object/put-many.ts";
export type { PutOptions, PutResult } from "./object/put-object.ts";
export type { ByteRange, RangeRequest } from "./object/range.ts";
export type { StoredObject } from "./object/stored-object.ts";
export type { ObjectTags } from "./object/validate-tags.ts";
export type { ErasureProfile } from "./set/erasure-set.ts";
export type { CheckFinding } from "./set/finding.ts";
export type { MemberState } from "./set/member.ts";
export type { DriveStatus, SetStatus } from "./set/open-set.ts";
export type { ReadCounters } from "./set/read-tools.ts";
export type { DriveAccess, DriveLook } from "./store/drive-access.ts";
export type { WrapDrive } from "./store/find-drives.ts";
export type { ReplacedDrive } from "./store/replace-drive.ts";
export type { DriveSettings, StoreSettings, UpkeepSettings } from "./store/settings.ts";
export type { StoreEvent, StoreHappening } from "./upkeep/events.ts";
export type { VerifyOptions, VerifyReport } from "./upkeep/verify-store.ts";
export type {
  CompactOptions,
  CompactReport,
  RecoveryProgress,
  SetSpace,
  Store,
  StoreComponents,
  StoreDriveChanges,
  StoreStatus,
} from "./wiring/store.ts";
export type { RebuildOptions, RebuildProgress, RebuildReport, ReprotectStoreOptions } from "./wiring/store-upkeep.ts";
