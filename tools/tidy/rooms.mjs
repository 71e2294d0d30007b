/** The folders of the engine are the rooms of tools/rooms.mjs, each with a short README, and the picture in the docs is the list's. */
import { rooms, roomsPicture } from "../rooms.mjs";
import { readText } from "./files.mjs";

const source = "packages/engine/src/";
const readmeLinesMax = 15;
const picturePage = "docs/ARCHITECTURE.md";
const marks = { begin: "<!-- rooms:begin -->", end: "<!-- rooms:end -->" };

/**
 * @param {readonly string[]} files
 * @param {(file: string) => string} [read]
 * @returns {string[]}
 */
export function checkRooms(files, read = readText) {
  const inside = files.filter((file) => file.startsWith(source) && file.endsWith(".ts") && !file.endsWith(".test.ts"));
  const built = new Set(inside.map((file) => String(file.slice(source.length).split("/")[0])));
  const problems = [...built]
    .filter((name) => !rooms.some((room) => room.name === name))
    .map((name) => `${source}${name}: not in tools/rooms.mjs`);
  for (const room of rooms) {
    if (built.has(room.name) === (room.planned === true)) {
      problems.push(`tools/rooms.mjs: ${room.name} is ${built.has(room.name) ? "there; take away `planned`" : "empty; mark it `planned`"}`);
    }
    if (built.has(room.name) && !room.name.endsWith(".ts")) problems.push(...checkReadme(`${source}${room.name}/README.md`, files, read));
  }
  return [...problems, ...checkPicture(read(picturePage))];
}

/** @param {string} file @param {readonly string[]} files @param {(file: string) => string} read */
function checkReadme(file, files, read) {
  if (!files.includes(file)) return [`${file}: missing; say what lives here, what it promises, what it may import, where to start`];
  const lines = read(file).trimEnd().split("\n").length;
  return lines > readmeLinesMax ? [`${file}: ${lines} lines, more than ${readmeLinesMax}`] : [];
}

/** @param {string} page @returns {string[]} */
export function checkPicture(page) {
  const begin = page.indexOf(marks.begin);
  const end = page.indexOf(marks.end);
  if (begin < 0 || end < begin) return [`${picturePage}: no ${marks.begin} … ${marks.end}`];
  const picture = page.slice(begin + marks.begin.length, end).trim();
  return picture === roomsPicture().trim() ? [] : [`${picturePage}: the picture is out of date; run npm run tidy:update`];
}

/** The page with the current picture. @param {string} page */
export function withPicture(page) {
  const begin = page.indexOf(marks.begin) + marks.begin.length;
  return `${page.slice(0, begin)}\n${roomsPicture()}\n${page.slice(page.indexOf(marks.end))}`;
}
