import { readFile } from "node:fs/promises";

/**
 * Sums of what the tests have tried, by name: the file that `HOLDFAST_TALLY` named for them.
 * @param {string} file @returns {Promise<Map<string, number>>}
 */
export async function readTally(file) {
  const sums = new Map();
  const lines = (await readFile(file, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const { what, count } = JSON.parse(line);
    sums.set(what, (sums.get(what) ?? 0) + count);
  }
  return sums;
}
