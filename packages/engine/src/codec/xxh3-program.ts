/**
 * XXH3-64 (seed 0, default secret) as a WebAssembly module, written after the xxHash specification. Input lies in the arena's window;
 * the hash is left in the arena as 8 bytes little-endian, so that no 64-bit number ever crosses into JavaScript.
 *
 * `hashWindow(length)` hashes the first `length` bytes of the window. Longer input comes in several windows: `start()`, then
 * `addBlocks(count)` for every window of whole blocks that is not the last, then `finish(length, total)` for the last one, with at
 * least one byte in it and the 64 bytes before it in their place.
 */
import { lanesAt, resultAt, secretAt, windowAt } from "./wasm-arena.ts";
import {
  type Code,
  call,
  encodeModule,
  FunctionBuilder,
  i32,
  i64,
  join,
  type Local,
  leave,
  repeatWhile,
  valueType,
  when,
} from "./wasm-encoder.ts";
import * as xxh3 from "./xxh3-constants.ts";
import { LaneCode } from "./xxh3-lanes.ts";

const place = { foldProduct: 0, avalanche: 1, addStripes: 2, start: 3, addBlocks: 4, finish: 5, hashShort: 6, hashWindow: 7 } as const;

/** The module's bytes; it expects the secret at `secretAt`. */
export function encodeXxh3Module(memoryPages: number): Uint8Array<ArrayBuffer> {
  const functions = [foldProduct(), avalanche(), addStripes(), start(), addBlocks(), finish(), hashShort(), hashWindow()];
  const exports = { start: place.start, addBlocks: place.addBlocks, finish: place.finish, hashWindow: place.hashWindow };
  return encodeModule({ memoryPages, functions, exports });
}

const { i32: int, i64: long, f64: double } = valueType;
const low32 = (value: Code): Code => i64.and(value, i64.constant(0xffff_ffffn));
const right = (value: Code, bits: bigint): Code => i64.shiftRight(value, i64.constant(bits));
const key = (position: number): Code => i64.load(i32.constant(0), secretAt + position);
const plus = (value: Code, more: number): Code => i32.add(value, i32.constant(more));
const storeResult = (hash: Code): Code => i64.store(i32.constant(0), hash, resultAt);

/** The halves of the 128-bit product of two 64-bit numbers, XORed; the product is put together from four of 32 bits. */
function foldProduct(): FunctionBuilder {
  const f = new FunctionBuilder([long, long], long);
  const [a, b] = f.parameters as [Local, Local];
  const [lowLow, highLow, cross] = f.locals(long, 3) as [Local, Local, Local];
  return f.emit(
    lowLow.set(i64.multiply(low32(a.get), low32(b.get))),
    highLow.set(i64.multiply(right(a.get, 32n), low32(b.get))),
    cross.set(i64.add(i64.add(right(lowLow.get, 32n), low32(highLow.get)), i64.multiply(low32(a.get), right(b.get, 32n)))),
    i64.xor(
      i64.or(i64.shiftLeft(cross.get, i64.constant(32n)), low32(lowLow.get)),
      i64.add(i64.add(right(highLow.get, 32n), right(cross.get, 32n)), i64.multiply(right(a.get, 32n), right(b.get, 32n))),
    ),
  );
}

function avalanche(): FunctionBuilder {
  const f = new FunctionBuilder([long], long);
  const [hash] = f.parameters as [Local];
  return f.emit(
    hash.set(i64.multiply(i64.xor(hash.get, right(hash.get, 37n)), i64.constant(xxh3.primeMix1))),
    i64.xor(hash.get, right(hash.get, 32n)),
  );
}

/** `addStripes(input, count, keys)`: count stripes from the address on, the keys moving on by 8 bytes each. */
function addStripes(): FunctionBuilder {
  const f = new FunctionBuilder([int, int, int]);
  const [input, count, keys] = f.parameters as [Local, Local, Local];
  const lanes = new LaneCode(f);
  f.emit(when(i32.isZero(count.get), leave()));
  lanes.read();
  f.emit(
    repeatWhile(
      count.tee(plus(count.get, -1)),
      lanes.stripe(input.get, 0, keys.get, 0),
      input.set(plus(input.get, xxh3.stripeBytes)),
      keys.set(plus(keys.get, 8)),
    ),
  );
  lanes.write();
  return f;
}

