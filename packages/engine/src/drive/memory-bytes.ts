/**
 * The bytes of one file in memory: chunks of 64 KiB that exist only where something was written, so that growing a pack copies nothing
 * and holes cost nothing. A chunk starts small and doubles, so that a small file takes little.
 */
const chunkBytes = 64 * 1024;
const chunkBytesMin = 512;

export class MemoryBytes {
  readonly #chunks = new Map<number, Uint8Array>();
  #sizeBytes = 0;
  #allocatedBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Memory taken by the chunks. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** How much memory writing [position, position + length) would add. */
  growthBytes(position: number, length: number): number {
    let growth = 0;
    for (const piece of pieces(position, length)) {
      const chunk = this.#chunks.get(piece.chunk);
      const wanted = chunkLength(piece.end);
      growth += Math.max(0, wanted - (chunk?.byteLength ?? 0));
    }
    return growth;
  }

  write(position: number, bytes: Uint8Array): void {
    let taken = 0;
    for (const piece of pieces(position, bytes.byteLength)) {
      const length = piece.end - piece.start;
      this.#chunk(piece.chunk, piece.end).set(bytes.subarray(taken, taken + length), piece.start);
      taken += length;
    }
    this.#sizeBytes = bytes.byteLength === 0 ? this.#sizeBytes : Math.max(this.#sizeBytes, position + bytes.byteLength);
  }

  /** Fills `into` from `position`; holes are zeros; gives the bytes read, fewer only at the end. */
  read(position: number, into: Uint8Array): number {
    const length = Math.max(0, Math.min(into.byteLength, this.#sizeBytes - position));
    let filled = 0;
    for (const piece of pieces(position, length)) {
      const stored = this.#chunks.get(piece.chunk)?.subarray(piece.start, piece.end);
      const wanted = piece.end - piece.start;
      if (stored !== undefined) into.set(stored, filled);
      into.fill(0, filled + (stored?.byteLength ?? 0), filled + wanted);
      filled += wanted;
    }
    return length;
  }

  truncate(length: number): void {
    for (const [index, chunk] of this.#chunks) {
      const start = index * chunkBytes;
      if (start >= length) {
        this.#chunks.delete(index);
        this.#allocatedBytes -= chunk.byteLength;
      } else {
        chunk.fill(0, Math.min(chunk.byteLength, length - start));
      }
    }
    this.#sizeBytes = length;
  }

  #chunk(index: number, end: number): Uint8Array {
    const old = this.#chunks.get(index);
    if (old !== undefined && old.byteLength >= end) return old;
    const grown = new Uint8Array(chunkLength(end));
    if (old !== undefined) grown.set(old);
    this.#chunks.set(index, grown);
    this.#allocatedBytes += grown.byteLength - (old?.byteLength ?? 0);
    return grown;
  }
}

/** The length of a chunk that is to reach up to `end`. */
function chunkLength(end: number): number {
  let length = chunkBytesMin;
  while (length < end) length *= 2;
  return length;
}

/** Cuts [position, position + length) at the chunks' borders. */
function* pieces(position: number, length: number): Generator<{ chunk: number; start: number; end: number }> {
  const stop = position + length;
  for (let at = position; at < stop; ) {
    const chunk = Math.floor(at / chunkBytes);
    const start = at - chunk * chunkBytes;
    const end = Math.min(chunkBytes, stop - chunk * chunkBytes);
    yield { chunk, start, end };
    at = chunk * chunkBytes + end;
  }
}
