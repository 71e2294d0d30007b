import { randomFillSync } from "node:crypto";

/** Randomness, injected so that a run can be replayed from its seed. Only this file may ask the machine for random bytes. */
export interface Random {
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array;
  /** An integer in [0, bound), bound at most 2^32. */
  below(bound: number): number;
}

/** Cryptographic randomness of the machine. */
export const systemRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  below: (bound) => Math.floor((new DataView(randomFillSync(new Uint8Array(4)).buffer).getUint32(0) / 2 ** 32) * bound),
};

/** Repeatable pseudo-random numbers (sfc32, Chris Doty-Humphrey's PractRand) from a 32-bit seed. Not for secrets. */
export function createSeededRandom(seed: number): Random & { fraction(): number } {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed >>> 0;
  let counter = 1;
  function next(): number {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  }
  for (let i = 0; i < 12; i++) next();
  const fraction = (): number => next() / 2 ** 32;
  return {
    fraction,
    below: (bound) => Math.floor(fraction() * bound),
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = next() & 0xff;
      return bytes;
    },
  };
}
