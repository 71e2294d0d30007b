/**
 * `npm run bench [-- options] [suite …]`: builds the engine and the bench, then runs every suite in a process of its own, so that none
 * inherits another one's heap. The tables go to stdout and, together, to `bench/results/`.
 */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binPath, build, runNode } from "../tools/run.mjs";

const folder = import.meta.dirname;
const output = path.join(folder, "dist");
const bundle = ["--format", "esm", "--target", "node20.19", "--out-dir", output, "--clean", "--silent", "--no-config"];

process.exitCode =
  (await build(["@holdfast/engine"])) || (await runNode(binPath("tsup"), ["main.ts", ...bundle], { cwd: folder })) || (await runSuites());

async function runSuites() {
  const known = (await capture(["--suites"])).text.trim().split("\n");
  const asked = process.argv.slice(2);
  const chosen = known.filter((name) => asked.includes(name));
  const options = asked.filter((argument) => !known.includes(argument));
  const parts = [];
  let worst = 0;
  for (const suite of chosen.length > 0 ? chosen : known) {
    const { code, text } = await capture([...options, suite], process.stdout);
    worst = Math.max(worst, code);
    parts.push(text);
    if (options.includes("--help")) return code;
  }
  mkdirSync(path.join(folder, "results"), { recursive: true });
  const file = path.join(folder, "results", `${new Date().toISOString().replaceAll(":", "-").slice(0, 19)}.md`);
  writeFileSync(file, parts.join("\n"));
  process.stdout.write(`\nWritten to ${path.relative(process.cwd(), file)}\n`);
  return worst;
}

/**
 * Runs the bench and collects what it prints, passing it on as it comes.
 * @param {readonly string[]} args @param {NodeJS.WritableStream} [echo]
 * @returns {Promise<{ code: number; text: string }>}
 */
function capture(args, echo) {
  return new Promise((resolve, reject) => {
    const flags = ["--expose-gc"];
    const child = spawn(process.execPath, [...flags, path.join(output, "main.js"), ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part;
      echo?.write(part);
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, text }));
  });
}
