/** Every relative link in the project's Markdown leads to a file or folder that is there, and to a heading that is in it. */
import path from "node:path";
import { readText } from "./files.mjs";
import { anchors, links } from "./markdown.mjs";

/**
 * @param {readonly string[]} files Everything in the project.
 * @param {(file: string) => string} [read]
 * @returns {string[]}
 */
export function checkLinks(files, read = readText) {
  const known = new Set(files);
  for (const file of files) for (const folder of foldersOf(file)) known.add(folder);
  return files
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) =>
      links(read(file)).flatMap(({ target, line }) => {
        const problem = problemOf(file, target, known, read);
        return problem === undefined ? [] : [`${file}:${line}: ${target} ${problem}`];
      }),
    );
}

/** @param {string} file @param {string} target @param {ReadonlySet<string>} known @param {(file: string) => string} read */
function problemOf(file, target, known, read) {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return undefined;
  const [place = "", anchor] = target.split("#");
  if (place.startsWith("/")) return "is absolute; link relative to this page";
  const aim = place === "" ? file : path.posix.join(path.posix.dirname(file), decodeURIComponent(place)).replace(/\/$/, "");
  if (aim === ".." || aim.startsWith("../")) return "leads out of the project";
  if (!known.has(aim)) return "is not there";
  if (anchor === undefined || !aim.endsWith(".md")) return undefined;
  return anchors(read(aim)).has(decodeURIComponent(anchor)) ? undefined : "names no heading of that page";
}

/** @param {string} file */
function foldersOf(file) {
  const parts = file.split("/");
  return [".", ...parts.slice(0, -1).map((_, at) => parts.slice(0, at + 1).join("/"))];
}
