/**
 * The bytes of one file of a crash drive: what reads see, and which writes and cuts a power cut could still undo.
 */

/** Unsynced writes reach the platter sector by sector. */
export const sectorBytes = 512;

/**
 * What a restart finds. `process kill`: all that was written, for the system's memory survives. `nothing unsynced`: only what was durable.
 * `power cut`: each write and each name by itself kept or lost, writes also torn by sectors; where a torn write has lengthened the file, a
 * lost sector shows what its block held before: zeros, junk, or a piece of another file.
 */
export type CrashKind = "power cut" | "nothing unsynced" | "process kill";

/** Where the outcome of a power cut comes from. */
export interface CrashChance {
  below(bound: number): number;
  /** A sector of any file of the drive, as for a block that was used before. */
  stale(position: number): Uint8Array | undefined;
}

type Pending = { readonly position: number; readonly bytes: Uint8Array } | { readonly length: number };

export class CrashBytes {
  /** What a reader sees. */
  #cached: Uint8Array;
  /** What is on stable storage. */
  #durable: Uint8Array;
  #pending: readonly Pending[] = [];

  constructor(content: Uint8Array) {
    this.#cached = content;
    this.#durable = content;
  }

  get size(): number {
    return this.#cached.byteLength;
  }

  get cached(): Uint8Array {
    return this.#cached;
  }

  /** The same bytes with the same doubts, which no longer change with these. Arrays are never written to, so they are shared. */
  clone(): CrashBytes {
    const copy = new CrashBytes(this.#cached);
    copy.#durable = this.#durable;
    copy.#pending = this.#pending;
    return copy;
  }

  read(position: number, into: Uint8Array): number {
    const bytes = this.#cached.subarray(position, position + into.byteLength);
    into.set(bytes);
    return bytes.byteLength;
  }

  write(position: number, bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#cached = written(this.#cached, position, copy);
    this.#pending = [...this.#pending, { position, bytes: copy }];
  }

  sync(): void {
    this.#durable = this.#cached;
    this.#pending = [];
  }

  /** Cuts the file; what was written before stays as doubtful as it was. */
  truncate(length: number): void {
    this.#cached = resized(this.#cached, length);
    this.#pending = [...this.#pending, { length }];
  }

  /** The last cut is durable from now on. */
  settleTruncate(length: number): void {
    this.#durable = resized(this.#durable, length);
    this.#pending = this.#pending.flatMap((change) => {
      if (!("bytes" in change)) return change.length === length ? [] : [change];
      if (change.position >= length) return [];
      return [{ position: change.position, bytes: change.bytes.subarray(0, length - change.position) }];
    });
  }

  /** Flips one bit for good, as bit rot does. */
  rot(bit: number): void {
    if (this.size === 0) return;
    const at = bit % (this.size * 8);
    this.#cached = flipped(this.#cached, at);
    if (at >> 3 < this.#durable.byteLength) this.#durable = flipped(this.#durable, at);
  }

  /** What a restart finds. */
  afterCrash(kind: CrashKind, chance: CrashChance): Uint8Array {
    if (kind === "process kill") return this.#cached;
    let content = this.#durable;
    if (kind === "nothing unsynced") return content;
    for (const change of this.#pending) {
      const fate = chance.below(3);
      if (fate === 0) continue;
      if (!("bytes" in change)) content = resized(content, change.length);
      else content = fate === 1 ? written(content, change.position, change.bytes) : torn(content, change.position, change.bytes, chance);
    }
    return content;
  }
}

/**
 * Some sectors as written, some as before. Where the file had none yet, now and then one with something that never was in it: what its new
 * block held before. A sector written over is as before or as written, never a mixture: drives promise that, and recovery stands on it.
 */
function torn(content: Uint8Array, position: number, bytes: Uint8Array, chance: CrashChance): Uint8Array {
  const junky = chance.below(3) === 0;
  const before = content.byteLength;
  let result = content;
  for (let start = position; start < position + bytes.byteLength; ) {
    const end = Math.min(position + bytes.byteLength, (Math.floor(start / sectorBytes) + 1) * sectorBytes);
    const fate = chance.below(4);
    if (fate < 2) result = written(result, start, bytes.subarray(start - position, end - position));
    else if (fate === 2 && junky && start >= before) result = written(result, start, junk(start, end - start, chance));
    start = end;
  }
  return result;
}

function junk(position: number, length: number, chance: CrashChance): Uint8Array {
  const stale = chance.below(2) === 0 ? chance.stale(position) : undefined;
  if (stale !== undefined) return resized(stale, length);
  let state = chance.below(2 ** 32) | 1;
  return new Uint8Array(length).map(() => {
    state = Math.imul(state, 0x2c1b3c6d) + 0x297a2d39;
    return state >>> 24;
  });
}

function flipped(content: Uint8Array, bit: number): Uint8Array {
  const result = content.slice();
  result[bit >> 3] = (result[bit >> 3] as number) ^ (1 << (bit & 7));
  return result;
}

function resized(content: Uint8Array, length: number): Uint8Array {
  const result = new Uint8Array(length);
  result.set(content.subarray(0, length));
  return result;
}

/** How far each buffer is used: what lies beyond belongs to nobody yet. */
const used = new WeakMap<ArrayBufferLike, number>();

/**
 * The content with `bytes` in place; a hole before them is zeros. What was handed out before does not change: bytes are added in place only
 * behind everything that shares the buffer.
 */
function written(content: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  const size = Math.max(content.byteLength, position + bytes.byteLength);
  const { buffer } = content;
  const isLast = content.byteOffset === 0 && used.get(buffer) === content.byteLength;
  if (isLast && position >= content.byteLength && size <= buffer.byteLength) {
    const result = new Uint8Array(buffer, 0, size);
    result.set(bytes, position);
    used.set(buffer, size);
    return result;
  }
  const result = new Uint8Array(new ArrayBuffer(2 * size), 0, size);
  result.set(content);
  result.set(bytes, position);
  used.set(result.buffer, size);
  return result;
}
