/** The published constants of XXH3 (Yann Collet, xxHash specification), seed 0 with the default secret. */
import { fromHex } from "../base/bytes.ts";

/** The default secret, 192 bytes. */
export const xxh3Secret: Uint8Array = fromHex(
  "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221" +
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb" +
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e",
);

export const prime32x1 = 0x9e3779b1n;
const prime32x2 = 0x85ebca77n;
const prime32x3 = 0xc2b2ae3dn;
export const prime64x1 = 0x9e3779b185ebca87n;
export const prime64x2 = 0xc2b2ae3d27d4eb4fn;
export const prime64x3 = 0x165667b19e3779f9n;
const prime64x4 = 0x85ebca77c2b2ae63n;
const prime64x5 = 0x27d4eb2f165667c5n;
/** The multipliers of the two finishing mixes. */
export const primeMix1 = 0x165667919e3779f9n;
export const primeMix2 = 0x9fb21c651e98df25n;

/** The eight accumulators of long inputs at their start. */
export const startLanes = [prime32x3, prime64x1, prime64x2, prime64x3, prime64x4, prime32x2, prime64x5, prime32x1] as const;

/** Long inputs are read in stripes of 64 bytes; 16 of them make a block, after which the accumulators are scrambled. */
export const stripeBytes = 64;
export const blockBytes = 1024;
/** Inputs above this length take the striped way. */
export const shortBytesMax = 240;
/** Where in the secret: the scramble, the last stripe and the final merge take their keys. */
export const secretOfScramble = 128;
export const secretOfLastStripe = 121;
export const secretOfMerge = 11;
/** Where inputs of 129 to 240 bytes take the keys of their rounds past the eighth, and of their last 16 bytes. */
export const secretOfLateRounds = 3;
export const secretOfLastRound = 119;
