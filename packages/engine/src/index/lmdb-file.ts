/**
 * A look at an LMDB data file before LMDB maps it: a page missing at its end would kill the process later on.
 *
 * The file begins with two meta pages, written in turns. A page: number (8 bytes), transaction (8), padding (2), flags (2), bounds
 * (4), then for a meta page: magic 0xBEEFC0DE (4), version (4), address (8), map size (8), two database descriptions of 48 bytes,
 * the first of which starts with the page size (4); last page in use (8), transaction (8). Little-endian on all supported platforms.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";
import { damagedIndex, toIndexError } from "./lmdb-errors.ts";

const magic = 0xbeefc0de;
const pageHeaderBytes = 24;
const pageSizeAt = 24;
const treeBytes = 48;
const lastPageAt = pageSizeAt + 2 * treeBytes;
const metaBytes = lastPageAt + 16;
const pageFlagsAt = 18;
const metaPageFlag = 0x08;

/** Passes a file that is absent, empty or whole. @throws INDEX_DAMAGED, DRIVE_UNREADABLE, DRIVE_IO_ERROR */
export function checkLmdbFile(path: string): void {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw toIndexError(error, path);
  }
  try {
    const size = fstatSync(file).size;
    if (size === 0) return;
    const expected = lmdbFileBytes(file);
    if (expected === undefined) throw damagedIndex(path, "it is no LMDB file");
    if (size < expected) throw damagedIndex(path, `it has ${size} of ${expected} bytes`);
  } catch (error) {
    throw toIndexError(error, path);
  } finally {
    closeSync(file);
  }
}

/** The length the file's newest header calls for; undefined when it has no header. */
function lmdbFileBytes(file: number): number | undefined {
  const newest = newestMeta(file);
  return newest === undefined ? undefined : newest.pageBytes * (newest.lastPage + 1);
}

/** A tree of pages, as a header describes it. */
export interface LmdbTree {
  /** Levels of pages: 0 for an empty tree. */
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  readonly rootPage: number;
}

export interface LmdbMeta {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly transaction: number;
  readonly free: LmdbTree;
  readonly main: LmdbTree;
}

/** What LMDB goes by: the header of the later transaction. Undefined when the file has none. */
export function newestMeta(file: number): LmdbMeta | undefined {
  const first = readMeta(file, 0);
  if (first === undefined) return undefined;
  const second = readMeta(file, first.pageBytes);
  if (second === undefined) return undefined;
  return second.transaction > first.transaction ? second : first;
}

function readMeta(file: number, position: number): LmdbMeta | undefined {
  const bytes = Buffer.alloc(pageHeaderBytes + metaBytes);
  if (readSync(file, bytes, 0, bytes.length, position) < bytes.length) return undefined;
  const at = pageHeaderBytes;
  if ((bytes.readUInt16LE(pageFlagsAt) & metaPageFlag) === 0 || bytes.readUInt32LE(at) !== magic) return undefined;
  return {
    pageBytes: bytes.readUInt32LE(at + pageSizeAt),
    lastPage: readCount(bytes, at + lastPageAt),
    transaction: readCount(bytes, at + lastPageAt + 8),
    free: readTree(bytes, at + pageSizeAt),
    main: readTree(bytes, at + pageSizeAt + treeBytes),
  };
}

/** The page size or padding (4), flags (2), depth (2), branch pages (8), leaf pages (8), overflow pages (8), entries (8), root (8). */
function readTree(bytes: Buffer, at: number): LmdbTree {
  return {
    depth: bytes.readUInt16LE(at + 6),
    branchPages: readCount(bytes, at + 8),
    leafPages: readCount(bytes, at + 16),
    overflowPages: readCount(bytes, at + 24),
    entries: readCount(bytes, at + 32),
    rootPage: readCount(bytes, at + 40),
  };
}

function readCount(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}

/**
 * LMDB may leave pages it took and gave back in one transaction unwritten at the end of the file. Making the file as long as its
 * header says is what lets the next open tell such a file from one cut short.
 */
export function extendToLastPage(path: string): void {
  const file = openSync(path, "r+");
  try {
    const expected = lmdbFileBytes(file);
    if (expected !== undefined && fstatSync(file).size < expected) ftruncateSync(file, expected);
  } finally {
    closeSync(file);
  }
}
