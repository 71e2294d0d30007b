/**
 * The index in LMDB, through the `lmdb` package.
 *
 * Settings, and why (measured with 256 puts a transaction, keys of 40 and values of 150 bytes, on a 2-core machine):
 * - `noSync`: commits are atomic against a crash of the process without any fsync; against a power cut nothing is promised but what
 *   `flush` has resolved for, since the packs are the truth.
 * - no `useWritemap`: it writes about 1.4 times faster, but a full drive then kills the process (SIGBUS) instead of failing a commit.
 * - no `noMemInit`, no larger pages, no preset map size: none was faster, and a preset map is preallocated on some platforms.
 * - one unnamed database, plain byte keys, no compression, no caching store.
 *
 * Pitfalls of the package that this file keeps away from its callers:
 * - gets and cursors hand out one shared buffer that the next read overwrites: `PooledCodec` copies.
 * - values are read through the address of their ArrayBuffer, which fails for shared memory: they pass through `scratch`.
 * - reads share one snapshot per turn of the event loop; a synchronous commit drops it, so a get after a write always sees it. A
 *   process that is not the writer may see a state one turn old.
 * - a file cut short is a SIGBUS once a missing page is touched: `checkLmdbFile` looks first.
 *
 * Every entry has a checksum over its key and value, and a scan sees to the order of keys. What the tree itself can hide, an entry that is not
 * found, only a look at the whole file tells, and only before it is mapped: see `lmdb-tree.ts` and `checkpoint-file.ts`.
 */
import type { RootDatabase, Transaction } from "lmdb";
import { open } from "lmdb";
import { compareBytes } from "../base/bytes.ts";
import { HoldfastError } from "../base/errors.ts";
import { checkMutations } from "./check-mutations.ts";
import type { WritesBehind } from "./deferred-index.ts";
import { entrySumBytes, sealEntry } from "./entry-sum.ts";
import { Cursor } from "./lmdb-cursor.ts";
import { damagedIndex, toIndexError } from "./lmdb-errors.ts";
import { checkLmdbFile, extendToLastPage } from "./lmdb-file.ts";
import type { IndexMutation, IndexRange } from "./ordered-index.ts";
import { PooledCodec } from "./pooled-codec.ts";

/** An LMDB environment's own ceiling; the file grows as it is filled. */
const readersMax = 126;

/** What the package has but does not declare. */
interface Syncable {
  sync(done: (error?: Error) => void): void;
}

export interface LmdbIndexOptions {
  /** Called when the index is found to be damaged, before the operation that found it fails. */
  readonly onDamage?: ((error: HoldfastError) => void) | undefined;
}

/**
 * Opens or makes the index file at `path` (with `-lock` beside it); its folder comes into being as needed.
 * @throws INDEX_DAMAGED when the file is no index or cut short: remove it and rebuild; DRIVE_UNREADABLE, DRIVE_FULL, DRIVE_IO_ERROR
 */
export async function openLmdbIndex(path: string, options: LmdbIndexOptions = {}): Promise<WritesBehind> {
  checkLmdbFile(path);
  const codec = new PooledCodec(() => damagedIndex(path, "an entry does not match its checksum"));
  try {
    const database = open<Uint8Array, Uint8Array>({
      path,
      noSubdir: true,
      noSync: true,
      overlappingSync: false,
      // The package calls these without their object.
      keyEncoder: {
        writeKey: (key: Uint8Array, target: Uint8Array, position: number) => codec.writeKey(key, target, position),
        readKey: (source: Uint8Array, start: number, end: number) => codec.readKey(source, start, end),
      },
      encoder: codec,
      compression: false,
      maxDbs: 1,
      maxReaders: readersMax,
    });
    return new LmdbIndex(path, { database, codec, onDamage: options.onDamage ?? ignore });
  } catch (error) {
    throw toIndexError(error, path);
  }
}

/** A scan under way: holds its snapshot from the moment a write would change it. */
interface ActiveScan {
  transaction: Transaction | undefined;
}

class LmdbIndex implements WritesBehind {
  private readonly path: string;
  private readonly database: RootDatabase<Uint8Array, Uint8Array>;
  private scratch = new Uint8Array(64 * 1024);
  private readonly scans: ActiveScan[] = [];
  private flushing: Promise<void> | undefined;
  private readonly codec: PooledCodec;
  private readonly onDamage: (error: HoldfastError) => void;
  private closed = false;

  constructor(
    path: string,
    parts: { database: RootDatabase<Uint8Array, Uint8Array>; codec: PooledCodec; onDamage: (error: HoldfastError) => void },
  ) {
    this.path = path;
    this.database = parts.database;
    this.codec = parts.codec;
    this.onDamage = parts.onDamage;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.checkOpen();
    if (key.byteLength === 0) return undefined;
    this.codec.key = key;
    try {
      return this.database.get(key);
    } catch (error) {
      throw this.failed(error);
    }
  }

  write(mutations: readonly IndexMutation[]): void {
    this.checkOpen();
    checkMutations(mutations);
    if (mutations.length === 0) return;
    this.change(() => this.database.transactionSync(() => this.apply(mutations), commitWithoutChild));
  }

  async writeBehind(mutations: readonly IndexMutation[]): Promise<void> {
    this.checkOpen();
    checkMutations(mutations);
    // All of one turn of the event loop is one transaction, but not always one promise; each of them rejects.
    const written = new Set<Promise<boolean>>();
    const seal = sealer(mutations);
    for (const { key, value } of mutations) {
      written.add(value === undefined ? this.database.remove(key) : this.database.put(key, seal(key, value)));
    }
    // The package makes one more for the whole transaction, which nobody is given, when the turn is over.
    setImmediate(() => void this.database.committed.then(ignore, ignore));
    try {
      await Promise.all(written);
    } catch (error) {
      throw this.failed(await reasonOfFailure(error));
    }
    this.database.resetReadTxn();
  }

