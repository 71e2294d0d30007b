/**
 * Entity tags: MD5 as S3 computes them, or a faster hash by setting. The fast form is "x" and 32 hexadecimal digits, so that no
 * client takes it for an MD5; a multipart object's ends in "-" and the number of parts, with either setting.
 */
import { concatBytes, fromHex, toHex } from "../base/bytes.ts";
import type { ComputeDigest, DigestName } from "./digests.ts";

/** Which hash entity tags are made of. */
export type EtagSetting = "md5" | "fast";

/** The digest an entity tag is made of. */
export function etagDigest(setting: EtagSetting): DigestName {
  return setting === "md5" ? "md5" : "xxhash128";
}

/** The tag of a body with this digest, without quotes. */
export function etagOf(setting: EtagSetting, digest: Uint8Array): string {
  return setting === "md5" ? toHex(digest) : `x${toHex(digest)}`;
}

/** The tag of an object made of parts with these tags: the hash of their digests, and how many. */
export function multipartEtagOf(setting: EtagSetting, partEtags: readonly string[], compute: ComputeDigest): string {
  const digests = partEtags.map((etag) => fromHex(etag.startsWith("x") ? etag.slice(1) : etag));
  return `${etagOf(setting, compute(etagDigest(setting), concatBytes(digests)))}-${digests.length}`;
}

/** A tag as a caller may write it (bare, quoted, or weak) as the bare tag. */
export function bareEtag(text: string): string {
  const strong = text.startsWith("W/") ? text.slice(2) : text;
  return strong.length >= 2 && strong.startsWith('"') && strong.endsWith('"') ? strong.slice(1, -1) : strong;
}