function start(): FunctionBuilder {
  const f = new FunctionBuilder([]);
  for (const [i, lane] of xxh3.startLanes.entries()) f.emit(i64.store(i32.constant(0), i64.constant(lane), lanesAt + 8 * i));
  return f;
}

/** `addBlocks(count)`: whole blocks from the start of the window. */
function addBlocks(): FunctionBuilder {
  const f = new FunctionBuilder([int]);
  const [count] = f.parameters as [Local];
  const input = f.local(int);
  const lanes = new LaneCode(f);
  f.emit(when(i32.isZero(count.get), leave()));
  lanes.read();
  const stripes = Array.from({ length: 16 }, (_, i) => lanes.stripe(input.get, windowAt + xxh3.stripeBytes * i, i32.constant(0), 8 * i));
  f.emit(repeatWhile(count.tee(plus(count.get, -1)), ...stripes, lanes.scramble(), input.set(plus(input.get, xxh3.blockBytes))));
  lanes.write();
  return f;
}

/** `finish(length, total)`: the last window's blocks and stripes, the last stripe, and the merge of the lanes. */
function finish(): FunctionBuilder {
  const f = new FunctionBuilder([int, double]);
  const [length, total] = f.parameters as [Local, Local];
  const blocks = f.local(int);
  const blocksEnd = i32.shiftLeft(blocks.get, i32.constant(10));
  const rest = i32.subtract(plus(length.get, -1), blocksEnd);
  f.emit(
    blocks.set(i32.shiftRight(plus(length.get, -1), i32.constant(10))),
    call(place.addBlocks, blocks.get),
    call(place.addStripes, plus(blocksEnd, windowAt), i32.shiftRight(rest, i32.constant(6)), i32.constant(0)),
    call(place.addStripes, plus(length.get, windowAt - xxh3.stripeBytes), i32.constant(1), i32.constant(xxh3.secretOfLastStripe)),
  );
  const lane = (i: number): Code => i64.xor(i64.load(i32.constant(0), lanesAt + 8 * i), key(xxh3.secretOfMerge + 8 * i));
  let sum = i64.multiply(i64.fromF64(total.get), i64.constant(xxh3.prime64x1));
  for (let i = 0; i < 8; i += 2) sum = i64.add(sum, call(place.foldProduct, lane(i), lane(i + 1)));
  return f.emit(storeResult(call(place.avalanche, sum)));
}

/** The product of 16 bytes of input with 16 of the secret; addresses relative to window and secret. */
function mix16(position: Code, keys: Code): Code {
  const half = (at: number): Code => i64.xor(i64.load(position, windowAt + at), i64.load(keys, secretAt + at));
  return call(place.foldProduct, half(0), half(8));
}

/** `hashShort(length)`: up to 240 bytes at the start of the window. */
function hashShort(): FunctionBuilder {
  const f = new FunctionBuilder([int]);
  const [length] = f.parameters as [Local];
  const round = f.local(int);
  const [hash, other] = f.locals(long, 2) as [Local, Local];
  const above = (bytes: number): Code => i32.isAbove(length.get, i32.constant(bytes));
  const done = (value: Code): Code => join(storeResult(value), leave());
  return f.emit(
    when(above(128), upTo240(length, round, hash), done(call(place.avalanche, hash.get))),
    when(above(16), upTo128(length, round, hash), done(call(place.avalanche, hash.get))),
    when(above(8), upTo16(length, hash, other), done(call(place.avalanche, hash.get))),
    when(above(3), upTo8(length, hash), done(i64.xor(hash.get, right(hash.get, 28n)))),
    hash.set(i64.xor(key(56), key(64))),
    when(above(0), upTo3(length, hash)),
    hash.set(i64.multiply(i64.xor(hash.get, right(hash.get, 33n)), i64.constant(xxh3.prime64x2))),
    hash.set(i64.multiply(i64.xor(hash.get, right(hash.get, 29n)), i64.constant(xxh3.prime64x3))),
    storeResult(i64.xor(hash.get, right(hash.get, 32n))),
  );
}

