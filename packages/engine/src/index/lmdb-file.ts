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
const lastPageAt = 24 + 2 * 48;
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
export function lmdbFileBytes(file: number): number | undefined {
  const first = readMeta(file, 0);
  if (first === undefined) return undefined;
  const second = readMeta(file, first.pageBytes);
  if (second === undefined) return undefined;
  const newest = second.transaction > first.transaction ? second : first;
  return newest.pageBytes * (newest.lastPage + 1);
}

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly transaction: bigint;
}

function readMeta(file: number, position: number): Meta | undefined {
  const bytes = Buffer.alloc(pageHeaderBytes + metaBytes);
  if (readSync(file, bytes, 0, bytes.length, position) < bytes.length) return undefined;
  const at = pageHeaderBytes;
  if ((bytes.readUInt16LE(pageFlagsAt) & metaPageFlag) === 0 || bytes.readUInt32LE(at) !== magic) return undefined;
  return {
    pageBytes: bytes.readUInt32LE(at + pageSizeAt),
    lastPage: Number(bytes.readBigUInt64LE(at + lastPageAt)),
    transaction: bytes.readBigUInt64LE(at + lastPageAt + 8),
  };
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
