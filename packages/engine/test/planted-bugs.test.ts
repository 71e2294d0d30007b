/** The tests are tested: every known-bad variant of the engine is caught by the suite named with it. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { type PlantedBug, plantedBugs } from "../src/testing/planted-bugs.ts";
import { tally } from "../src/testing/tally.ts";

const engine = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");

/** Runs the suite that must catch it; resolves with what it has printed, and whether it failed. */
function runSuite({ name, suite, tests, env }: PlantedBug): Promise<{ failed: boolean; output: string }> {
  const args = ["run", suite, "--bail=1", "--reporter=default", ...(tests === undefined ? [] : ["-t", tests])];
  const clean = Object.fromEntries(Object.entries(process.env).filter(([variable]) => !/^(VITEST|HOLDFAST_)/.test(variable)));
  const child = spawn(process.execPath, [vitest, ...args], {
    cwd: engine,
    env: { ...clean, ...env, NO_COLOR: "1", HOLDFAST_PLANT: name },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += String(chunk);
    });
  }
  return new Promise((settle, reject) => {
    child.once("error", reject);
    child.once("close", (code) => settle({ failed: code !== 0, output }));
  });
}

describe("a planted bug is caught:", () => {
  let caught = 0;
  afterAll(() => tally("planted bugs caught", caught));

  // Each is a process of its own.
  it.concurrent.each(plantedBugs.map((bug) => [bug.name, bug] as const))("%s", { timeout: 300_000 }, async (_, bug) => {
    const found = readFileSync(join(engine, bug.file), "utf8").split(bug.find).length - 1;
    expect(found, `its text is in ${bug.file}`).toBe(1);
    const { failed, output } = await runSuite(bug);
    expect(failed, `${bug.suite} notices it`).toBe(true);
    // A suite that could not even be loaded has caught nothing.
    expect(output).toMatch(/Tests {2}\d+ failed/);
    caught++;
  });
});
