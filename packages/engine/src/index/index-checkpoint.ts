/**
 * An index in a directory, and whether it can be trusted. The index makes nothing durable by itself, and it lies on one drive without a second
 * copy, so it is used again only when it is known to be what was written:
 *
 *   closed in order         the whole file matches the checksum of its checkpoint
 *   open in this boot       what a process has written outlives it in the page cache, but not the machine: every page is looked at
 *   anything else           it is removed, and made anew from the packs
 *
 * Damage that shows while it is open takes the checkpoint away at once: from then on every read fails and writes are dropped (the packs have
 * them) until an index made beside it has taken its place, or the next opening makes one.
 */
import { rmSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type HoldfastError, isHoldfastError } from "../base/errors.ts";
import {
  type Checkpoint,
  checkpointPath,
  type FileSum,
  readCheckpoint,
  removeCheckpoint,
  sumFile,
  writeCheckpoint,
} from "./checkpoint-file.ts";
import { type DeferredIndex, deferWrites } from "./deferred-index.ts";
import { damagedIndex, toIndexError } from "./lmdb-errors.ts";
import { openLmdbIndex } from "./lmdb-index.ts";
import { checkLmdbTree } from "./lmdb-tree.ts";
import type { BesideIndex, IndexMutation, IndexRange, IndexRenewal, OrderedIndex } from "./ordered-index.ts";

/** An index that is made anew beside another one has the other name. */
const indexFiles = ["index.lmdb", "index-2.lmdb"] as const;

interface Facts {
  readonly setId: string;
  readonly bootId: string | undefined;
}

/**
 * An index in a directory, emptied when it could not be trusted. Its `close` marks it clean after a flush.
 * @throws DRIVE_UNREADABLE, DRIVE_UNWRITABLE, DRIVE_FULL, DRIVE_IO_ERROR
 */
export async function openIndexDirectory(directory: string, facts: Facts): Promise<OrderedIndex> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { file, found } = await findTrusted(directory, facts);
    const index = new KeptIndex(directory, facts, found);
    await index.open(file);
    return index;
  } catch (error) {
    throw toIndexError(error, directory);
  }
}

/** The file to go on with; whatever else there is is removed. `found` says what was wrong with one that had to be. */
async function findTrusted(directory: string, facts: Facts): Promise<{ file: string; found: HoldfastError | undefined }> {
  const checkpoint = await readCheckpoint(directory);
  const named = indexFiles.find((name) => name === checkpoint?.file);
  let found: HoldfastError | undefined;
  if (checkpoint !== undefined && named !== undefined && isOurs(checkpoint, facts)) {
    try {
      await checkFile(join(directory, named), checkpoint.closed);
      await removeFiles(directory, named);
      return { file: named, found };
    } catch (error) {
      if (!isHoldfastError(error, "INDEX_DAMAGED")) throw error;
      found = error;
    }
  }
  await removeCheckpoint(directory);
  await removeFiles(directory, undefined);
  return { file: indexFiles[0], found };
}

function isOurs({ setId, closed, bootId }: Checkpoint, facts: Facts): boolean {
  return setId === facts.setId && (closed !== undefined || (bootId !== undefined && bootId === facts.bootId));
}

/** @throws INDEX_DAMAGED */
async function checkFile(path: string, closed: FileSum | undefined): Promise<void> {
  if (closed === undefined) return checkLmdbTree(path);
  let is: FileSum;
  try {
    is = await sumFile(path);
  } catch (error) {
    throw damagedIndex(path, `it cannot be read (${(error as Error).message})`);
  }
  if (is.bytes !== closed.bytes || is.checksum !== closed.checksum) throw damagedIndex(path, "it is not as it was closed");
}

/** Removes index files and their locks, but for the one kept. */
async function removeFiles(directory: string, kept: string | undefined): Promise<void> {
  for (const name of await readdir(directory)) {
    const file = indexFiles.find((candidate) => name === candidate || name === `${candidate}-lock`);
    if (file !== undefined && file !== kept) await rm(join(directory, name), { force: true });
  }
}

class KeptIndex implements OrderedIndex, IndexRenewal {
  readonly found: HoldfastError | undefined;
  onDamage: ((error: HoldfastError) => void) | undefined;
  readonly #directory: string;
  readonly #facts: Facts;
  #file: string = indexFiles[0];
  #index!: DeferredIndex;
  #damage: HoldfastError | undefined;
  /** Settles when there is none beside. */
  #beside: Promise<void> = Promise.resolve();
  #writes = 0;
  #flushedWrites: number | undefined;

