/**
 * A reference model of an erasure set: the contract of `set/erasure-set.ts` in the fewest words, in memory, without drives or codes.
 *
 * It is stricter than a real set where that finds mistakes above it: naming a blob twice, giving up one that is not named, reading one
 * that is gone or taking over a payload that no entry holds are invariant failures.
 */
import { concatBytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { abortedError, HoldfastError, throwIfAborted } from "../base/errors.ts";
import { createId } from "../base/ids.ts";
import { invariant } from "../base/invariant.ts";
import type { Random } from "../base/random.ts";
import type { BlobFacts } from "../set/blob-facts.ts";
import {
  type BlobLocation,
  type BlobReader,
  type CommitOptions,
  type ErasureSet,
  type KeyRange,
  type PackedPayload,
  type SetEntry,
  type SetOperation,
  type SetTransaction,
  userKeyFirstByteMin,
} from "../set/erasure-set.ts";
import { SortedEntries } from "./sorted-entries.ts";

export interface MemorySetOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly computeDigest: (name: string, bytes: Uint8Array) => Uint8Array;
  readonly driveCount?: number;
}

/** A memory set, with a look inside for tests. */
export interface MemorySet extends ErasureSet {
  /** Blobs that a commit has named and none has given up. */
  readonly liveBlobs: number;
  /** Blobs written that are neither named nor discarded. */
  readonly looseBlobs: number;
  /** Readers open at the moment. */
  readonly openReaders: number;
  /** Entries. */
  readonly size: number;
  /** Makes the next commit fail with this error, before its decision. */
  failNextCommit(error: Error): void;
}

/** How a memory set was asked to code a blob. */
export function describeMemoryBlob(blob: BlobLocation): BlobFacts {
  return { data: blob[8] as number, parity: blob[9] as number, drives: [], sizeBytes: 0 };
}

interface StoredBlob {
  readonly bytes: Uint8Array;
  named: boolean;
  removed: boolean;
  pins: number;
}

/** Makes an empty memory set. */
export function createMemorySet(options: MemorySetOptions): MemorySet {
  return new ModelSet(options);
}

class ModelSet implements MemorySet {
  readonly id;
  readonly profile = { data: 2, parity: 1 };
  readonly driveCount: number;
  readonly #options: MemorySetOptions;
  readonly #map = new SortedEntries();
  readonly #payloads: Uint8Array[] = [];
  readonly #blobs: StoredBlob[] = [];
  #queue: (() => void)[] = [];
  #order = 0;
  #failure: Error | undefined;

  constructor(options: MemorySetOptions) {
    this.#options = options;
    this.id = createId<ErasureSet["id"]>(options.random);
    this.driveCount = options.driveCount ?? 3;
  }

  get liveBlobs(): number {
    return this.#blobs.filter((blob) => blob.named && !blob.removed).length;
  }

  get looseBlobs(): number {
    return this.#blobs.filter((blob) => !blob.named && !blob.removed).length;
  }

  get openReaders(): number {
    return this.#blobs.reduce((sum, blob) => sum + blob.pins, 0);
  }

  get size(): number {
    return this.#map.size;
  }

  failNextCommit(error: Error): void {
    this.#failure = error;
  }

  get(key: Uint8Array): SetEntry | undefined {
    return this.#map.get(key);
  }

  scan(range: KeyRange, visit: (key: Uint8Array, entry: () => SetEntry) => boolean | Uint8Array): void {
    this.#map.scan(range, visit);
  }

