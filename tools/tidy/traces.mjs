/** Nothing in the project names a place on one machine. */
import { readText } from "./files.mjs";

const textPattern = /\.(ts|mjs|cjs|js|md|json|ya?ml|grit)$|^[^.]*$|^\.ci\/run$/;

/** @type {readonly { pattern: RegExp; what: string }[]} */
const traces = [
  { pattern: /(?<![\w.])\/(?:work|root|home\/\w+|Users\/\w+)\/[\w.]/, what: "an absolute path of one machine" },
  { pattern: /(?:^|["'`(\s])\.\.\/shared\//, what: "a path outside the project" },
];

/**
 * @param {readonly string[]} files
 * @param {(file: string) => string} [read]
 * @returns {string[]}
 */
export function checkTraces(files, read = readText) {
  return files
    .filter((file) => textPattern.test(file))
    .flatMap((file) => {
      const lines = read(file).split("\n");
      return traces.flatMap(({ pattern, what }) => lines.flatMap((line, at) => (pattern.test(line) ? [`${file}:${at + 1}: ${what}`] : [])));
    });
}