function upTo240(length: Local, round: Local, hash: Local): Code {
  const position = i32.shiftLeft(round.get, i32.constant(4));
  const lateKeys = plus(position, xxh3.secretOfLateRounds - 128);
  const next = round.tee(plus(round.get, 1));
  const add = (value: Code): Code => hash.set(i64.add(hash.get, value));
  return join(
    hash.set(i64.multiply(i64.fromI32(length.get), i64.constant(xxh3.prime64x1))),
    repeatWhile(i32.isBelow(next, i32.constant(8)), add(mix16(position, position))),
    hash.set(call(place.avalanche, hash.get)),
    // Eight rounds are done, and from 144 bytes on there are more.
    when(
      i32.isAbove(length.get, i32.constant(143)),
      repeatWhile(i32.isBelow(next, i32.shiftRight(length.get, i32.constant(4))), add(mix16(position, lateKeys))),
    ),
    add(mix16(plus(length.get, -16), i32.constant(xxh3.secretOfLastRound))),
  );
}

/** Pairs of 16 bytes from both ends inwards; the sum does not care for order. */
function upTo128(length: Local, round: Local, hash: Local): Code {
  const fromStart = i32.shiftLeft(round.get, i32.constant(4));
  const fromEnd = i32.subtract(plus(length.get, -16), fromStart);
  const keys = i32.shiftLeft(round.get, i32.constant(5));
  const pairs = i32.shiftRight(plus(length.get, 31), i32.constant(5));
  return join(
    hash.set(i64.multiply(i64.fromI32(length.get), i64.constant(xxh3.prime64x1))),
    repeatWhile(
      i32.isBelow(round.tee(plus(round.get, 1)), pairs),
      hash.set(i64.add(hash.get, i64.add(mix16(fromStart, keys), mix16(fromEnd, plus(keys, 16))))),
    ),
  );
}

function upTo16(length: Local, low: Local, high: Local): Code {
  return join(
    low.set(i64.xor(i64.load(i32.constant(0), windowAt), i64.xor(key(24), key(32)))),
    high.set(i64.xor(i64.load(length.get, windowAt - 8), i64.xor(key(40), key(48)))),
    low.set(i64.add(i64.add(i64.fromI32(length.get), swapBytes(low.get)), i64.add(high.get, call(place.foldProduct, low.get, high.get)))),
  );
}

function upTo8(length: Local, hash: Local): Code {
  const input = i64.or(i64.shiftLeft(i64.load32(i32.constant(0), windowAt), i64.constant(32n)), i64.load32(length.get, windowAt - 4));
  const rotated = (bits: bigint): Code => i64.rotateLeft(hash.get, i64.constant(bits));
  return join(
    hash.set(i64.xor(input, i64.xor(key(8), key(16)))),
    hash.set(i64.multiply(i64.xor(hash.get, i64.xor(rotated(49n), rotated(24n))), i64.constant(xxh3.primeMix2))),
    hash.set(i64.xor(hash.get, i64.add(right(hash.get, 35n), i64.fromI32(length.get)))),
    hash.set(i64.multiply(hash.get, i64.constant(xxh3.primeMix2))),
  );
}

function upTo3(length: Local, hash: Local): Code {
  const middle = i32.load8(i32.shiftRight(length.get, i32.constant(1)), windowAt);
  const first = i32.shiftLeft(i32.load8(i32.constant(0), windowAt), i32.constant(16));
  const last = i32.load8(length.get, windowAt - 1);
  const lengthBits = i32.shiftLeft(length.get, i32.constant(8));
  const combined = i32.or(i32.or(first, i32.shiftLeft(middle, i32.constant(24))), i32.or(last, lengthBits));
  const keys = i64.xor(i64.load32(i32.constant(0), secretAt), i64.load32(i32.constant(0), secretAt + 4));
  return hash.set(i64.xor(i64.fromI32(combined), keys));
}

/** Bytes, then pairs, then halves change places. */
function swapBytes(value: Code): Code {
  let swapped = value;
  for (const [bits, mask] of [
    [8n, 0x00ff00ff00ff00ffn],
    [16n, 0x0000ffff0000ffffn],
  ] as const) {
    const lower = i64.shiftLeft(i64.and(swapped, i64.constant(mask)), i64.constant(bits));
    swapped = i64.or(lower, i64.and(right(swapped, bits), i64.constant(mask)));
  }
  return i64.rotateLeft(swapped, i64.constant(32n));
}

function hashWindow(): FunctionBuilder {
  const f = new FunctionBuilder([int]);
  const [length] = f.parameters as [Local];
  const isLong = i32.isAbove(length.get, i32.constant(xxh3.shortBytesMax));
  return f.emit(
    when(isLong, call(place.start), call(place.finish, length.get, i32.toF64(length.get)), leave()),
    call(place.hashShort, length.get),
  );
}
