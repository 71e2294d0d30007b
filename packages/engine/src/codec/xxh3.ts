/** The checksum of everything stored: XXH3-64, seed 0, kept as 8 bytes little-endian. */
import { invariant } from "../base/invariant.ts";
import { portableXxh3 } from "./xxh3-portable.ts";

/** Bytes of a stored checksum. */
export const checksumBytes = 8;

/** Writes the checksum of `bytes` to `target` at position `at`. */
export function writeChecksum(target: Uint8Array, at: number, bytes: Uint8Array): void {
  invariant(at >= 0 && at + checksumBytes <= target.byteLength, "a checksum has room in its target");
  new DataView(target.buffer, target.byteOffset).setBigUint64(at, portableXxh3(bytes), true);
}

/** True when the checksum of `bytes` stands in `expected` at position `at`. */
export function matchesChecksum(expected: Uint8Array, at: number, bytes: Uint8Array): boolean {
  invariant(at >= 0 && at + checksumBytes <= expected.byteLength, "a checksum lies within its bytes");
  return new DataView(expected.buffer, expected.byteOffset).getBigUint64(at, true) === portableXxh3(bytes);
}

/** The checksum of `bytes`, 8 fresh bytes. */
export function checksum(bytes: Uint8Array): Uint8Array {
  const target = new Uint8Array(checksumBytes);
  writeChecksum(target, 0, bytes);
  return target;
}

/** Writes the checksums of the blocks of `bytes`, each of `blockBytes` but the last, one after another to `target` from `at`. */
export function writeBlockChecksums(target: Uint8Array, at: number, bytes: Uint8Array, blockBytes: number): void {
  let position = at;
  for (let start = 0; start < bytes.byteLength; start += blockBytes) {
    writeChecksum(target, position, bytes.subarray(start, start + blockBytes));
    position += checksumBytes;
  }
}

/** XXH3-64 (seed 0) as a number. */
export function xxh3(bytes: Uint8Array): bigint {
  return portableXxh3(bytes);
}
