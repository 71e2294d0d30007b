import type { SetId } from "../base/ids.ts";

/**
 * One erasure set as the rooms above see it: an ordered map whose changes are committed through one erasure-coded log, with payloads.
 *
 * What is atomic: one `commit` — all its puts, deletes and payloads, also over a crash of everything. Results are never partial.
 * Order: operations take effect in the order in which `commit` was called (of those of one set); `decide` runs in that order, sees
 * everything placed before it, and its answer is given only once everything it saw is durable: reads, conditions and lists are
 * linearizable per key.
 * Overlap: any number of calls may be under way.
 * After an error of kind `unavailable` or `exhausted` the operation has not happened and will not, unless `details.indeterminate` is
 * true, which says that only a reopen decides. Errors thrown by `decide` are passed on as they are: nothing of the operation happens.
 */
export interface ErasureSet {
  readonly id: SetId;
  /** k + m of the set by default; a commit may ask for another profile that fits the set's drives. */
  readonly profile: ErasureProfile;
  /** Number of drives of the set. */
  readonly driveCount: number;

  /** The committed entry of a key. */
  get(key: Uint8Array): SetEntry | undefined;
  /** Visits committed entries in order; see `OrderedIndex.scan`. Entries are decoded on demand. */
  scan(range: KeyRange, visit: (key: Uint8Array, entry: () => SetEntry) => boolean | Uint8Array): void;

  /** Places an operation in the next batch; resolves with what `decide` returned once the batch is committed. */
  commit<T>(operation: SetOperation<T>, options?: CommitOptions): Promise<T>;

  /**
   * A packed payload, whole, checked against its checksum, reconstructed where it must be. Called in the same turn in which its entry was looked
   * up: compaction may move the payload afterwards. @throws OBJECT_DAMAGED, DRIVES_MISSING
   */
  readPacked(payload: PackedPayload, onRead?: OnRead): Promise<Uint8Array>;

  /**
   * Streams `source` into a new blob: bounded memory, every shard durable when it resolves. Garbage until a commit names it with
   * `transaction.addBlob`; call `discardBlob` when that will not happen. On error or abort nothing is left behind.
   */
  writeBlob(source: AsyncIterable<Uint8Array>, options: BlobOptions): Promise<WrittenBlob>;
  /** Removes a blob that no commit named. Never throws. */
  discardBlob(blob: BlobLocation): Promise<void>;
  /** Pins a blob's shards against removal and reads any range of it, checked. Close it. */
  openBlob(blob: BlobLocation, onRead?: OnRead): BlobReader;
}

/** How an operation is committed. */
export interface CommitOptions {
  readonly signal?: AbortSignal | undefined;
  /** The operation's order is made greater than this one: for entries that come from another set. */
  readonly orderAbove?: number | undefined;
  /** It may go below the space kept free on every drive: for upkeep that gives more back than it takes. */
  readonly usesReserve?: boolean | undefined;
}

/** k data and m parity shards. */
export interface ErasureProfile {
  readonly data: number;
  readonly parity: number;
}

export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
  readonly reverse?: boolean;
}

/** Keys given to the set start with a byte of 0x10 or above; lower ones are the set's own. At most 1,900 bytes. */
export const userKeyFirstByteMin = 0x10;

export interface SetEntry {
  readonly value: Uint8Array;
  /** The payload put with it, if any. */
  readonly payload: PackedPayload | undefined;
  /** The place of the operation that put it in the set's order: grows with every operation, below 2^53. */
  readonly order: number;
}

export interface SetOperation<T> {
  /** How the payloads are coded; the set's own profile when undefined. */
  readonly profile?: ErasureProfile | undefined;
  /** Bytes laid into the batch's stripe, in order. Owned by the set until the commit settles; must not change meanwhile. */
  readonly payloads?: readonly Uint8Array[];
  /** Decides on the operation, synchronously, in the set's order. May throw to refuse it; must not touch anything but `transaction`. */
  decide(transaction: SetTransaction): T;
}

export interface SetTransaction {
  /** This operation's place in the set's order: what `SetEntry.order` of its puts will be. */
  readonly order: number;
  /** Wall time of the batch, milliseconds. */
  readonly timeMs: number;
  /** The entry as every operation before this one, and this one so far, has left it. */
  get(key: Uint8Array): SetEntry | undefined;
  /** Visits entries as `get` sees them. What is pending is gone through once, so a committed scan is faster. */
  scan(range: KeyRange, visit: (key: Uint8Array, entry: () => SetEntry) => boolean | Uint8Array): void;
  /** Puts an entry; `payload` is the number of one of the operation's payloads, or a payload taken over from another entry. */
  put(key: Uint8Array, value: Uint8Array, payload?: number | PackedPayload): void;
  delete(key: Uint8Array): void;
  /** Makes a written blob part of the store. */
  addBlob(blob: BlobLocation): void;
  /** Gives a blob up: its shards are removed once this is committed and no reader has it open. */
  removeBlob(blob: BlobLocation): void;
}

declare const packedBrand: unique symbol;
/** Where a packed payload lies and its checksum, as bytes (at most 64) that values may embed. */
export type PackedPayload = Uint8Array & { readonly [packedBrand]: true };

declare const blobBrand: unique symbol;
/** Where a blob lies, its size and shape, as bytes (at most 48) that values may embed. */
export type BlobLocation = Uint8Array & { readonly [blobBrand]: true };

export interface BlobOptions {
  readonly profile?: ErasureProfile | undefined;
  /** Digests to compute over the bytes on the way: names of `codec/digest.ts`. */
  readonly digests: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export interface WrittenBlob {
  readonly blob: BlobLocation;
  readonly sizeBytes: number;
  /** Digest name to digest. */
  readonly digests: ReadonlyMap<string, Uint8Array>;
}

/** How bytes were had: `degraded` when they had to be reconstructed because a drive was missing, slow or wrong. */
export type ReadOutcome = "healthy" | "degraded";

/** Called for every packed payload, and every stripe of a blob, when its bytes are there. Must not throw. */
export type OnRead = (outcome: ReadOutcome) => void;

export interface BlobReader {
  readonly sizeBytes: number;
  /** The bytes [start, end), in pieces of at most a stripe, each checked before it is handed out. @throws OBJECT_DAMAGED, DRIVES_MISSING, ABORTED */
  read(range: { readonly start: number; readonly end: number }, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Gives the pin back; reads under way finish. */
  close(): void;
}
