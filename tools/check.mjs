/**
 * `npm run check [-- step …]`: everything about the code that is not a test. All steps run, also after one has failed; the table at the
 * end says which did. Steps by name, e.g. `npm run check -- layers tidy`.
 */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { binPath, build, root, runNode } from "./run.mjs";

const engine = path.join(root, "packages/engine");

/** @type {Record<string, () => Promise<number>>} */
const steps = {
  build: () => build(),
  format: () => runNode(binPath("@biomejs/biome"), ["check", "--error-on-warnings", "."]),
  types: checkTypes,
  layers: () => runNode(binPath("dependency-cruiser", "depcruise"), ["packages", "examples"]),
  tidy: () => runNode(path.join(root, "tools/tidy.mjs"), []),
  knip: () => runNode(binPath("knip"), ["--no-config-hints", "--no-progress"]),
  publint: () => runNode(binPath("publint"), [engine, "--strict"]),
  attw: () => runNode(binPath("@arethetypeswrong/cli", "attw"), ["--pack", engine, "--profile", "esm-only", "--quiet"]),
  api: () => checkApi([]),
};

/** Every workspace with sources, and the tools, against its own tsconfig.json. */
async function checkTypes() {
  const packages = readdirSync(path.join(root, "packages")).map((name) => `packages/${name}`);
  let worst = 0;
  for (const folder of [...packages, "examples", "bench", "tools"]) {
    if (!hasSources(path.join(root, folder))) continue;
    worst = Math.max(worst, await runNode(binPath("typescript", "tsc"), ["-p", folder]));
  }
  return worst;
}

/** @param {string} folder */
function hasSources(folder) {
  if (!existsSync(path.join(folder, "package.json")) && !existsSync(path.join(folder, "tsconfig.json"))) return false;
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.some((name) => /\.(ts|mjs)$/.test(name) && !/(^|[\\/])(node_modules|dist)[\\/]/.test(name));
}

/** Compares the exported types with packages/engine/etc/engine.api.md. @param {readonly string[]} args */
async function checkApi(args) {
  const code = await runNode(binPath("@microsoft/api-extractor"), ["run", ...args], { cwd: engine });
  if (code !== 0 && args.length === 0) process.stderr.write("Is the change of the API meant? Then: npm run api:update\n");
  return code;
}

const asked = process.argv.slice(2);
if (asked[0] === "--update-api") {
  process.exitCode = (await build(["@holdfast/engine"])) || (await checkApi(["--local"]));
} else {
  process.exitCode = await runSteps(asked.length === 0 ? Object.keys(steps) : asked);
}

/** @param {readonly string[]} names */
async function runSteps(names) {
  /** @type {string[]} */
  const table = [];
  let failed = 0;
  for (const name of names) {
    const step = steps[name];
    if (step === undefined) throw new Error(`no step ${name}; there are ${Object.keys(steps).join(", ")}`);
    process.stdout.write(`\n— ${name}\n`);
    const startMs = performance.now();
    const code = await step();
    if (code !== 0) failed++;
    table.push(`${code === 0 ? "ok    " : "FAILED"}  ${name.padEnd(8)} ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  }
  process.stdout.write(`\n${table.join("\n")}\n`);
  return failed === 0 ? 0 : 1;
}
