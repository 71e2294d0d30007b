/**
 * XXH3-64 (seed 0, default secret) in plain TypeScript, written after the xxHash specification with big integers: exact and slow.
 * It runs where WebAssembly is absent, and the tests hold the generated code against it.
 */
import {
  blockBytes,
  prime32x1,
  prime64x1,
  prime64x2,
  prime64x3,
  primeMix1,
  primeMix2,
  secretOfLastRound,
  secretOfLastStripe,
  secretOfLateRounds,
  secretOfMerge,
  secretOfScramble,
  shortBytesMax,
  startLanes,
  stripeBytes,
  xxh3Secret,
} from "./xxh3-constants.ts";

const secret = new DataView(xxh3Secret.buffer, xxh3Secret.byteOffset, xxh3Secret.byteLength);

/** The XXH3-64 of the bytes. */
export function portableXxh3(bytes: Uint8Array): bigint {
  const input = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.byteLength;
  if (length > shortBytesMax) return hashLong(input);
  if (length > 128) return hash129to240(input);
  if (length > 16) return hash17to128(input);
  if (length > 8) return hash9to16(input);
  if (length > 3) return hash4to8(input);
  if (length > 0) return hash1to3(input);
  return avalancheOfXxh64(key(56) ^ key(64));
}

function hash1to3(input: DataView): bigint {
  const length = input.byteLength;
  const combined = (input.getUint8(0) << 16) | (input.getUint8(length >> 1) << 24) | input.getUint8(length - 1) | (length << 8);
  return avalancheOfXxh64(BigInt(combined >>> 0) ^ BigInt((secret.getUint32(0, true) ^ secret.getUint32(4, true)) >>> 0));
}

function hash4to8(input: DataView): bigint {
  const first = BigInt(input.getUint32(0, true));
  const last = BigInt(input.getUint32(input.byteLength - 4, true));
  let hash = (last | (first << 32n)) ^ key(8) ^ key(16);
  hash ^= rotateLeft(hash, 49n) ^ rotateLeft(hash, 24n);
  hash = wrap(hash * primeMix2);
  hash ^= (hash >> 35n) + BigInt(input.byteLength);
  hash = wrap(hash * primeMix2);
  return hash ^ (hash >> 28n);
}

function hash9to16(input: DataView): bigint {
  const low = read(input, 0) ^ key(24) ^ key(32);
  const high = read(input, input.byteLength - 8) ^ key(40) ^ key(48);
  return avalanche(wrap(BigInt(input.byteLength) + swapBytes(low) + high + foldProduct(low, high)));
}

function hash17to128(input: DataView): bigint {
  const length = input.byteLength;
  let sum = BigInt(length) * prime64x1;
  for (let i = (length - 1) >> 5; i >= 0; i--) {
    sum += mix16(input, 16 * i, 32 * i) + mix16(input, length - 16 * (i + 1), 32 * i + 16);
  }
  return avalanche(wrap(sum));
}

function hash129to240(input: DataView): bigint {
  const length = input.byteLength;
  let sum = BigInt(length) * prime64x1;
  for (let i = 0; i < 8; i++) sum += mix16(input, 16 * i, 16 * i);
  sum = avalanche(wrap(sum));
  for (let i = 8; i < length >> 4; i++) sum += mix16(input, 16 * i, 16 * (i - 8) + secretOfLateRounds);
  return avalanche(wrap(sum + mix16(input, length - 16, secretOfLastRound)));
}

function hashLong(input: DataView): bigint {
  const length = input.byteLength;
  const lanes = BigUint64Array.from(startLanes);
  // The last stripe is always taken by itself, so whole blocks and stripes end before it.
  const blocksEnd = length - 1 - ((length - 1) % blockBytes);
  for (let block = 0; block < blocksEnd; block += blockBytes) {
    for (let i = 0; i < 16; i++) accumulate(lanes, input, block + stripeBytes * i, 8 * i);
    scramble(lanes);
  }
  const stripes = Math.floor((length - 1 - blocksEnd) / stripeBytes);
  for (let i = 0; i < stripes; i++) accumulate(lanes, input, blocksEnd + stripeBytes * i, 8 * i);
  accumulate(lanes, input, length - stripeBytes, secretOfLastStripe);
  let sum = BigInt(length) * prime64x1;
  for (let i = 0; i < 8; i += 2) {
    sum += foldProduct(lane(lanes, i) ^ key(secretOfMerge + 8 * i), lane(lanes, i + 1) ^ key(secretOfMerge + 8 * i + 8));
  }
  return avalanche(wrap(sum));
}

/** Stores into the lanes wrap to 64 bits by themselves. */
function accumulate(lanes: BigUint64Array, input: DataView, position: number, keyAt: number): void {
  for (let i = 0; i < 8; i++) {
    const value = read(input, position + 8 * i);
    const keyed = value ^ key(keyAt + 8 * i);
    lanes[i ^ 1] = lane(lanes, i ^ 1) + value;
    lanes[i] = lane(lanes, i) + (keyed & 0xffff_ffffn) * (keyed >> 32n);
  }
}

function scramble(lanes: BigUint64Array): void {
  for (let i = 0; i < 8; i++) {
    const value = lane(lanes, i);
    lanes[i] = (value ^ (value >> 47n) ^ key(secretOfScramble + 8 * i)) * prime32x1;
  }
}

function lane(lanes: BigUint64Array, at: number): bigint {
  return lanes[at] as bigint;
}

function read(input: DataView, position: number): bigint {
  return input.getBigUint64(position, true);
}

function key(position: number): bigint {
  return secret.getBigUint64(position, true);
}

function mix16(input: DataView, position: number, keyAt: number): bigint {
  return foldProduct(read(input, position) ^ key(keyAt), read(input, position + 8) ^ key(keyAt + 8));
}

/** The halves of the 128-bit product, XORed. */
function foldProduct(a: bigint, b: bigint): bigint {
  const product = a * b;
  return wrap(product) ^ (product >> 64n);
}

function avalanche(hash: bigint): bigint {
  const mixed = wrap((hash ^ (hash >> 37n)) * primeMix1);
  return mixed ^ (mixed >> 32n);
}

function avalancheOfXxh64(hash: bigint): bigint {
  let mixed = wrap((hash ^ (hash >> 33n)) * prime64x2);
  mixed = wrap((mixed ^ (mixed >> 29n)) * prime64x3);
  return mixed ^ (mixed >> 32n);
}

function rotateLeft(value: bigint, bits: bigint): bigint {
  return wrap(value << bits) | (value >> (64n - bits));
}

function swapBytes(value: bigint): bigint {
  let swapped = 0n;
  for (let shift = 0n; shift < 64n; shift += 8n) swapped = (swapped << 8n) | ((value >> shift) & 0xffn);
  return swapped;
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
