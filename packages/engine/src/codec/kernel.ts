/**
 * What a coding kernel does, whichever way it is built. All kernels give identical bytes.
 *
 * The code: systematic Reed-Solomon over GF(2^8) modulo 0x11D with generator g = 2. Parity row r has coefficient
 * g^(e_r * j) for data shard j, with e = 0, 1, -1, 2 for r = 0..3. A shard is a sequence of 128-byte units of 8 planes ×
 * 16 bytes; bit b of a symbol lives in plane b. Data shards are the object's bytes verbatim; only parity lives in planes.
 * Because units are independent, any aligned 128-byte range of all shards is itself a codeword.
 */
export interface CodeShape {
  /** k: data shards, 1 ≤ k ≤ 60 (21 when parity is 4). */
  readonly data: number;
  /** m: parity shards, 0 ≤ m ≤ 4. */
  readonly parity: number;
}

/** Synchronous, pure, never keeps a reference to a buffer. Buffers may be views of any ArrayBuffer or SharedArrayBuffer. */
export interface CodeKernel {
  /** What runs underneath, for status and benchmarks. */
  readonly name: string;
  /** Fills the m parity shards from the k data shards. All have one length, a multiple of 128; zero is allowed. */
  encode(shape: CodeShape, data: readonly Uint8Array[], parity: readonly Uint8Array[]): void;
  /** True when the k + m shards (data first) are a codeword. */
  verify(shape: CodeShape, shards: readonly Uint8Array[]): boolean;
  /**
   * Fills the shards named by `wanted` (index to buffer) from any k or more of the others.
   * `shards` has k + m places, undefined where a shard is lost or not read; at least k must be there.
   */
  reconstruct(shape: CodeShape, shards: readonly (Uint8Array | undefined)[], wanted: ReadonlyMap<number, Uint8Array>): void;
}
