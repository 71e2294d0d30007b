/** `npm start [-- --source DIR] [--data DIR]`. Exit codes: 0 every byte came back, 1 something differs or failed, 2 wrong arguments. */
import path from "node:path";
import { parseArgs } from "node:util";
import { createReport } from "./report.mjs";
import { surviveTwoDrives } from "./survive.mjs";

const usage =
  "usage: npm start -- [--source DIR] [--data DIR]\n  --source  files to store (default: node_modules)\n  --data    where the store goes (default: data)\n";

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => interrupted.abort(name));
process.exitCode = await main();

async function main() {
  let options;
  try {
    options = parseArgs({
      options: { source: { type: "string" }, data: { type: "string" }, help: { type: "boolean", short: "h" } },
    }).values;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${usage}`);
    return 2;
  }
  if (options.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const source = path.resolve(options.source ?? path.join(import.meta.dirname, "../../node_modules"));
  const data = path.resolve(options.data ?? "data");
  try {
    const { differing } = await surviveTwoDrives({ source, data, report: createReport(process.stdout), signal: interrupted.signal });
    return differing === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`\nThe demonstration failed: ${messageOf(error)}\n`);
    return 1;
  }
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
