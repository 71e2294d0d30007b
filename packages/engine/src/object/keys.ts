/**
 * Keys of the object room in a set's index; drawn in docs/formats/records.md. The first byte says what the entry is.
 *
 * Entries that hang below an object key (noncurrent versions, uploads) need it self-delimiting: every byte of the key is stored one
 * higher and a zero ends it. UTF-8 never contains 0xff, so nothing overflows, and the order of keys stays.
 */
import { fromUtf8, prefixEnd } from "../base/bytes.ts";
import { invariant } from "../base/invariant.ts";
import { keyBytesMax } from "../base/limits.ts";

/** First bytes of index keys, by kind of entry. */
export const keyTags = {
  /** Store-wide counters, in the home set. */
  counter: 0x10,
  /** Buckets by name, in the home set. */
  bucket: 0x20,
  /** The live current version of a key. Never a delete marker. */
  current: 0x30,
  /** Noncurrent versions and all delete markers, newest first within a key. */
  version: 0x40,
  /** Multipart uploads under way, by key, then by age. */
  upload: 0x50,
  /** Parts: of uploads under way, and packed segments of completed objects. */
  part: 0x60,
  /** Keys of which this set holds a part only: all of it counts for nothing, because another set has the key whole (see move-key.ts). */
  moving: 0x70,
} as const;

/** Tag and bucket id, before the object key. */
export const keyHeadBytes = 5;
/** Bytes of an order at the end of a version's key. */
const orderBytes = 8;
/** Bytes of an upload id: the order of its creation (8) and random ones (4). */
export const uploadIdBytes = 12;

const encoder = new TextEncoder();
const scratch = new Uint8Array(keyHeadBytes + 3 * keyBytesMax);
const scratchKey = scratch.subarray(keyHeadBytes);

/** The key under which the next bucket id is kept. */
export const bucketCounterKey: Uint8Array = Uint8Array.of(keyTags.counter, 0x01);

/** The key under which a set keeps the order above which all of its orders are to be (see change-topology.ts). */
export const orderFloorKey: Uint8Array = Uint8Array.of(keyTags.counter, 0x02);

/** The key of a bucket's record. */
export function bucketKey(name: string): Uint8Array {
  const bytes = encoder.encode(name);
  const key = new Uint8Array(1 + bytes.byteLength);
  key[0] = keyTags.bucket;
  key.set(bytes, 1);
  return key;
}

/** The name in a bucket's key. */
export function bucketNameOf(key: Uint8Array): string {
  return fromUtf8(key.subarray(1));
}

/** The 5 bytes before every object key of a bucket. */
export function keyHead(tag: number, bucketId: number): Uint8Array {
  const head = new Uint8Array(keyHeadBytes);
  writeHead(head, tag, bucketId);
  return head;
}

/** The key of the current version; its bytes from {@link keyHeadBytes} on are the object key in UTF-8. `text` has at most 1,024 chars. */
export function currentKey(bucketId: number, text: string): Uint8Array {
  const { written } = encoder.encodeInto(text, scratchKey);
  writeHead(scratch, keyTags.current, bucketId);
  return scratch.slice(0, keyHeadBytes + written);
}

/** What all entries of one object key start with, for tags whose keys are self-delimiting. */
export function escapedKey(tag: number, bucketId: number, keyBytes: Uint8Array): Uint8Array {
  const escaped = new Uint8Array(keyHeadBytes + keyBytes.byteLength + 1);
  writeHead(escaped, tag, bucketId);
  for (let i = 0; i < keyBytes.byteLength; i++) escaped[keyHeadBytes + i] = (keyBytes[i] as number) + 1;
  return escaped;
}

/** Head and escaped bytes without the final zero: what keys that start with `prefix` start with. */
export function escapedPrefix(tag: number, bucketId: number, prefix: Uint8Array): Uint8Array {
  return escapedKey(tag, bucketId, prefix).subarray(0, keyHeadBytes + prefix.byteLength);
}

/** The object key's bytes inside an escaped key, and where its suffix starts. */
export function unescapeKey(escaped: Uint8Array): { readonly keyBytes: Uint8Array; readonly suffixAt: number } {
  const end = escaped.indexOf(0, keyHeadBytes);
  invariant(end >= keyHeadBytes, "an escaped key ends in a zero byte");
  const keyBytes = escaped.slice(keyHeadBytes, end);
  for (let i = 0; i < keyBytes.byteLength; i++) keyBytes[i] = (keyBytes[i] as number) - 1;
  return { keyBytes, suffixAt: end + 1 };
}

/** The key of a noncurrent version or delete marker. */
export function versionKey(bucketId: number, keyBytes: Uint8Array, order: number): Uint8Array {
  const head = escapedKey(keyTags.version, bucketId, keyBytes);
  const key = new Uint8Array(head.byteLength + orderBytes);
  key.set(head);
  const view = new DataView(key.buffer, head.byteLength);
  view.setUint32(0, ~Math.floor(order / 2 ** 32) >>> 0);
  view.setUint32(4, ~(order >>> 0) >>> 0);
  return key;
}

/** The key of an upload under way. */
export function uploadKey(bucketId: number, keyBytes: Uint8Array, uploadId: Uint8Array): Uint8Array {
  const head = escapedKey(keyTags.upload, bucketId, keyBytes);
  const key = new Uint8Array(head.byteLength + uploadIdBytes);
  key.set(head);
  key.set(uploadId, head.byteLength);
  return key;
}

/** The key of the mark that a set holds only a part of an object key. */
export function movingKey(bucketId: number, keyBytes: Uint8Array): Uint8Array {
  return escapedKey(keyTags.moving, bucketId, keyBytes);
}

/** The bucket's id in any key that starts with {@link keyHead}. */
export function bucketIdOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(1);
}

/** The key of a part, or what all parts of an upload start with. */
export function partKey(bucketId: number, uploadId: Uint8Array, partNumber?: number): Uint8Array {
  const key = new Uint8Array(keyHeadBytes + uploadIdBytes + (partNumber === undefined ? 0 : 2));
  writeHead(key, keyTags.part, bucketId);
  key.set(uploadId, keyHeadBytes);
  if (partNumber !== undefined) new DataView(key.buffer).setUint16(keyHeadBytes + uploadIdBytes, partNumber);
  return key;
}

/** The part number in a part's key. */
export function partNumberOf(key: Uint8Array): number {
  return ((key[keyHeadBytes + uploadIdBytes] as number) << 8) | (key[keyHeadBytes + uploadIdBytes + 1] as number);
}

/** Where the keys that start with `prefix` end. Prefixes of this room start with a tag, so there always is an end. */
export function endOf(prefix: Uint8Array): Uint8Array {
  const end = prefixEnd(prefix);
  invariant(end !== undefined, "a key prefix starts with a tag below 0xff");
  return end;
}

function writeHead(into: Uint8Array, tag: number, bucketId: number): void {
  into[0] = tag;
  into[1] = bucketId >>> 24;
  into[2] = (bucketId >>> 16) & 0xff;
  into[3] = (bucketId >>> 8) & 0xff;
  into[4] = bucketId & 0xff;
}
