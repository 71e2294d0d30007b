/** What goes wrong: drives that vanish, and bits that flip. */
import { mkdir, open, readdir, rm } from "node:fs/promises";
import path from "node:path";

/** Takes a drive away for good, while it is in use. @param {string} drive */
export async function destroyDrive(drive) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await rm(drive, { recursive: true, force: true });
    } catch (error) {
      // The store goes on making files in it.
      if (attempt >= 20) throw error;
    }
  }
}

/** A new, empty drive in the old one's place. @param {string} drive */
export async function insertEmptyDrive(drive) {
  await mkdir(drive, { recursive: true });
}

/**
 * Flips one bit each in up to `count` places of a drive's data; resolves with how many it were.
 * @param {string} drive @param {{ count: number; random: { below(bound: number): number } }} options
 */
export async function flipBits(drive, { count, random }) {
  const files = (await readdir(drive, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /[\\/](packs|blobs)/.test(entry.parentPath))
    .map((entry) => path.join(entry.parentPath, entry.name));
  let flipped = 0;
  for (let i = 0; i < count && files.length > 0; i++) {
    const name = /** @type {string} */ (files[random.below(files.length)]);
    if (await flipBit(name, random).catch(() => false)) flipped++;
  }
  return flipped;
}

/** @param {string} name @param {{ below(bound: number): number }} random */
async function flipBit(name, random) {
  const file = await open(name, "r+");
  try {
    const { size } = await file.stat();
    if (size === 0) return false;
    const byte = new Uint8Array(1);
    const position = random.below(size);
    await file.read(byte, 0, 1, position);
    await file.write(new Uint8Array([/** @type {number} */ (byte[0]) ^ (1 << random.below(8))]), 0, 1, position);
    return true;
  } finally {
    await file.close();
  }
}
