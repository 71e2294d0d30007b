/**
 * The index in memory: a list of sorted blocks of at most 512 entries, found by two binary searches. An insert moves at most one
 * block's entries, so a million entries cost a few thousand short arrays and no operation touches more than two of them.
 *
 * A scan works on the blocks as they were when it began: while one is under way, the first write copies the block lists (not the
 * entries) and leaves the old ones to it. Visitors that write are rare, so plain writes pay nothing for this.
 */
import { compareBytes } from "../base/bytes.ts";
import { HoldfastError } from "../base/errors.ts";
import { checkMutations } from "./check-mutations.ts";
import type { IndexMutation, IndexRange, OrderedIndex } from "./ordered-index.ts";

const blockEntriesMax = 512;

interface Block {
  readonly keys: Uint8Array[];
  readonly values: Uint8Array[];
}

/** A place between entries: `block` may be the number of blocks (the end), `at` is a valid entry otherwise. */
interface Place {
  block: number;
  at: number;
}

/** An index that lives and dies with the process. */
export function createMemoryIndex(): OrderedIndex {
  return new MemoryIndex();
}

class MemoryIndex implements OrderedIndex {
  private blocks: Block[] = [];
  private entries = 0;
  private scans = 0;
  /** True while a scan may be looking at `blocks`. */
  private shared = false;
  private closed = false;

  get(key: Uint8Array): Uint8Array | undefined {
    this.checkOpen();
    const place = findEntry(this.blocks, key);
    return place === undefined ? undefined : copyOf((this.blocks[place.block] as Block).values[place.at] as Uint8Array);
  }

  write(mutations: readonly IndexMutation[]): void {
    this.checkOpen();
    checkMutations(mutations);
    this.unshare();
    for (const { key, value } of mutations) {
      if (value === undefined) this.remove(key);
      else this.put(key, value);
    }
  }

  scan(range: IndexRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array): void {
    this.checkOpen();
    this.shared = true;
    this.scans++;
    try {
      if (range.reverse === true) scanBackwards(this.blocks, range, visit);
      else scanForwards(this.blocks, range, visit);
    } finally {
      this.scans--;
      if (this.scans === 0) this.shared = false;
    }
  }

  pressure(): undefined {
    return undefined;
  }

  count(): number {
    this.checkOpen();
    return this.entries;
  }

  clear(): void {
    this.checkOpen();
    this.blocks = [];
    this.entries = 0;
    this.shared = false;
  }

  async flush(): Promise<void> {
    this.checkOpen();
  }

  async close(): Promise<void> {
    this.blocks = [];
    this.closed = true;
  }

  private checkOpen(): void {
    if (this.closed) throw new HoldfastError("STORE_CLOSED", "the index is closed");
  }

  private unshare(): void {
    if (!this.shared) return;
    this.blocks = this.blocks.map((block) => ({ keys: block.keys.slice(), values: block.values.slice() }));
    this.shared = false;
  }

  private put(key: Uint8Array, value: Uint8Array): void {
    const number = Math.max(0, lastBlockStartingAtOrBelow(this.blocks, key));
    const block = this.blocks[number] ?? { keys: [], values: [] };
    this.blocks[number] = block;
    const at = lowerBound(block.keys, key);
    const found = block.keys[at];
    if (found !== undefined && compareBytes(found, key) === 0) {
      block.values[at] = copyOf(value);
      return;
    }
    block.keys.splice(at, 0, copyOf(key));
    block.values.splice(at, 0, copyOf(value));
    this.entries++;
    if (block.keys.length > blockEntriesMax) this.split(number, at);
  }

  /** Splits in halves; a block that grew at its end keeps nearly all, so that ascending inserts leave full blocks behind. */
  private split(number: number, insertedAt: number): void {
    const { keys, values } = this.blocks[number] as Block;
    const keep = insertedAt === keys.length - 1 ? keys.length - 1 : keys.length >> 1;
    this.blocks.splice(number + 1, 0, { keys: keys.splice(keep), values: values.splice(keep) });
  }

  private remove(key: Uint8Array): void {
    const place = findEntry(this.blocks, key);
    if (place === undefined) return;
    const block = this.blocks[place.block] as Block;
    block.keys.splice(place.at, 1);
    block.values.splice(place.at, 1);
    this.entries--;
    if (block.keys.length === 0) this.blocks.splice(place.block, 1);
  }
}

function scanForwards(
  blocks: readonly Block[],
  range: IndexRange,
  visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array,
): void {
  let place = placeOf(blocks, range.start);
  for (;;) {
    const block = blocks[place.block];
    if (block === undefined) return;
    const key = block.keys[place.at] as Uint8Array;
    if (range.end !== undefined && compareBytes(key, range.end) >= 0) return;
    const answer = visit(copyOf(key), copyOf(block.values[place.at] as Uint8Array));
    if (answer === false) return;
    if (answer !== true && compareBytes(answer, key) > 0) place = placeOf(blocks, answer);
    else stepForwards(place, block);
  }
}

function scanBackwards(
  blocks: readonly Block[],
  range: IndexRange,
  visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array,
): void {
  let place = range.end === undefined ? { block: blocks.length, at: 0 } : placeOf(blocks, range.end);
  for (;;) {
    if (!stepBackwards(place, blocks)) return;
    const block = blocks[place.block] as Block;
    const key = block.keys[place.at] as Uint8Array;
    if (compareBytes(key, range.start) < 0) return;
    const answer = visit(copyOf(key), copyOf(block.values[place.at] as Uint8Array));
    if (answer === false) return;
    if (answer !== true && compareBytes(answer, key) < 0) place = placeOf(blocks, answer);
  }
}

function stepForwards(place: Place, block: Block): void {
  place.at++;
  if (place.at < block.keys.length) return;
  place.block++;
  place.at = 0;
}

/** False at the start of the map. */
function stepBackwards(place: Place, blocks: readonly Block[]): boolean {
  if (place.at > 0) {
    place.at--;
    return true;
  }
  if (place.block === 0) return false;
  place.block--;
  place.at = (blocks[place.block] as Block).keys.length - 1;
  return true;
}

/** The place of the first entry at or above `key`. */
function placeOf(blocks: readonly Block[], key: Uint8Array): Place {
  const number = lastBlockStartingAtOrBelow(blocks, key);
  if (number < 0) return { block: 0, at: 0 };
  const { keys } = blocks[number] as Block;
  const at = lowerBound(keys, key);
  return at < keys.length ? { block: number, at } : { block: number + 1, at: 0 };
}

function findEntry(blocks: readonly Block[], key: Uint8Array): Place | undefined {
  const place = placeOf(blocks, key);
  const found = blocks[place.block]?.keys[place.at];
  return found !== undefined && compareBytes(found, key) === 0 ? place : undefined;
}

/** −1 when `key` is below every block. */
function lastBlockStartingAtOrBelow(blocks: readonly Block[], key: Uint8Array): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes((blocks[middle] as Block).keys[0] as Uint8Array, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function lowerBound(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes(keys[middle] as Uint8Array, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Always a plain Uint8Array: `slice` of a Buffer would share its memory. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
