/**
 * A look at every page of an LMDB data file before LMDB maps it. LMDB believes what its pages say: a wrong offset or page number ends the
 * process or leads to entries not being found. So an index that was not closed in order is looked through first: its headers, the page numbers, kinds,
 * ages, bounds and keys of both trees (the free pages and the map), every entry against its checksum, the counts against the header's, and that no page
 * is used twice. About two seconds for a million entries, a fifth of what making them anew takes.
 *
 * A page (4 KiB as a rule): number (8), transaction (8), padding (2), flags (2), then for a branch or leaf: end of the offsets (2), start of the
 * nodes (2), offsets (2 each), free space, nodes; offsets count from behind this header of 24 bytes. A node: two numbers (2 each), flags (2), bytes
 * of the key (2), key, data. Of a branch the two numbers and the flags are a page; of a leaf the numbers are the bytes of the data, which lies in pages of
 * its own when flag 1 is set: then first page (8), transaction (8) and number of pages (8) are there instead. An overflow page has their number (4)
 * behind its flags, and the data behind its header. Integers are little-endian.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { compareBytes } from "../base/bytes.ts";
import { isSound } from "./entry-sum.ts";
import { damagedIndex, toIndexError } from "./lmdb-errors.ts";
import { extendToLastPage, type LmdbMeta, type LmdbTree, newestMeta } from "./lmdb-file.ts";

const headerBytes = 24;
const nodeHeaderBytes = 8;
const branchFlag = 0x01;
const leafFlag = 0x02;
const overflowFlag = 0x04;
const bigDataFlag = 0x01;
const firstDataPage = 2;
const pageBytesMax = 65_536;
/** Pages looked at before others get a turn. */
const pagesPerTurn = 512;

/** Keys in [low, high). */
interface Bounds {
  readonly low: Uint8Array | undefined;
  readonly high: Uint8Array | undefined;
}

type Compare = (a: Uint8Array, b: Uint8Array) => number;

/** Passes a file that is absent, empty or sound through and through. @throws INDEX_DAMAGED, DRIVE_UNREADABLE, DRIVE_IO_ERROR */
export async function checkLmdbTree(path: string): Promise<void> {
  let file: number;
  try {
    extendToLastPage(path);
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw toIndexError(error, path);
  }
  try {
    const meta = newestMeta(file);
    if (meta === undefined) {
      if (readSync(file, new Uint8Array(1), 0, 1, 0) === 0) return;
      throw damagedIndex(path, "it is no LMDB file");
    }
    await new TreeCheck(path, file, meta).run();
  } catch (error) {
    throw toIndexError(error, path);
  } finally {
    closeSync(file);
  }
}

class TreeCheck {
  readonly #path: string;
  readonly #file: number;
  readonly #meta: LmdbMeta;
  /** A bit for each page in use. */
  readonly #used: Uint8Array;
  #pages = 0;

  constructor(path: string, file: number, meta: LmdbMeta) {
    this.#path = path;
    this.#file = file;
    this.#meta = meta;
    const { pageBytes, lastPage } = meta;
    this.#require(pageBytes >= 512 && pageBytes <= pageBytesMax && (pageBytes & (pageBytes - 1)) === 0, "its page size");
    this.#require(lastPage < 2 ** 32, "its last page");
    this.#used = new Uint8Array((lastPage >> 3) + 1);
  }

  async run(): Promise<void> {
    const { main, free } = this.#meta;
    await this.#tree(main, compareBytes, (key, value) => this.#require(isSound(key, value, value.byteLength), "an entry"));
    await this.#tree(free, compareNumbers, (_, value) => this.#takeFreePages(value));
  }

