/**
 * An index whose writes are visible at once and carried out behind: LMDB takes 8 to 20 µs for each entry of a transaction of 256 in a
 * grown tree, which another thread can spend. What is not yet there lies in `#recent`, over which gets and scans look. All that gathers
 * while one write is carried out goes into the next: larger transactions share more of the tree's pages.
 *
 * Carried out in order, and each `write` whole or not at all, so a crash leaves the index at an earlier point of its history: behind the
 * log, never ahead of it. When a write fails the index takes no more; what it has answered stays visible until it is closed.
 */
import { compareBytes } from "../base/bytes.ts";
import { HoldfastError } from "../base/errors.ts";
import { checkMutations } from "./check-mutations.ts";
import { MergedScan } from "./merged-scan.ts";
import type { IndexMutation, IndexRange, OrderedIndex } from "./ordered-index.ts";

/** Mutations that wait for the one being written, about 300 bytes each, before the writer should wait. */
const gatheredMax = 16_384;

/** An index that can also write on another thread. */
export interface WritesBehind extends OrderedIndex {
  /** As `write`; resolves once gets and scans see it. Calls take effect in order. Arrays must be in plain memory and are not to be changed before. */
  writeBehind(mutations: readonly IndexMutation[]): Promise<void>;
}

/** An index that writes behind. */
export interface DeferredIndex extends OrderedIndex {
  /** Why it takes no more writes, once one has failed. */
  readonly failure: unknown;
}

/** Puts `write` of an index off its caller's thread. */
export function deferWrites(index: WritesBehind): DeferredIndex {
  return new IndexWithRecent(index);
}

class IndexWithRecent implements DeferredIndex {
  readonly #index: WritesBehind;
  /** By key as text. What is being written and what waits for it; the newest mutation of a key. */
  readonly #recent = new Map<string, IndexMutation>();
  #gathered: IndexMutation[] = [];
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(index: WritesBehind) {
    this.#index = index;
  }

  get failure(): unknown {
    return this.#failure?.error;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#recent.size > 0) {
      const recent = this.#recent.get(textOf(key));
      if (recent !== undefined) return recent.value?.slice();
    }
    return this.#index.get(key);
  }

  write(mutations: readonly IndexMutation[]): void {
    if (this.#closing !== undefined) throw new HoldfastError("STORE_CLOSED", "the index is closed");
    checkMutations(mutations);
    if (this.#failure !== undefined) throw this.#failure.error;
    for (const mutation of ownCopies(mutations)) {
      this.#gathered.push(mutation);
      this.#recent.set(textOf(mutation.key), mutation);
    }
    this.#writing ??= this.#writeGathered();
  }

  scan(range: IndexRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array): void {
    const recent = this.#recentWithin(range);
    if (recent.length === 0) {
      this.#index.scan(range, visit);
      return;
    }
    const merged = new MergedScan(recent, visit, range.reverse === true);
    this.#index.scan(range, (key, value) => merged.at(key, value));
    merged.rest();
  }

  /** `#writing` settles when nothing is left to write. */
  pressure(): Promise<void> | undefined {
    return this.#gathered.length > gatheredMax ? this.#writing : undefined;
  }

  count(): number {
    let count = this.#index.count();
    for (const { key, value } of this.#recent.values()) {
      const was = this.#index.get(key) === undefined ? 0 : 1;
      count += (value === undefined ? 0 : 1) - was;
    }
    return count;
  }

  clear(): void {
    const all: IndexMutation[] = [];
    this.scan({ start: new Uint8Array(0), end: undefined }, (key) => all.push({ key, value: undefined }) > 0);
    this.write(all);
  }

  async flush(): Promise<void> {
    await this.#settled();
    await this.#index.flush();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writing;
    await this.#index.close();
  }

  async #settled(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Writes until nothing has gathered meanwhile. Never rejects. */
  async #writeGathered(): Promise<void> {
    try {
      while (this.#gathered.length > 0) {
        const mutations = this.#gathered;
        this.#gathered = [];
        await this.#index.writeBehind(mutations);
        for (const mutation of mutations) {
          const text = textOf(mutation.key);
          if (this.#recent.get(text) === mutation) this.#recent.delete(text);
        }
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#writing = undefined;
  }

  #recentWithin({ start, end, reverse }: IndexRange): IndexMutation[] {
    const found: IndexMutation[] = [];
    for (const mutation of this.#recent.values()) {
      if (compareBytes(mutation.key, start) >= 0 && (end === undefined || compareBytes(mutation.key, end) < 0)) found.push(mutation);
    }
    found.sort((a, b) => (reverse === true ? compareBytes(b.key, a.key) : compareBytes(a.key, b.key)));
    return ownCopies(found);
  }
}

/** The same mutations in memory of their own: what is handed in is not kept, and what is handed out is the caller's. */
function ownCopies(mutations: readonly IndexMutation[]): IndexMutation[] {
  let length = 0;
  for (const { key, value } of mutations) length += key.byteLength + (value?.byteLength ?? 0);
  const memory = new Uint8Array(length);
  let at = 0;
  const copy = (bytes: Uint8Array): Uint8Array => {
    memory.set(bytes, at);
    at += bytes.byteLength;
    return memory.subarray(at - bytes.byteLength, at);
  };
  return mutations.map(({ key, value }) => ({ key: copy(key), value: value === undefined ? undefined : copy(value) }));
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
