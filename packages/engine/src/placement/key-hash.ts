/**
 * A small hash for placement: MurmurHash3 x86_32 (Austin Appleby, public domain), exact on every machine since it is made of 32-bit
 * integer operations alone. Not for checksums or for anything an enemy may aim at.
 */

/** MurmurHash3_x86_32 of `bytes`, an unsigned 32-bit integer. */
export function murmur3(bytes: Uint8Array, seed: number): number {
  let hash = seed | 0;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    const word =
      (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    hash ^= scramble(word);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at--) tail = (tail << 8) | (bytes[at] as number);
  if (whole < bytes.length) hash ^= scramble(tail);
  return finish(hash ^ bytes.length);
}

/** Murmur's finalizer: every input bit changes every output bit with a chance of about one half. Unsigned. */
export function finish(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}
