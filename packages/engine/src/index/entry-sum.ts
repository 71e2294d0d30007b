/**
 * The checksum of an index entry: 32 bits over its key and its value, behind the value. The index lies on one drive, without a second copy:
 * whatever the drive makes of it must be noticed, and then it is made again from the packs.
 *
 * Computed in plain TypeScript, four bytes at a time with the mixing steps of MurmurHash3 (Austin Appleby, public domain): entries are short, and
 * for less than a few hundred bytes the way into generated code and back costs more than the sum.
 */

/** Bytes that a sealed value is longer. */
export const entrySumBytes = 4;

/** Writes the value and its checksum to `target` from `at` on. */
export function sealEntry(key: Uint8Array, value: Uint8Array, target: Uint8Array, at: number): void {
  target.set(value, at);
  const sum = entrySum(key, value, value.byteLength);
  const end = at + value.byteLength;
  target[end] = sum;
  target[end + 1] = sum >>> 8;
  target[end + 2] = sum >>> 16;
  target[end + 3] = sum >>> 24;
}

/** True when the first `length` bytes of `sealed` are a value that was put under this key, with its checksum. */
export function isSound(key: Uint8Array, sealed: Uint8Array, length: number): boolean {
  const end = length - entrySumBytes;
  if (end < 0 || length > sealed.byteLength) return false;
  const sum = entrySum(key, sealed, end);
  return sum === wordAt(sealed, end);
}

function entrySum(key: Uint8Array, value: Uint8Array, valueBytes: number): number {
  let sum = mix(mix(key.byteLength, key, key.byteLength), value, valueBytes) ^ valueBytes;
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return sum ^ (sum >>> 16);
}

function mix(start: number, bytes: Uint8Array, end: number): number {
  let state = start;
  let at = 0;
  for (const whole = end & ~3; at < whole; at += 4) {
    state = step(state, wordAt(bytes, at));
  }
  let rest = 0;
  for (; at < end; at++) rest = (rest << 8) | (bytes[at] as number);
  return step(state, rest);
}

function step(state: number, word: number): number {
  const scattered = Math.imul(word, 0xcc9e2d51);
  const mixed = state ^ Math.imul((scattered << 15) | (scattered >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}
