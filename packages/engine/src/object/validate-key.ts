import { HoldfastError } from "../base/errors.ts";
import { keyBytesMax } from "../base/limits.ts";
import { currentKey, keyHeadBytes } from "./keys.ts";

/**
 * The current key of a validated object key: 1 to 1,024 bytes of UTF-8, any character, no lone surrogates. Keys never become file
 * names, so `..`, a leading slash, control characters and NUL are ordinary characters.
 * @throws KEY_INVALID
 */
export function validateKey(bucketId: number, key: string): Uint8Array {
  if (typeof key !== "string") throw keyInvalid(key, `must be a string, not ${typeof key}`);
  if (key.length === 0) throw keyInvalid(key, "is empty; give it at least one character");
  if (key.length > keyBytesMax) throw keyInvalid(key, `has more than ${keyBytesMax} bytes of UTF-8; shorten it`);
  if (!isWellFormed(key)) throw keyInvalid(key, "holds a lone surrogate, which UTF-8 cannot store; remove it");
  const bytes = currentKey(bucketId, key);
  if (bytes.byteLength > keyHeadBytes + keyBytesMax) throw keyInvalid(key, `has more than ${keyBytesMax} bytes of UTF-8; shorten it`);
  return bytes;
}

/** True when a string has no lone surrogates. */
export function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed();
}

function keyInvalid(value: unknown, problem: string): HoldfastError {
  const shown = typeof value === "string" && value.length > 80 ? `${value.slice(0, 80)}…` : value;
  return new HoldfastError("KEY_INVALID", `key ${JSON.stringify(shown)} ${problem}`, { details: { field: "key", value: shown } });
}