  scan(range: IndexRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array): void {
    this.checkOpen();
    const scan: ActiveScan = { transaction: undefined };
    this.scans.push(scan);
    try {
      this.walk(range, scan, visit);
    } finally {
      this.scans.splice(this.scans.indexOf(scan), 1);
      scan.transaction?.done();
    }
  }

  pressure(): undefined {
    return undefined;
  }

  count(): number {
    this.checkOpen();
    return (this.database.getStats() as { readonly entryCount: number }).entryCount;
  }

  clear(): void {
    this.checkOpen();
    this.change(() => this.database.clearSync());
  }

  flush(): Promise<void> {
    this.checkOpen();
    const previous = this.flushing ?? Promise.resolve();
    const mine = previous.catch(() => undefined).then(() => this.sync());
    this.flushing = mine;
    return mine;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.flushing?.catch(() => undefined);
    await this.database.close();
    try {
      extendToLastPage(this.path);
    } catch (error) {
      // The drive it lay on is gone, and the index with it: it is made again from the log.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw toIndexError(error, this.path);
    }
  }

  private checkOpen(): void {
    if (this.closed) throw new HoldfastError("STORE_CLOSED", "the index is closed");
  }

  private apply(mutations: readonly IndexMutation[]): void {
    for (const { key, value } of mutations) {
      if (value === undefined) this.database.remove(key);
      else this.database.put(key, this.stage(key, value));
    }
  }

  /** Inside a synchronous transaction a put is done when it returns, so one buffer serves every value. */
  private stage(key: Uint8Array, value: Uint8Array): Uint8Array {
    const length = value.byteLength + entrySumBytes;
    if (length > this.scratch.byteLength) this.scratch = new Uint8Array(2 * length);
    sealEntry(key, value, this.scratch, 0);
    return this.scratch.subarray(0, length);
  }

  private failed(error: unknown): HoldfastError {
    const failure = toIndexError(error, this.path);
    if (failure.code === "INDEX_DAMAGED") this.onDamage(failure);
    return failure;
  }

  /** Runs a change after giving every scan under way a hold on its snapshot. */
  private change(commit: () => void): void {
    try {
      for (const scan of this.scans) scan.transaction ??= this.database.useReadTransaction();
      commit();
    } catch (error) {
      throw this.failed(error);
    }
  }

  private sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      (this.database as unknown as Syncable).sync((error) => {
        if (error === undefined || error === null) resolve();
        else reject(this.failed(error));
      });
    });
  }

  private walk(range: IndexRange, scan: ActiveScan, visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array): void {
    let from: IndexRange | undefined = range;
    while (from !== undefined && !isEmpty(from)) from = this.walkUntilSeek(from, scan, visit);
  }

  /**
   * Visits until the end (undefined) or a seek (what is left of the range). A seek first tries the next entry: in a listing of many
   * small folders that is nearly always the one, and far cheaper than a new cursor.
   */
  private walkUntilSeek(
    range: IndexRange,
    scan: ActiveScan,
    visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array,
  ): IndexRange | undefined {
    const reverse = range.reverse === true;
    const cursor = new Cursor(this.database, range, scan.transaction);
    let sought: Uint8Array | undefined;
    try {
      for (let next = this.nextOf(cursor); next !== undefined; next = this.nextOf(cursor)) {
        const { key, value } = next;
        if (sought !== undefined) {
          const distance = compareBytes(key, sought);
          if (reverse && distance >= 0) return { ...range, end: sought };
          if (!reverse && distance < 0) return { ...range, start: sought };
        }
        const answer = visit(key, value);
        if (answer === false) return undefined;
        sought = answer === true ? undefined : answer;
      }
      return undefined;
    } finally {
      cursor.close();
    }
  }

  private nextOf(cursor: Cursor): { readonly key: Uint8Array; readonly value: Uint8Array } | undefined {
    try {
      const next = cursor.next();
      if (next !== undefined && !cursor.isInOrder(next.key)) throw damagedIndex(this.path, "a key is out of order");
      return next;
    } catch (error) {
      throw this.failed(error);
    }
  }
}

/** Flags of a synchronous transaction of the package: commit at once, no flush, no nested transaction. */
const commitWithoutChild = 2;

/** Seals the values of these mutations, in memory of their own. */
function sealer(mutations: readonly IndexMutation[]): (key: Uint8Array, value: Uint8Array) => Uint8Array {
  let length = 0;
  for (const { value } of mutations) if (value !== undefined) length += value.byteLength + entrySumBytes;
  const memory = new Uint8Array(length);
  let at = 0;
  return (key, value) => {
    sealEntry(key, value, memory, at);
    at += value.byteLength + entrySumBytes;
    return memory.subarray(at - value.byteLength - entrySumBytes, at);
  };
}

/** Why a commit failed: the package hides it in a promise of the error, which would end the process when nobody looks at it. */
function reasonOfFailure(error: unknown): Promise<unknown> {
  const { commitError } = error as { readonly commitError?: Promise<unknown> };
  const reason = commitError?.catch((cause: unknown) => cause);
  const noReason = new Promise((resolve) => setImmediate(resolve, error));
  return reason === undefined ? noReason : Promise.race([reason, noReason]);
}

function ignore(): void {}

function isEmpty(range: IndexRange): boolean {
  return range.end !== undefined && compareBytes(range.start, range.end) >= 0;
}
