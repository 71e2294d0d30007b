/**
 * The size ratchet. A file has at most 500 lines and a function at most 70. What was larger once is recorded in sizes.json with its
 * size and may only shrink: growing fails, and so does a record that is larger than the truth (`npm run tidy:update` lowers it).
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { root } from "../run.mjs";
import { readText } from "./files.mjs";

const fileLinesMax = 500;
const functionLinesMax = 70;

const recordFile = "tools/tidy/sizes.json";
const sourcePattern = /\.(ts|mjs|cjs)$/;
/** Suites of tests nest: there, a function's lines are those that are not in a function inside it. */
const suitePattern = /\.test\.(ts|mjs)$|\/src\/testing\/|\.bench\.ts$/;

/** @typedef {Record<string, number>} Sizes Lines by file, or by `file#function`. */

/**
 * Everything above its limit.
 * @param {string} file @param {string} text @returns {Sizes}
 */
export function oversized(file, text) {
  /** @type {Sizes} */
  const found = {};
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  if (lines > fileLinesMax) found[file] = lines;
  for (const { name, lines: functionLines } of functionSizes(source, suitePattern.test(file))) {
    const key = `${file}#${name}`;
    if (functionLines > functionLinesMax) found[key] = Math.max(found[key] ?? 0, functionLines);
  }
  return found;
}

/**
 * What to say about sizes, given the record.
 * @param {Sizes} found @param {Sizes} recorded @returns {string[]}
 */
export function compareSizes(found, recorded) {
  const problems = [];
  for (const [name, lines] of Object.entries(found)) {
    const before = recorded[name];
    const limit = name.includes("#") ? functionLinesMax : fileLinesMax;
    if (before === undefined) problems.push(`${name}: ${lines} lines, more than ${limit}; split it`);
    else if (lines > before) problems.push(`${name}: ${lines} lines, grown from the ${before} recorded; split it`);
  }
  for (const [name, before] of Object.entries(recorded)) {
    if ((found[name] ?? 0) < before) problems.push(`${name}: smaller than the ${before} lines recorded; run npm run tidy:update`);
  }
  return problems;
}

/** @param {readonly string[]} files @returns {string[]} */
export function checkSizes(files) {
  return compareSizes(measure(files), JSON.parse(readText(recordFile)));
}

/** Lowers the record to the truth; never adds to it. @param {readonly string[]} files */
export function lowerRecord(files) {
  const found = measure(files);
  /** @type {Sizes} */
  const lowered = {};
  for (const [name, before] of Object.entries(/** @type {Sizes} */ (JSON.parse(readText(recordFile))))) {
    const lines = found[name];
    if (lines !== undefined) lowered[name] = Math.min(before, lines);
  }
  writeFileSync(path.join(root, recordFile), `${JSON.stringify(lowered, null, 2)}\n`);
}

/** @param {readonly string[]} files @returns {Sizes} */
function measure(files) {
  return Object.assign({}, ...files.filter((file) => sourcePattern.test(file)).map((file) => oversized(file, readText(file))));
}

/** @param {ts.SourceFile} source @param {boolean} ownLinesOnly */
function functionSizes(source, ownLinesOnly) {
  /** @type {{ name: string; lines: number }[]} */
  const sizes = [];
  /** Answers how many lines the functions in `node` take. @param {ts.Node} node @returns {number} */
  function visit(node) {
    let inner = 0;
    ts.forEachChild(node, (child) => {
      inner += visit(child);
    });
    if (!isFunctionWithBody(node)) return inner;
    const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
    const last = source.getLineAndCharacterOfPosition(node.end).line;
    const lines = last - first + 1;
    sizes.push({ name: functionName(node), lines: ownLinesOnly ? lines - inner : lines });
    return lines;
  }
  visit(source);
  return sizes;
}

/** @param {ts.Node} node @returns {node is ts.FunctionLikeDeclaration} */
function isFunctionWithBody(node) {
  return ts.isFunctionLike(node) && "body" in node && node.body !== undefined;
}

/** @param {ts.FunctionLikeDeclaration} node */
function functionName(node) {
  if (node.name !== undefined) return node.name.getText();
  if (ts.isConstructorDeclaration(node)) return "constructor";
  const { parent } = node;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent)) return parent.name.getText();
  return "anonymous";
}
