/**
 * `npm run check -- tidy`, or `node tools/tidy.mjs`: sizes, links, rooms, traces, the lock file, changesets and the examples in the docs.
 * With `--update` it first lowers the record of sizes and renews the picture of the rooms.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "./run.mjs";
import { checkChangesets } from "./tidy/changesets.mjs";
import { checkExamples } from "./tidy/examples.mjs";
import { projectFiles, readText } from "./tidy/files.mjs";
import { checkLinks } from "./tidy/links.mjs";
import { checkLock } from "./tidy/lock.mjs";
import { checkRooms, withPicture } from "./tidy/rooms.mjs";
import { checkSizes, lowerRecord } from "./tidy/sizes.mjs";
import { checkTraces } from "./tidy/traces.mjs";

const files = projectFiles();
if (process.argv.includes("--update")) {
  lowerRecord(files);
  writeFileSync(path.join(root, "docs/ARCHITECTURE.md"), withPicture(readText("docs/ARCHITECTURE.md")));
}

const problems = [
  ...checkSizes(files),
  ...checkLinks(files),
  ...checkRooms(files),
  ...checkTraces(files),
  ...checkLock(),
  ...checkChangesets(files),
  ...(await checkExamples(files)),
];
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
