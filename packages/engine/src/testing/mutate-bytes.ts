/** Ways to spoil stored bytes, from a seed: what worn drives, torn writes and mistaken programs leave behind, and what nobody would. */
import { concatBytes } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";

type Mutation = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

/** Numbers that programs stumble over, in 32 bits. */
const edges = [
  0,
  1,
  2,
  127,
  128,
  129,
  255,
  256,
  2 ** 15,
  2 ** 16 - 1,
  2 ** 16,
  2 ** 26 + 1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 128,
  2 ** 32 - 1,
];
const edgeBytes = [0x00, 0x01, 0x7f, 0x80, 0x90, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xd4, 0xdd, 0xdf, 0xff];

const mutations: readonly Mutation[] = [
  changed((bytes, random) => {
    const at = random.below(bytes.byteLength);
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  }),
  changed((bytes, random) => {
    bytes[random.below(bytes.byteLength)] = random.below(256);
  }),
  changed((bytes, random) => {
    bytes[random.below(bytes.byteLength)] = edgeBytes[random.below(edgeBytes.length)] as number;
  }),
  changed((bytes, random) => {
    if (bytes.byteLength < 4) return;
    const edge = [...edges, bytes.byteLength, bytes.byteLength + 1][random.below(edges.length + 2)] as number;
    new DataView(bytes.buffer).setUint32(random.below(bytes.byteLength - 3), edge, random.below(2) === 0);
  }),
  changed((bytes, random) => {
    const { start, end } = range(bytes, random);
    bytes.fill(random.below(2) === 0 ? 0 : 0xff, start, end);
  }),
  changed((bytes, random) => {
    const { start, end } = range(bytes, random);
    bytes.copyWithin(random.below(bytes.byteLength), start, end);
  }),
  (bytes, random) => new Uint8Array(bytes.subarray(0, random.below(bytes.byteLength + 1))),
  (bytes, random) => concatBytes([bytes, random.bytes(1 + random.below(200))]),
  (bytes, random) => {
    const { start, end } = range(bytes, random);
    return concatBytes([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  (bytes, random) => {
    const at = random.below(bytes.byteLength + 1);
    return concatBytes([bytes.subarray(0, at), random.bytes(1 + random.below(16)), bytes.subarray(at)]);
  },
  (bytes, random, others) => {
    const other = others[random.below(others.length)];
    if (other === undefined) return bytes;
    const { start, end } = range(other, random);
    const at = random.below(bytes.byteLength + 1);
    return concatBytes([bytes.subarray(0, at), other.subarray(start, end), bytes.subarray(Math.min(bytes.byteLength, at + end - start))]);
  },
  (_, random, others) => new Uint8Array(others[random.below(others.length)] ?? random.bytes(random.below(300))),
];

/** A spoilt copy: one to four mutations; parts may come from `others`. */
export function mutateBytes(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  let spoilt: Uint8Array = new Uint8Array(bytes);
  for (let left = 1 + random.below(4) * random.below(2); left > 0; left--) {
    spoilt = (mutations[random.below(mutations.length)] as Mutation)(spoilt, random, others);
  }
  return spoilt;
}

/** A mutation that changes bytes in place; bytes there are none of stay as they are. */
function changed(change: (bytes: Uint8Array, random: Random) => void): Mutation {
  return (bytes, random) => {
    const copy = new Uint8Array(bytes);
    if (copy.byteLength > 0) change(copy, random);
    return copy;
  };
}

function range(bytes: Uint8Array, random: Random): { start: number; end: number } {
  const start = random.below(bytes.byteLength + 1);
  return { start, end: Math.min(bytes.byteLength, start + 1 + random.below(random.below(4) === 0 ? bytes.byteLength + 1 : 16)) };
}