  constructor(directory: string, facts: Facts, found: HoldfastError | undefined) {
    this.#directory = directory;
    this.#facts = facts;
    this.found = found;
  }

  async open(file: string): Promise<void> {
    this.#file = file;
    await this.#mark(undefined);
    this.#index = await this.#openFile(file);
  }

  get renewal(): IndexRenewal {
    return this;
  }

  get damage(): HoldfastError | undefined {
    return this.#damage;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#damage !== undefined) throw this.#damage;
    return this.#index.get(key);
  }

  write(mutations: readonly IndexMutation[]): void {
    if (this.#damage !== undefined) return;
    this.#writes++;
    try {
      this.#index.write(mutations);
    } catch (error) {
      // It may have been found just now; then the packs have what is dropped here.
      if ((this.damage as HoldfastError | undefined) === undefined) throw error;
    }
  }

  scan(range: IndexRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array): void {
    if (this.#damage !== undefined) throw this.#damage;
    this.#index.scan(range, visit);
  }

  pressure(): Promise<void> | undefined {
    return this.#index.pressure();
  }

  count(): number {
    if (this.#damage !== undefined) throw this.#damage;
    return this.#index.count();
  }

  clear(): void {
    this.#writes++;
    this.#index.clear();
  }

  async flush(): Promise<void> {
    const index = this.#index;
    const before = this.#writes;
    if (this.#damage !== undefined) throw this.#damage;
    await index.flush();
    if (this.#damage !== undefined) throw this.#damage;
    if (index === this.#index) this.#flushedWrites = before;
  }

  async close(): Promise<void> {
    await this.#index.close();
    if (this.#damage !== undefined || this.#index.failure !== undefined || this.#flushedWrites !== this.#writes) return;
    try {
      await this.#mark(await sumFile(join(this.#directory, this.#file)));
    } catch (error) {
      // The drive it lay on is gone, and the index with it.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw toIndexError(error, this.#directory);
    }
  }

  distrust(error: HoldfastError): void {
    if (this.#damage !== undefined) return;
    this.#damage = error;
    try {
      rmSync(checkpointPath(this.#directory), { force: true });
    } catch {
      // Where not even that can be written, nothing of this index will be found either.
    }
    this.onDamage?.(error);
  }

  async openBeside(): Promise<BesideIndex> {
    const before = this.#beside;
    let release: () => void = () => undefined;
    this.#beside = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    try {
      return await this.#openBeside(release);
    } catch (error) {
      release();
      throw error;
    }
  }

  async #openBeside(release: () => void): Promise<BesideIndex> {
    const file = indexFiles.find((name) => name !== this.#file) as string;
    const remove = (name: string): Promise<void> =>
      removeFiles(
        this.#directory,
        indexFiles.find((other) => other !== name),
      );
    await remove(file);
    const index = await this.#openFile(file);
    return {
      get: (key) => index.get(key),
      write: (mutations) => index.write(mutations),
      scan: (range, visit) => index.scan(range, visit),
      pressure: () => index.pressure(),
      count: () => index.count(),
      clear: () => index.clear(),
      flush: () => index.flush(),
      close: async () => {
        if (index !== this.#index) {
          await index.close();
          await remove(file);
        }
        release();
      },
      adopt: () => this.#adopt(index, file),
    };
  }

  /** From the first turn on the other index is used; the promise is for what is done about the old one. */
  async #adopt(index: DeferredIndex, file: string): Promise<void> {
    const old = this.#index;
    this.#index = index;
    this.#file = file;
    this.#damage = undefined;
    this.#flushedWrites = undefined;
    // Where it cannot be marked, the next opening makes it once more.
    await this.#mark(undefined).catch(() => undefined);
    await old.close().catch(() => undefined);
    await removeFiles(this.#directory, file);
  }

  async #openFile(file: string): Promise<DeferredIndex> {
    const opened: { index?: DeferredIndex } = {};
    const onDamage = (error: HoldfastError): void => {
      if (opened.index === this.#index) this.distrust(error);
    };
    opened.index = deferWrites(await openLmdbIndex(join(this.#directory, file), { onDamage }));
    return opened.index;
  }

  #mark(closed: FileSum | undefined): Promise<void> {
    return writeCheckpoint(this.#directory, { ...this.#facts, file: this.#file, closed });
  }
}
