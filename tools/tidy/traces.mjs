/** Nothing in the project names a place on one machine or the registry someone installed from. */
import { readText } from "./files.mjs";

const textPattern = /\.(ts|mjs|cjs|js|md|json|ya?ml|grit)$|^[^.]*$|^\.ci\/run$/;

/** @type {readonly { pattern: RegExp; what: string; only?: RegExp }[]} */
const traces = [
  { pattern: /(?<![\w.])\/(?:work|root|home\/\w+|Users\/\w+)\/[\w.]/, what: "an absolute path of one machine" },
  { pattern: /(?:^|["'`(\s])\.\.\/shared\//, what: "a path outside the project" },
  { pattern: /"resolved": "https?:/, what: "a registry's address", only: /(^|\/)package-lock\.json$/ },
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
      return traces
        .filter(({ only }) => only === undefined || only.test(file))
        .flatMap(({ pattern, what }) => lines.flatMap((line, at) => (pattern.test(line) ? [`${file}:${at + 1}: ${what}`] : [])));
    });
}
