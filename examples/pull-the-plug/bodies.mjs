/** Object bodies that can be made again from two numbers, so that whoever compares needs no copy. */

/** @typedef {{ seed: number; size: number }} Body */

/** Random numbers that come again for the same seed (xorshift). @param {number} seed */
export function createRandom(seed) {
  let state = Math.imul(seed, 2654435761) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  return {
    /** An integer from 0 up to, not including, `bound`. @param {number} bound */
    below: (bound) => Math.floor((next() / 2 ** 32) * bound),
  };
}

/** The bytes of a body: no two places of it look alike. @param {Body} body */
export function bytesOf({ seed, size }) {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = Math.imul(seed, 2654435761) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}
