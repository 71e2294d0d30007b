/** Every changeset names packages of the project and how they change, and says so in words. */
import { readText } from "./files.mjs";

/**
 * @param {readonly string[]} files
 * @param {(file: string) => string} [read]
 * @returns {string[]}
 */
export function checkChangesets(files, read = readText) {
  const packages = files.filter((file) => /^packages\/[^/]+\/package\.json$/.test(file));
  const names = new Set(packages.map((file) => JSON.parse(read(file)).name));
  return files
    .filter((file) => /^\.changeset\/(?!README)[^/]+\.md$/.test(file))
    .flatMap((file) => {
      const [, head, body] = /^---\n([\s\S]*?)\n?---\n([\s\S]*)$/.exec(read(file)) ?? [];
      if (head === undefined || body?.trim() === "") return [`${file}: needs a head of packages and a sentence`];
      const lines = head.split("\n").filter((line) => line.trim() !== "");
      return lines.flatMap((line) => {
        const [, name] = /^["']?([^"':]+)["']?: (?:major|minor|patch)$/.exec(line) ?? [];
        return names.has(name) ? [] : [`${file}: "${line}" is no package of this project with major, minor or patch`];
      });
    });
}
