/**
 * The digests the object room asks for; the composition root supplies `codec/digest.ts`. Names: `md5`, `sha1`, `sha256`, `sha512`,
 * `crc32`, `crc32c`, `crc64nvme`, `xxhash64`, `xxhash3`, `xxhash128`.
 */
export type DigestName = "md5" | "sha1" | "sha256" | "sha512" | "crc32" | "crc32c" | "crc64nvme" | "xxhash64" | "xxhash3" | "xxhash128";

/** Computes digests of whole byte strings, synchronously. */
export type ComputeDigest = (name: DigestName, bytes: Uint8Array) => Uint8Array;
