/**
 * `npm run test:reliability [-- part …]`: the whole programme of tests that attack the engine's promises, part by part, and one table of
 * what was tried, how many, how long it took and what was found. Parts by name, e.g. `npm run test:reliability -- "crash points"`.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { binPath, build, root, runNode } from "./run.mjs";
import { readTally } from "./tally.mjs";
import { countResults } from "./test-results.mjs";

/** Each part with the files of packages/engine it consists of. @type {Record<string, readonly string[]>} */
const parts = {
  "crash points": ["test/crash-points.test.ts", "src/set/recovery.test.ts", "src/set/recovery-cases.test.ts"],
  histories: ["test/histories.test.ts", "test/histories-wide.test.ts", "test/model.test.ts"],
  linearizability: ["test/linearizability.test.ts"],
  determinism: ["test/determinism.test.ts"],
  "loss patterns": ["test/loss-patterns.test.ts"],
  "bad bytes": ["test/fuzz-formats.test.ts", "test/fuzz-files.test.ts", "test/fuzz-store.test.ts", "src/set/bit-rot.test.ts"],
  "real processes": [
    "test/kill.test.ts",
    "test/pause.test.ts",
    "test/power-cut.test.ts",
    "test/sync-errors.test.ts",
    "test/writing-on-small-disks.test.ts",
    "test/unwritable-drives.test.ts",
  ],
  "planted bugs": ["test/planted-bugs.test.ts"],
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => parts[name] === undefined);
if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}`);

const folder = await mkdtemp(path.join(tmpdir(), "holdfast-reliability-"));
try {
  if ((await build(["@holdfast/engine"])) !== 0) process.exit(1);
  /** @type {string[][]} */
  const rows = [["part", "tried", "tests", "seconds", "found"]];
  for (const name of asked.length === 0 ? Object.keys(parts) : asked) rows.push(await runPart(name));
  process.stdout.write(`\n${formatTable(rows)}\n`);
  process.exitCode = rows.slice(1).every((row) => row[4] === "nothing") ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** @param {string} name */
async function runPart(name) {
  process.stdout.write(`\n— ${name}\n`);
  const results = path.join(folder, `${name}.json`);
  const tally = path.join(folder, `${name}.tally`);
  const args = ["run", ...(parts[name] ?? []), "--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
  const startMs = performance.now();
  const code = await runNode(binPath("vitest"), args, { cwd: path.join(root, "packages/engine"), env: { HOLDFAST_TALLY: tally } });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  const { passed, failed } = countResults(await readFile(results, "utf8").catch(() => undefined), code);
  const tried = [...(await readTally(tally))].map(([what, count]) => `${count.toLocaleString("en")} ${what}`);
  return [name, tried.join(", "), String(passed + failed), seconds, failed === 0 ? "nothing" : `${failed} failed`];
}

/** @param {readonly (readonly string[])[]} rows */
function formatTable(rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
