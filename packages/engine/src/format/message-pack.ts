/**
 * The little of MessagePack that batches' records need, written and read by hand: arrays, byte strings and unsigned integers of 32
 * bits. Written in the shortest form, so the bytes are determined; read in any form. Several times faster than a general library on
 * these shapes; tests hold it against msgpackr in both directions.
 */
import { HoldfastError } from "../base/errors.ts";

/** Bytes of the head of an array. */
export function arrayHeadBytes(length: number): number {
  return length < 16 ? 1 : length < 2 ** 16 ? 3 : 5;
}

/** Bytes of a byte string with its head. */
export function binaryBytes(length: number): number {
  return length + (length < 2 ** 8 ? 2 : length < 2 ** 16 ? 3 : 5);
}

/** Bytes of an unsigned integer. */
export function uintBytes(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 8 ? 2 : value < 2 ** 16 ? 3 : 5;
}

/** Writes the head of an array; gives the position after it. */
export function putArrayHead(target: Uint8Array, at: number, length: number): number {
  if (length < 16) {
    target[at] = 0x90 | length;
    return at + 1;
  }
  return length < 2 ** 16 ? putHead16(target, at, 0xdc, length) : putHead32(target, at, 0xdd, length);
}

/** Writes a byte string; gives the position after it. */
export function putBinary(target: Uint8Array, at: number, bytes: Uint8Array): number {
  const length = bytes.byteLength;
  let next = at;
  if (length < 2 ** 8) {
    target[next++] = 0xc4;
    target[next++] = length;
  } else next = length < 2 ** 16 ? putHead16(target, at, 0xc5, length) : putHead32(target, at, 0xc6, length);
  // A call to `set` costs as much as copying a few dozen bytes one by one.
  if (length > 24) target.set(bytes, next);
  else for (let i = 0; i < length; i++) target[next + i] = bytes[i] as number;
  return next + length;
}

/** Writes an unsigned integer below 2^32; gives the position after it. */
export function putUint(target: Uint8Array, at: number, value: number): number {
  if (value < 2 ** 7) {
    target[at] = value;
    return at + 1;
  }
  if (value < 2 ** 8) {
    target[at] = 0xcc;
    target[at + 1] = value;
    return at + 2;
  }
  return value < 2 ** 16 ? putHead16(target, at, 0xcd, value) : putHead32(target, at, 0xce, value);
}

function putHead16(target: Uint8Array, at: number, type: number, value: number): number {
  target[at] = type;
  target[at + 1] = value >>> 8;
  target[at + 2] = value;
  return at + 3;
}

function putHead32(target: Uint8Array, at: number, type: number, value: number): number {
  target[at] = type;
  target[at + 1] = value >>> 24;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 8;
  target[at + 4] = value;
  return at + 5;
}

/** Reads values one after another; anything else, or an end too early, is `FORMAT_DAMAGED`. */
export class MessagePackReader {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** True when every byte has been read. */
  get atEnd(): boolean {
    return this.#at === this.#bytes.byteLength;
  }

  /** The length of the array that starts here. It is a claim: there may be fewer bytes than it needs. @throws FORMAT_DAMAGED */
  arrayHead(): number {
    const type = this.#uint(1);
    if ((type & 0xf0) === 0x90) return type & 0x0f;
    if (type === 0xdc) return this.#uint(2);
    return type === 0xdd ? this.#uint(4) : this.fail("an array");
  }

  /** A byte string, as a view of the bytes given. @throws FORMAT_DAMAGED */
  binary(): Uint8Array {
    const type = this.#uint(1);
    if (type < 0xc4 || type > 0xc6) this.fail("a byte string");
    const length = this.#uint(type === 0xc4 ? 1 : type === 0xc5 ? 2 : 4);
    if (length > this.#bytes.byteLength - this.#at) this.fail(`${length} bytes`);
    const view = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, length);
    this.#at += length;
    return view;
  }

  /** An unsigned integer below 2^32. @throws FORMAT_DAMAGED */
  uint(): number {
    const type = this.#uint(1);
    if (type < 0x80) return type;
    if (type === 0xcc) return this.#uint(1);
    if (type === 0xcd) return this.#uint(2);
    return type === 0xce ? this.#uint(4) : this.fail("an unsigned integer");
  }

  /** @throws FORMAT_DAMAGED always */
  fail(expected: string): never {
    throw new HoldfastError("FORMAT_DAMAGED", `the records of a batch are malformed: expected ${expected} before byte ${this.#at}`);
  }

  #uint(size: number): number {
    const bytes = this.#bytes;
    if (size > bytes.byteLength - this.#at) this.fail("more bytes");
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (bytes[this.#at++] as number);
    return value;
  }
}
