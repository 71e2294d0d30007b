/**
 * The checksum of everything stored: XXH3-64, seed 0, kept as 8 bytes little-endian. Computed by generated WebAssembly, or by plain
 * TypeScript where that is absent; both are exact. Input may lie in any memory, shared memory included, and is only read.
 */
import { invariant } from "../base/invariant.ts";
import { arenaPages, instantiate, resultAt, secretAt, type WasmArena, wasmArena, windowAt, windowBytes } from "./wasm-arena.ts";
import { stripeBytes, xxh3Secret } from "./xxh3-constants.ts";
import { portableXxh3 } from "./xxh3-portable.ts";
import { encodeXxh3Module } from "./xxh3-program.ts";

/** Bytes of a stored checksum. */
export const checksumBytes = 8;

/** Hashes bytes[start, end) and leaves the checksum at `resultAt` of the returned bytes. */
type Hasher = (bytes: Uint8Array, start: number, end: number) => Uint8Array;

let hasher: Hasher | undefined;

/** Writes the checksum of `bytes` to `target` at position `at`. */
export function writeChecksum(target: Uint8Array, at: number, bytes: Uint8Array): void {
  writeRangeChecksum(target, at, bytes, 0, bytes.byteLength);
}

/** True when the checksum of `bytes` stands in `expected` at position `at`. */
export function matchesChecksum(expected: Uint8Array, at: number, bytes: Uint8Array): boolean {
  invariant(at >= 0 && at + checksumBytes <= expected.byteLength, "a checksum lies within its bytes");
  const result = currentHasher()(bytes, 0, bytes.byteLength);
  for (let i = 0; i < checksumBytes; i++) if (expected[at + i] !== result[resultAt + i]) return false;
  return true;
}

/** The checksum of `bytes`, 8 fresh bytes. */
export function checksum(bytes: Uint8Array): Uint8Array {
  return currentHasher()(bytes, 0, bytes.byteLength).slice(resultAt, resultAt + checksumBytes);
}

/** Writes the checksums of the blocks of `bytes`, each of `blockBytes` but the last, one after another to `target` from `at`. */
export function writeBlockChecksums(target: Uint8Array, at: number, bytes: Uint8Array, blockBytes: number): void {
  let position = at;
  for (let start = 0; start < bytes.byteLength; start += blockBytes) {
    writeRangeChecksum(target, position, bytes, start, Math.min(start + blockBytes, bytes.byteLength));
    position += checksumBytes;
  }
}

/** XXH3-64 (seed 0) as a number. */
export function xxh3(bytes: Uint8Array): bigint {
  const result = checksum(bytes);
  return new DataView(result.buffer, result.byteOffset).getBigUint64(0, true);
}

function writeRangeChecksum(target: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): void {
  invariant(at >= 0 && at + checksumBytes <= target.byteLength, "a checksum has room in its target");
  const result = currentHasher()(bytes, start, end);
  for (let i = 0; i < checksumBytes; i++) target[at + i] = result[resultAt + i] as number;
}

function currentHasher(): Hasher {
  if (hasher === undefined) {
    const arena = wasmArena();
    hasher = arena === undefined ? portableHasher() : generatedHasher(arena);
  }
  return hasher;
}

interface Xxh3Exports {
  start(): void;
  addBlocks(count: number): void;
  finish(length: number, total: number): void;
  hashWindow(length: number): void;
}

function generatedHasher(arena: WasmArena): Hasher {
  const memory = arena.bytes;
  memory.set(xxh3Secret, secretAt);
  const { start, addBlocks, finish, hashWindow } = instantiate(arena, encodeXxh3Module(arenaPages)) as Xxh3Exports;
  const windowBlocks = windowBytes / 1024;

  function hashLong(bytes: Uint8Array, from: number, end: number): void {
    let position = from;
    start();
    // The last window holds at least one byte: its last stripe is treated unlike the others.
    for (; end - position > windowBytes; position += windowBytes) {
      memory.set(bytes.subarray(position, position + windowBytes), windowAt);
      addBlocks(windowBlocks);
    }
    memory.set(bytes.subarray(position - stripeBytes, end), windowAt - stripeBytes);
    finish(end - position, end - from);
  }

  return (bytes, from, end) => {
    if (end - from > windowBytes) {
      hashLong(bytes, from, end);
    } else {
      memory.set(from === 0 && end === bytes.byteLength ? bytes : bytes.subarray(from, end), windowAt);
      hashWindow(end - from);
    }
    return memory;
  };
}

/** Gives its result where the generated code does. */
function portableHasher(): Hasher {
  const result = new Uint8Array(resultAt + checksumBytes);
  const view = new DataView(result.buffer);
  return (bytes, start, end) => {
    view.setBigUint64(resultAt, portableXxh3(bytes.subarray(start, end)), true);
    return result;
  };
}
