/** Every bound of the engine in one place, with its arithmetic. All sizes are bytes. */
import { KiB, MiB } from "./units.ts";

/** Object keys: 1 to 1,024 bytes of UTF-8 (S3's limit). Index keys add at most 32 bytes; LMDB takes 1,978. */
export const keyBytesMax = 1024;
/** Keys of the index: LMDB takes 1,978 bytes with its 4 KiB pages. */
export const indexKeyBytesMax = 1900;
/** Multipart uploads: parts 1 to 10,000 (S3's limit). */
export const partsMax = 10_000;
/** Every part but the last has at least 5 MiB (S3's limit). */
export const partBytesMin = 5 * MiB;
/** One put or one part: 5 GiB in S3; embedded use allows 5 TiB, the size of the largest object. */
export const objectBytesMax = 5 * 1024 * 1024 * MiB;
/** User metadata: names and values together (S3's limit is 2 KiB; endpoints check theirs, the engine is wider). */
export const metadataBytesMax = 8 * KiB;
/** Tags of an object (S3's limits). */
export const tagsMax = 10;
export const tagKeyCharsMax = 128;
export const tagValueCharsMax = 256;
/** Keys in one page of a listing, and operations in one `deleteMany` of the S3 API. */
export const listPageMax = 1000;

/** Data shards k: the code's matrix is MDS for k ≤ 60 with m ≤ 3 and k ≤ 21 with m = 4. */
export const parityMax = 4;
export const dataMax = 60;
export const dataMaxWithFourParity = 21;
/** Drives in one set: k + m at most 64, so that a slot fits a byte and slot maps stay short. */
export const setDrivesMax = 64;

/** A shard is a sequence of 128-byte units. */
export const unitBytes = 128;
/** Stored checksums cover at most 64 KiB each, so that a small range never reads much more than it returns. */
export const checksumBlockBytes = 64 * KiB;
/** Objects up to this size are packed into the log; larger ones become blobs. */
export const inlineBytesDefault = 256 * KiB;
/** Data bytes of one stripe of a blob. 1 MiB over k = 4 gives 256 KiB pieces: four checksum blocks each. */
export const stripeBytesDefault = 1 * MiB;
/** A batch closes at whichever comes first. */
export const batchOperationsMaxDefault = 512;
export const batchBytesMaxDefault = 4 * MiB;
/** One operation (a putMany call) may carry this much by itself; the object room splits larger calls. */
export const operationBytesMax = 16 * MiB;
export const operationRecordsMax = 4096;
/** Records of one batch, encoded. 10,000 parts × 64 bytes stay below 1 MiB. */
export const recordsBytesMax = 64 * MiB;
/** A pack is sealed at either bound. 8 MiB of records are what a writer keeps in memory for the footer. */
export const packBytesMax = 128 * MiB;
export const packRecordsBytesMax = 8 * MiB;
/** Batches written but not yet committed. Recovery decides at most this many at the tail. */
export const batchesInFlightMax = 2;
