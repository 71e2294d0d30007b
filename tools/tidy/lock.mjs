/**
 * The lock file holds every package for every platform, and no registry's address. npm leaves out optional packages that it could not
 * fetch while it wrote the lock; `npm ci` then refuses it on every machine.
 */
import { readText } from "./files.mjs";

/** @typedef {{ version?: string; resolved?: string; optionalDependencies?: Record<string, string> }} LockEntry */

/** @param {(file: string) => string} [read] @returns {string[]} */
export function checkLock(read = readText) {
  /** @type {Record<string, LockEntry>} */
  const packages = JSON.parse(read("package-lock.json")).packages;
  const problems = [];
  for (const [place, entry] of Object.entries(packages)) {
    if (/^https?:/.test(entry.resolved ?? "")) {
      problems.push(`package-lock.json: ${place} names a registry; set npm's omit-lockfile-registry-resolved and write it again`);
    }
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!isInstalled(packages, place, name)) problems.push(`package-lock.json: ${place} wants ${name} ${version}, which is left out`);
    }
  }
  return problems;
}

/** Looks in the folder of the package and in those around it. @param {Record<string, LockEntry>} packages @param {string} place @param {string} name */
function isInstalled(packages, place, name) {
  let folder = place;
  while (folder !== "") {
    if (packages[`${folder}/node_modules/${name}`] !== undefined) return true;
    folder = folder.slice(0, Math.max(folder.lastIndexOf("/node_modules/"), 0));
  }
  return packages[`node_modules/${name}`] !== undefined;
}
