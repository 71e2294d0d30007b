/**
 * The bytes of one file of a crash drive: what reads see, and which writes a power cut could still undo.
 */

/** Unsynced writes reach the platter sector by sector. */
const sectorBytes = 512;

interface PendingWrite {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** What becomes of unsynced writes: each kept, lost or torn by sectors as chance has it; or all kept, as when only the process dies. */
export type CrashKind = "power cut" | "process kill";

export class CrashBytes {
  /** What a reader sees. */
  #cached: Uint8Array;
  /** What is on stable storage. */
  #durable: Uint8Array;
  #pending: PendingWrite[] = [];

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

  read(position: number, into: Uint8Array): number {
    const bytes = this.#cached.subarray(position, position + into.byteLength);
    into.set(bytes);
    return bytes.byteLength;
  }

  write(position: number, bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#cached = written(this.#cached, position, copy);
    this.#pending.push({ position, bytes: copy });
  }

  sync(): void {
    this.#durable = this.#cached;
    this.#pending = [];
  }

  truncate(length: number): void {
    const cut = new Uint8Array(length);
    cut.set(this.#cached.subarray(0, length));
    this.#cached = cut;
    this.sync();
  }

  /** What a restart finds; `below` gives chance. */
  afterCrash(kind: CrashKind, below: (bound: number) => number): Uint8Array {
    if (kind === "process kill") return this.#cached;
    let content = this.#durable;
    for (const { position, bytes } of this.#pending) {
      const fate = below(3);
      if (fate === 0) continue;
      for (let start = position; start < position + bytes.byteLength; ) {
        const end = Math.min(position + bytes.byteLength, (Math.floor(start / sectorBytes) + 1) * sectorBytes);
        if (fate === 1 || below(2) === 0) content = written(content, start, bytes.subarray(start - position, end - position));
        start = end;
      }
    }
    return content;
  }
}

/** A copy with `bytes` in place; a hole before them is zeros. */
function written(content: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(Math.max(content.byteLength, position + bytes.byteLength));
  result.set(content);
  result.set(bytes, position);
  return result;
}
