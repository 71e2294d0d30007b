/**
 * `npm test [-- vitest arguments]`: builds everything, runs every test, and ends with the plain line `N passed, N failed`.
 * A failed build, a test file that does not load and an error outside any test count as failures.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { binPath, build, runNode } from "./run.mjs";
import { countResults, resultLine } from "./test-results.mjs";

const folder = await mkdtemp(path.join(tmpdir(), "holdfast-tests-"));
try {
  const buildCode = await build();
  const counts = buildCode === 0 ? await runTests(path.join(folder, "results.json")) : { passed: 0, failed: 1 };
  process.stdout.write(`\n${resultLine(counts)}\n`);
  process.exitCode = counts.failed === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** @param {string} resultsFile */
async function runTests(resultsFile) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${resultsFile}`];
  const code = await runNode(binPath("vitest"), ["run", ...reporters, ...process.argv.slice(2)]);
  return countResults(await readFile(resultsFile, "utf8").catch(() => undefined), code);
}
