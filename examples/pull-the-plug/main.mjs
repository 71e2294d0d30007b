/**
 * `npm run pull-the-plug -w examples [-- --seconds N --seed N --svg FILE --data DIR]`. Exit codes: 0 every byte came back, 1 something
 * differs or failed, 2 wrong arguments.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { drawPicture } from "./picture.mjs";
import { count, createReport, size } from "./report.mjs";
import { pullThePlug } from "./show.mjs";

const usage = `usage: npm run pull-the-plug -w examples -- [--seconds N] [--seed N] [--svg FILE] [--data DIR]
  --seconds  how long to write (default: 30)
  --seed     what is written and which drives suffer (default: random)
  --svg      where the picture goes (default: pull-the-plug.svg)
  --data     an empty folder for the drives, left as it is at the end (default: a temporary one, removed at the end)
`;
const shownMax = 10;

// npm runs scripts in the package's folder; paths are meant from where the user is.
const here = process.env.INIT_CWD ?? process.cwd();
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => interrupted.abort(new Error(`stopped by ${name}`)));
process.exitCode = await main();

async function main() {
  let options;
  try {
    options = readOptions();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${usage}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  const own = options.data === undefined ? await mkdtemp(path.join(tmpdir(), "pull-the-plug-")) : undefined;
  const data = own ?? path.resolve(here, /** @type {string} */ (options.data));
  try {
    await checkEmpty(data);
    return await perform({ ...options, data });
  } catch (error) {
    process.stderr.write(`\nThe show failed: ${messageOf(error)}\nTo see it again: --seed ${options.seed} --seconds ${options.seconds}\n`);
    return 1;
  } finally {
    if (own !== undefined) await rm(own, { recursive: true, force: true });
  }
}

/** @param {{ data: string; seconds: number; seed: number; svg: string }} options */
async function perform({ data, seconds, seed, svg }) {
  const report = createReport(process.stdout);
  const result = await pullThePlug({ data, seconds, seed, report, signal: interrupted.signal });
  await writeFile(svg, drawPicture(result.picture));
  report.say(`The picture is in ${path.relative(here, svg)}.`);
  if (result.wrong.length === 0) {
    report.say(
      `Nothing is lost: ${count(result.acknowledged)} changes were acknowledged; all ${count(result.objects)} objects, ${size(result.bytes)}, are as they were put.`,
    );
    return 0;
  }
  report.say(`${count(result.wrong.length)} OBJECTS ARE NOT AS THEY WERE PUT (seed ${seed}):`);
  for (const key of result.wrong.slice(0, shownMax)) report.say(`  ${key}`);
  return 1;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "30" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
      svg: { type: "string", default: "pull-the-plug.svg" },
      data: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  if (!(seconds >= 1 && seconds <= 86_400)) throw new Error("--seconds: a number from 1 to 86400");
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error("--seed: a whole number");
  return { ...values, seconds, seed, svg: path.resolve(here, values.svg) };
}

/** @param {string} folder */
async function checkEmpty(folder) {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty; name another folder with --data`);
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
