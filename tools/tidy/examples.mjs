/**
 * Runs the documentation's examples: every TypeScript block right after `<!-- run -->` is a program of its own, run in an empty folder
 * inside the project (so that `@holdfast/engine` is found) against what is built in dist/. It must exit with code 0.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { root } from "../run.mjs";
import { readText } from "./files.mjs";
import { runnableBlocks } from "./markdown.mjs";

const timeoutMs = 60_000;

/** @typedef {{ name: string; code: string }} Example */

/** The examples of some files of the project. @param {readonly string[]} files @returns {Example[]} */
export function findExamples(files) {
  return files
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) => runnableBlocks(readText(file)).map(({ code, line }) => ({ name: `${file}:${line}`, code })));
}

/** What went wrong, or undefined. @param {Example} example @returns {Promise<string | undefined>} */
export async function runExample(example) {
  mkdirSync(path.join(root, "temp"), { recursive: true });
  const folder = mkdtempSync(path.join(root, "temp/example-"));
  try {
    // Down to what every supported Node runs: `await using` is newer than Node 20.
    const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
    writeFileSync(path.join(folder, "example.mjs"), ts.transpileModule(example.code, { compilerOptions: options }).outputText);
    return await new Promise((resolve) => {
      execFile(process.execPath, ["example.mjs"], { cwd: folder, timeout: timeoutMs }, (error, stdout, stderr) => {
        resolve(error === null ? undefined : `${example.name}: the example fails\n${stdout}${stderr}`.trimEnd());
      });
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {readonly string[]} files @returns {Promise<string[]>} */
export async function checkExamples(files) {
  const problems = [];
  for (const example of findExamples(files)) problems.push(await runExample(example));
  return problems.filter((problem) => problem !== undefined);
}
