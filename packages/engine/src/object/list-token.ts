/**
 * Continuation tokens: where a listing goes on, opaque and checked. Base64url of a version byte, four check bytes and the last name.
 * The check covers the bucket, the prefix and the delimiter too, so a token works only for the listing it came from.
 */
import { concatBytes, equalBytes, utf8 } from "../base/bytes.ts";
import type { ListFilter } from "./list-scan.ts";
import { invalidArgument } from "./validate.ts";

const tokenVersion = 1;
const headBytes = 5;

/** The token that goes on after `name`. */
export function formatToken(filter: ListFilter, name: Uint8Array): string {
  return Buffer.from(concatBytes([Uint8Array.of(tokenVersion), check(filter, name), name])).toString("base64url");
}

/** The name a token goes on after. @throws TOKEN_INVALID */
export function parseToken(filter: ListFilter, token: string): Uint8Array {
  const bytes =
    typeof token === "string" && /^[A-Za-z0-9_-]+$/.test(token) ? new Uint8Array(Buffer.from(token, "base64url")) : new Uint8Array(0);
  const name = bytes.subarray(headBytes);
  if (bytes[0] === tokenVersion && name.byteLength > 0 && equalBytes(bytes.subarray(1, headBytes), check(filter, name))) return name;
  throw invalidArgument(
    "continuationToken",
    token,
    "does not belong to this listing; repeat its prefix and delimiter, or start over",
    "TOKEN_INVALID",
  );
}

/** FNV-1a (Fowler, Noll, Vo) over everything a token depends on; against mistakes, not against forgery. */
function check(filter: ListFilter, name: Uint8Array): Uint8Array {
  const parts = [utf8(`${filter.bucketId}`), filter.prefix, filter.delimiter ?? new Uint8Array(0), name];
  let hash = 0x811c9dc5;
  for (const part of parts) {
    for (const byte of part) hash = Math.imul(hash ^ byte, 0x01000193);
    hash = Math.imul(hash ^ 0x1ff, 0x01000193);
  }
  return Uint8Array.of(hash >>> 24, hash >>> 16, hash >>> 8, hash);
}
