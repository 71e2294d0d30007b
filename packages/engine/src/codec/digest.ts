/**
 * The digests objects are checked and named by, in the byte order S3 uses (the most significant byte first).
 *
 * Three ways of computing them: `computeDigest` for bytes at hand; `createDigest` for a stream that several threads may take turns
 * on, because its state can be saved and resumed; `createFastDigest` for a stream that one caller sees through, at the speed of
 * node:crypto. Measured on one core (GiB/s, node:crypto / saved state): md5 0.67 / 0.52, sha1 1.7 / 0.58, sha256 1.6 / 0.20,
 * sha512 0.63 / 0.30. The other digests have one implementation for all three.
 *
 * hash-wasm makes its hashers asynchronously: await `loadDigests` once per thread, at start. Before that, only `computeDigest` and
 * `createFastDigest` of md5, sha1, sha256, sha512 and crc32 work, and `computeDigest` of xxhash3.
 */
import { createHash, hash } from "node:crypto";
import { crc32 } from "node:zlib";
import {
  createCRC32,
  createCRC64,
  createMD5,
  createSHA1,
  createSHA256,
  createSHA512,
  createXXHash3,
  createXXHash64,
  createXXHash128,
  type IHasher,
} from "hash-wasm";
import { HoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { hasWebAssembly } from "./wasm-arena.ts";
import { checksum } from "./xxh3.ts";

/** Digest names and the bytes each gives. */
export const digestBytes = {
  md5: 16,
  sha1: 20,
  sha256: 32,
  sha512: 64,
  crc32: 4,
  crc32c: 4,
  crc64nvme: 8,
  xxhash64: 8,
  xxhash3: 8,
  xxhash128: 16,
} as const;

/** The name of a digest. */
export type DigestName = keyof typeof digestBytes;

/** A digest being computed. After `digest` it is used up. */
export interface FastDigest {
  /** Takes more bytes, which are not kept. */
  update(bytes: Uint8Array): this;
  /** The digest of everything taken. */
  digest(): Uint8Array;
}

/** A digest whose state can move to another thread. */
export interface Digest extends FastDigest {
  /** The state so far, for `resumeDigest`. At most 1 KiB; may contain the last bytes taken. Valid within one version of Holdfast only. */
  save(): Uint8Array;
}

const crc32cPolynomial = 0x82f63b78;
const crc64NvmePolynomial = "9a6c9329ac4bc9b5";

/** How hash-wasm makes each; crc32 is zlib's. */
const creators: Readonly<Record<Exclude<DigestName, "crc32">, () => Promise<IHasher>>> = {
  md5: createMD5,
  sha1: createSHA1,
  sha256: createSHA256,
  sha512: createSHA512,
  crc32c: () => createCRC32(crc32cPolynomial),
  crc64nvme: () => createCRC64(crc64NvmePolynomial),
  xxhash64: () => createXXHash64(),
  xxhash3: () => createXXHash3(),
  xxhash128: () => createXXHash128(),
};

/** One hasher per name and thread. Every call leaves it to the next, so a state is loaded before and saved after use. */
const hashers = new Map<DigestName, IHasher>();
let loading: Promise<void> | undefined;

/** Readies all digests of this thread; further calls wait for the same. Where WebAssembly is absent, leaves those that need it out. */
export function loadDigests(): Promise<void> {
  loading ??= loadHashers();
  return loading;
}

async function loadHashers(): Promise<void> {
  if (!hasWebAssembly) return;
  const entries = Object.entries(creators) as [DigestName, () => Promise<IHasher>][];
  await Promise.all(entries.map(async ([name, create]) => hashers.set(name, await create())));
}

/** The digest of the bytes. @throws UNSUPPORTED where it needs WebAssembly and there is none */
export function computeDigest(name: DigestName, bytes: Uint8Array): Uint8Array {
  if (name === "crc32") return bigEndian32(crc32(bytes));
  if (name === "xxhash3") return checksum(bytes).reverse();
  if (isNative(name)) return plain(hash(name, bytes, "buffer"));
  return hasherOf(name).init().update(bytes).digest("binary");
}

/** Starts a digest whose state can be saved. @throws UNSUPPORTED where it needs WebAssembly and there is none */
export function createDigest(name: DigestName): Digest {
  if (name === "crc32") return new Crc32Digest(0);
  return new SavedDigest(hasherOf(name), hasherOf(name).init().save());
}

/** Goes on with a digest from the state `save` gave. @throws UNSUPPORTED where it needs WebAssembly and there is none */
export function resumeDigest(name: DigestName, state: Uint8Array): Digest {
  if (name !== "crc32") return new SavedDigest(hasherOf(name), state);
  invariant(state.byteLength === digestBytes.crc32, "the state of a crc32 is four bytes");
  return new Crc32Digest(new DataView(state.buffer, state.byteOffset).getUint32(0));
}

/** Starts a digest that cannot be saved, as fast as it gets. @throws UNSUPPORTED where it needs WebAssembly and there is none */
export function createFastDigest(name: DigestName): FastDigest {
  return isNative(name) ? new NativeDigest(name) : createDigest(name);
}

function isNative(name: DigestName): boolean {
  return name === "md5" || name === "sha1" || name === "sha256" || name === "sha512";
}

function hasherOf(name: DigestName): IHasher {
  const hasher = hashers.get(name);
  if (hasher !== undefined) return hasher;
  if (!hasWebAssembly) {
    throw new HoldfastError("UNSUPPORTED", `the digest ${name} needs WebAssembly, which this process runs without (--jitless)`);
  }
  invariant(false, "loadDigests() is awaited before a digest is asked for");
}

class NativeDigest implements FastDigest {
  readonly #hash: ReturnType<typeof createHash>;

  constructor(name: DigestName) {
    this.#hash = createHash(name);
  }

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  digest(): Uint8Array {
    return plain(this.#hash.digest());
  }
}

class SavedDigest implements Digest {
  readonly #hasher: IHasher;
  #state: Uint8Array;

  constructor(hasher: IHasher, state: Uint8Array) {
    this.#hasher = hasher;
    this.#state = state;
  }

  update(bytes: Uint8Array): this {
    this.#state = this.#hasher.load(this.#state).update(bytes).save();
    return this;
  }

  digest(): Uint8Array {
    return this.#hasher.load(this.#state).digest("binary");
  }

  save(): Uint8Array {
    return this.#state.slice();
  }
}

class Crc32Digest implements Digest {
  #value: number;

  constructor(value: number) {
    this.#value = value;
  }

  update(bytes: Uint8Array): this {
    this.#value = crc32(bytes, this.#value);
    return this;
  }

  digest(): Uint8Array {
    return bigEndian32(this.#value);
  }

  save(): Uint8Array {
    return bigEndian32(this.#value);
  }
}

function bigEndian32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Without Buffer's methods, so that equal digests are equal values everywhere. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