  async #tree(tree: LmdbTree, compare: Compare, visit: (key: Uint8Array, value: Uint8Array) => void): Promise<void> {
    const counted = { branchPages: 0, leafPages: 0, overflowPages: 0, entries: 0 };
    if (tree.depth > 0) {
      await this.#page(
        tree.rootPage,
        { tree, compare, visit, counted },
        { level: 1, bounds: { low: undefined, high: undefined }, transaction: this.#meta.transaction },
      );
    }
    for (const name of ["branchPages", "leafPages", "overflowPages", "entries"] as const)
      this.#require(counted[name] === tree[name], `its number of ${name}`);
  }

  async #page(
    number: number,
    walk: {
      tree: LmdbTree;
      compare: Compare;
      visit: (key: Uint8Array, value: Uint8Array) => void;
      counted: Record<"branchPages" | "leafPages" | "overflowPages" | "entries", number>;
    },
    place: { readonly level: number; readonly bounds: Bounds; readonly transaction: number },
  ): Promise<void> {
    if (++this.#pages % pagesPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
    const isLeaf = place.level === walk.tree.depth;
    const page = this.#read(number, 1, { flags: isLeaf ? leafFlag : branchFlag, transaction: place.transaction });
    const transaction = Number(page.readBigUInt64LE(8));
    const nodes = this.#nodes(page);
    this.#require(nodes.length > 0, "an empty page");
    this.#checkOrder(nodes, { isLeaf, bounds: place.bounds, compare: walk.compare });
    if (!isLeaf) {
      walk.counted.branchPages++;
      for (const [i, node] of nodes.entries()) {
        const bounds = { low: i === 0 ? place.bounds.low : node.key, high: nodes[i + 1]?.key ?? place.bounds.high };
        await this.#page(node.child, walk, { level: place.level + 1, bounds, transaction });
      }
      return;
    }
    walk.counted.leafPages++;
    walk.counted.entries += nodes.length;
    for (const node of nodes) walk.visit(node.key, this.#data(page, node, { transaction, counted: walk.counted }));
  }

  /** The pages from a number on, which have not been used before. */
  #read(number: number, count: number, expected: { readonly flags: number; readonly transaction: number }): Buffer {
    const { pageBytes } = this.#meta;
    for (let page = number; page < number + count; page++) this.#take(page);
    const bytes = Buffer.allocUnsafe(count * pageBytes);
    this.#require(readSync(this.#file, bytes, 0, bytes.length, number * pageBytes) === bytes.length, `page ${number}, which is missing`);
    const isExpected = bytes.readUInt16LE(18) === expected.flags && bytes.readBigUInt64LE(0) === BigInt(number);
    this.#require(isExpected && bytes.readBigUInt64LE(8) <= BigInt(expected.transaction), `page ${number}`);
    return bytes;
  }

  #take(page: number): void {
    this.#require(page >= firstDataPage && page <= this.#meta.lastPage, `the number of page ${page}`);
    const bit = 1 << (page & 7);
    const bits = this.#used[page >> 3] as number;
    this.#require((bits & bit) === 0, `page ${page}, which is used twice`);
    this.#used[page >> 3] = bits | bit;
  }

  #nodes(page: Buffer): Node[] {
    const room = this.#meta.pageBytes - headerBytes;
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    this.#require(lower <= upper && upper <= room && lower % 2 === 0, "the bounds of a page");
    return Array.from({ length: lower / 2 }, (_, i) => {
      const offset = page.readUInt16LE(headerBytes + 2 * i);
      this.#require(offset >= upper && offset + nodeHeaderBytes <= room, "the offset of a node");
      const at = headerBytes + offset;
      const keyBytes = page.readUInt16LE(at + 6);
      this.#require(offset + nodeHeaderBytes + keyBytes <= room, "the length of a key");
      const key = page.subarray(at + nodeHeaderBytes, at + nodeHeaderBytes + keyBytes);
      const size = page.readUInt32LE(at);
      const flags = page.readUInt16LE(at + 4);
      return { key, size, flags, child: flags * 2 ** 32 + size, dataAt: at + nodeHeaderBytes + keyBytes };
    });
  }

  /** The first key of a branch says nothing. */
  #checkOrder(
    nodes: readonly Node[],
    { isLeaf, bounds, compare }: { readonly isLeaf: boolean; readonly bounds: Bounds; readonly compare: Compare },
  ): void {
    let { low } = bounds;
    for (const { key } of isLeaf ? nodes : nodes.slice(1)) {
      this.#require(key.byteLength > 0, "an empty key");
      if (low !== undefined) this.#require(low === bounds.low ? compare(key, low) >= 0 : compare(key, low) > 0, "the order of keys");
      if (bounds.high !== undefined) this.#require(compare(key, bounds.high) < 0, "the order of keys");
      low = key;
    }
  }

  #data(page: Buffer, node: Node, at: { readonly transaction: number; readonly counted: { overflowPages: number } }): Uint8Array {
    const { pageBytes } = this.#meta;
    if (node.flags === 0) {
      this.#require(node.dataAt + node.size <= pageBytes, "the length of an entry");
      return page.subarray(node.dataAt, node.dataAt + node.size);
    }
    this.#require(node.flags === bigDataFlag && node.dataAt + 24 <= pageBytes, "the kind of an entry");
    const first = Number(page.readBigUInt64LE(node.dataAt));
    const count = Number(page.readBigUInt64LE(node.dataAt + 16));
    this.#require(
      count >= 1 && headerBytes + node.size <= count * pageBytes && first + count - 1 <= this.#meta.lastPage,
      "the length of a large entry",
    );
    const pages = this.#read(first, count, { flags: overflowFlag, transaction: at.transaction });
    this.#require(pages.readUInt32LE(20) === count, `page ${first}`);
    at.counted.overflowPages += count;
    return pages.subarray(headerBytes, headerBytes + node.size);
  }

  /** A count, then numbers of pages; one below zero says of how many pages the next one is the first, zeros are room that is not used. */
  #takeFreePages(list: Uint8Array): void {
    const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
    this.#require(list.byteLength >= 8 && list.byteLength % 8 === 0, "a list of free pages");
    const count = Number(view.getBigInt64(0, true));
    this.#require(count >= 0 && 8 * (count + 1) <= list.byteLength, "a list of free pages");
    for (let i = 1; i <= count; i++) {
      let number = Number(view.getBigInt64(8 * i, true));
      let pages = 1;
      if (number < 0) {
        pages = -number;
        this.#require(i < count && pages <= this.#meta.lastPage, "a list of free pages");
        number = Number(view.getBigInt64(8 * ++i, true));
      }
      if (number === 0) continue;
      for (let page = number; page < number + pages; page++) this.#take(page);
    }
  }

  #require(isSo: boolean, what: string): void {
    if (!isSo) throw damagedIndex(this.#path, `${what} is wrong`);
  }
}

interface Node {
  readonly key: Uint8Array;
  /** Of a leaf: bytes of the data. */
  readonly size: number;
  readonly flags: number;
  /** Of a branch: the page. */
  readonly child: number;
  readonly dataAt: number;
}

function compareNumbers(a: Uint8Array, b: Uint8Array): number {
  return a.byteLength === 8 && b.byteLength === 8 ? Number(numberIn(a) - numberIn(b)) : -1;
}

function numberIn(key: Uint8Array): bigint {
  return new DataView(key.buffer, key.byteOffset, 8).getBigUint64(0, true);
}