  commit<T>(operation: SetOperation<T>, options: CommitOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#queue.push(() => {
        try {
          if (options.signal?.aborted === true) throw abortedError(options.signal);
          this.#order = Math.max(this.#order, options.orderAbove ?? 0);
          resolve(this.#run(operation));
        } catch (error) {
          reject(error);
        }
      });
      if (this.#queue.length === 1) setImmediate(() => this.#flush());
    });
  }

  async readPacked(payload: PackedPayload): Promise<Uint8Array> {
    const bytes = this.#payloads[numberIn(payload)];
    invariant(bytes !== undefined, "a payload read was committed");
    return bytes.slice();
  }

  async writeBlob(source: AsyncIterable<Uint8Array>, options: Parameters<ErasureSet["writeBlob"]>[1]): ReturnType<ErasureSet["writeBlob"]> {
    const pieces: Uint8Array[] = [];
    for await (const piece of source) {
      throwIfAborted(options.signal);
      pieces.push(piece.slice());
    }
    throwIfAborted(options.signal);
    const bytes = concatBytes(pieces);
    this.#blobs.push({ bytes, named: false, removed: false, pins: 0 });
    const digests = new Map(options.digests.map((name) => [name, this.#options.computeDigest(name, bytes)]));
    const { data, parity } = options.profile ?? this.profile;
    const blob = concatBytes([bytesOfNumber(this.#blobs.length - 1), Uint8Array.of(data, parity)]) as BlobLocation;
    return { blob, sizeBytes: bytes.byteLength, digests };
  }

  async discardBlob(location: BlobLocation): Promise<void> {
    const blob = this.#blob(location);
    invariant(!blob.named, "a blob discarded was never named");
    blob.removed = true;
  }

  openBlob(location: BlobLocation): BlobReader {
    const blob = this.#blob(location);
    invariant(!blob.removed, "a blob opened is not given up");
    blob.pins++;
    let open = true;
    return {
      sizeBytes: blob.bytes.byteLength,
      read: (range, signal) => readPieces(blob.bytes, range, signal),
      close() {
        if (open) blob.pins--;
        open = false;
      },
    };
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const run of queue) run();
  }

  #run<T>(operation: SetOperation<T>): T {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    const order = ++this.#order;
    const firstPayload = this.#payloads.length;
    const undo: (() => void)[] = [];
    try {
      const payloads = operation.payloads ?? [];
      const result = operation.decide(this.#transaction(order, firstPayload, payloads, undo));
      for (const payload of payloads) this.#payloads.push(payload.slice());
      return result;
    } catch (error) {
      for (const run of undo.reverse()) run();
      throw error;
    }
  }

  #transaction(order: number, firstPayload: number, payloads: readonly Uint8Array[], undo: (() => void)[]): SetTransaction {
    const set = (key: Uint8Array, entry: SetEntry | undefined): void => {
      const before = this.#map.get(key);
      undo.push(() => this.#map.set(key, before));
      this.#map.set(key, entry);
    };
    return {
      order,
      timeMs: this.#options.clock.nowMs(),
      get: (key) => this.#map.get(key),
      scan: (range, visit) => this.#map.scan(range, visit),
      put: (key, value, payload) => {
        invariant(
          (key[0] as number) >= userKeyFirstByteMin && key.byteLength <= 1900,
          "a user key starts at 0x10 and has at most 1,900 bytes",
        );
        if (typeof payload === "number") invariant(payload < payloads.length, "a payload put belongs to the operation");
        const location = typeof payload === "number" ? (bytesOfNumber(firstPayload + payload) as PackedPayload) : payload;
        if (location !== undefined && typeof payload !== "number")
          invariant(numberIn(location) < firstPayload + payloads.length, "a payload taken over exists");
        set(key, { value: value.slice(), payload: location, order });
      },
      delete: (key) => set(key, undefined),
      addBlob: (location) => {
        const blob = this.#blob(location);
        invariant(!blob.named && !blob.removed, "a blob is named once");
        blob.named = true;
        undo.push(() => (blob.named = false));
      },
      removeBlob: (location) => {
        const blob = this.#blob(location);
        invariant(blob.named && !blob.removed, "a blob given up is named and not given up before");
        blob.removed = true;
        undo.push(() => (blob.removed = false));
      },
    };
  }

  #blob(location: BlobLocation): StoredBlob {
    const blob = this.#blobs[numberIn(location)];
    invariant(blob !== undefined, "a blob location names a blob");
    return blob;
  }
}

async function* readPieces(
  bytes: Uint8Array,
  range: { readonly start: number; readonly end: number },
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (range.end > bytes.byteLength) throw new HoldfastError("INTERNAL", "a range lies inside its blob");
  for (let at = range.start; at < range.end; at += 64 * 1024) {
    throwIfAborted(signal);
    yield bytes.slice(at, Math.min(range.end, at + 64 * 1024));
  }
}

function bytesOfNumber(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

function numberIn(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
}
