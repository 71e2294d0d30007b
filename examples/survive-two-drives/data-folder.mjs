/**
 * The folder with the six drives. It is marked as ours, and only what is ours is ever removed from it: a store somebody made by hand
 * stays untouched.
 */
import { lstat, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { isHoldfastError, openStore } from "@holdfast/engine";

const marker = ".made-by-npm-start";
const settingsFile = "holdfast.json";
const drives = ["d1", "d2", "d3", "d4", "d5", "d6"];
const erasure = { data: 4, parity: 2 };
const awaySuffix = ".away";

/** @typedef {{ drives: string[]; erasure: { data: number; parity: number } }} Settings */

/**
 * Makes the folder, or clears away the store of the last run, and writes the settings file that the `holdfast` command reads.
 * @param {string} data @returns {Promise<Settings>}
 */
export async function clearDataFolder(data) {
  const settings = { drives: drives.map((name) => path.join(data, name)), erasure };
  await mkdir(data, { recursive: true });
  const names = await readdir(data);
  if (names.includes(marker)) {
    await refuseWhileOpen(settings);
    for (const name of [...drives, ...drives.map((drive) => `${drive}${awaySuffix}`), settingsFile]) {
      await rm(path.join(data, name), { recursive: true, force: true });
    }
  } else if (names.length > 0) {
    throw new Error(`${data} is not empty and was not made by npm start; empty it, or name another folder with --data`);
  }
  await writeFile(path.join(data, marker), "npm start clears the store beside this file and makes a new one.\n");
  await writeFile(path.join(data, settingsFile), `${JSON.stringify({ drives, erasure }, null, 2)}\n`);
  return settings;
}

/** Two programs must not have one store open, and this one is about to be removed. @param {Settings} settings */
async function refuseWhileOpen(settings) {
  try {
    await (await openStore({ ...settings, create: false })).close();
  } catch (error) {
    // Whatever else is wrong with it: it is going to be removed.
    if (isHoldfastError(error, "STORE_LOCKED")) throw error;
  }
}

/** @param {string} data @param {readonly string[]} names */
export async function takeAway(data, names) {
  for (const name of names) await rename(path.join(data, name), path.join(data, `${name}${awaySuffix}`));
}

/** Puts drives back that are away. @param {string} data @param {readonly string[]} names */
export async function bringBack(data, names) {
  const there = await readdir(data);
  for (const name of names) {
    if (there.includes(`${name}${awaySuffix}`)) await rename(path.join(data, `${name}${awaySuffix}`), path.join(data, name));
  }
}

/** Bytes that all drives take up together, as the file system counts them. @param {string} data */
export async function spaceUsed(data) {
  let bytes = 0;
  for (const drive of drives) {
    for (const entry of await readdir(path.join(data, drive), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const stats = await lstat(path.join(entry.parentPath, entry.name));
      bytes += stats.blocks === undefined ? stats.size : stats.blocks * 512;
    }
  }
  return bytes;
}
