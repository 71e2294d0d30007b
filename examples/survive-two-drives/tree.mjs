/** Files of a folder, their hashes, and work done a few pieces at a time. */
import { createHash } from "node:crypto";
import { lstat, readdir } from "node:fs/promises";
import path from "node:path";

/** @typedef {{ key: string; path: string; size: number }} TreeFile `key` is the path below the folder, with slashes. */

/**
 * All regular files below a folder. Links and other special things are only counted.
 * @param {string} root @param {{ leaveOut: string }} options `leaveOut`: a folder that is not looked into.
 * @returns {Promise<{ files: TreeFile[]; skipped: number }>}
 */
export async function listTree(root, { leaveOut }) {
  /** @type {TreeFile[]} */
  const files = [];
  let skipped = 0;
  /** @param {string} folder */
  async function visit(folder) {
    if (folder === leaveOut) return;
    const entries = await readdir(folder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const place = path.join(folder, entry.name);
      if (entry.isDirectory()) await visit(place);
      else if (!entry.isFile()) skipped++;
      else files.push({ key: path.relative(root, place).split(path.sep).join("/"), path: place, size: (await lstat(place)).size });
    }
  }
  await visit(root);
  return { files, skipped };
}

/** SHA-256 of bytes that come piece by piece. @param {AsyncIterable<Uint8Array>} pieces */
export async function hashPieces(pieces) {
  const hash = createHash("sha256");
  for await (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

/**
 * Works on items as they come, `lanes` of them at a time. The first failure ends it, once what is under way has settled.
 * @template T
 * @param {Iterable<T> | AsyncIterable<T>} items @param {number} lanes @param {(item: T) => Promise<void>} work
 */
export async function inParallel(items, lanes, work) {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let failed = false;
  async function lane() {
    while (!failed) {
      const next = await source.next();
      if (next.done === true) return;
      await work(next.value);
    }
  }
  const outcomes = await Promise.allSettled(
    Array.from({ length: lanes }, () =>
      lane().catch((error) => {
        failed = true;
        throw error;
      }),
    ),
  );
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}
