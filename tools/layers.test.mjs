import { execFile } from "node:child_process";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "..");
const depcruise = path.join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");

/** Each line is a file, what it imports, and the rules that must say so; none where the import is allowed. @type {[string, string, string[]][]} */
const cases = [
  ["packages/engine/src/base/a.ts", "../codec/target.ts", ["room-base"]],
  ["packages/engine/src/codec/a.ts", "../drive/target.ts", ["room-codec"]],
  ["packages/engine/src/codec/b.ts", "../base/target.ts", []],
  ["packages/engine/src/drive/a.ts", "../index/target.ts", ["room-drive"]],
  ["packages/engine/src/drive/b.ts", "node:fs/promises", []],
  ["packages/engine/src/format/a.ts", "node:fs/promises", ["no-world"]],
  ["packages/engine/src/set/a.ts", "../placement/target.ts", ["room-set"]],
  ["packages/engine/src/set/b.ts", "../drive/target.ts", []],
  ["packages/engine/src/set/c.ts", "worker_threads", ["no-world"]],
  ["packages/engine/src/set/d.ts", "node:timers/promises", ["no-timers"]],
  ["packages/engine/src/placement/a.ts", "../set/target.ts", ["room-placement"]],
  ["packages/engine/src/object/a.ts", "../upkeep/target.ts", ["room-object"]],
  ["packages/engine/src/object/b.ts", "../drive/target.ts", ["room-object"]],
  ["packages/engine/src/object/c.ts", "../testing/target.ts", ["room-object"]],
  ["packages/engine/src/object/c.test.ts", "../testing/target.ts", []],
  ["packages/engine/src/upkeep/a.ts", "../object/target.ts", ["room-upkeep"]],
  ["packages/engine/src/s3/a.ts", "../set/target.ts", ["room-s3"]],
  ["packages/engine/src/worker.ts", "./set/target.ts", ["room-worker.ts"]],
  ["packages/engine/src/engine.ts", "./testing/target.ts", ["room-engine.ts"]],
  ["packages/engine/src/cli/a.ts", "../object/target.ts", []],
  ["packages/engine/src/helpers/a.ts", "../base/target.ts", ["unknown-room"]],
  ["packages/engine/src/base/b.ts", "./c.ts", ["no-cycles"]],
  ["packages/engine/src/index/c.ts", "lmdb", []],
  ["packages/engine/src/object/d.ts", "lmdb", ["package-lmdb"]],
  ["packages/engine/src/object/e.ts", "vitest", ["dependencies-only"]],
  ["packages/engine/src/index/a.ts", "./target.test.ts", ["no-tests"]],
  ["packages/engine/src/index/b.ts", "./missing.ts", ["resolvable"]],
  ["packages/client/src/a.ts", "../../engine/src/base/target.ts", ["through-the-front-door"]],
];

/** @type {string} */
let folder;
/** @type {{ from: string; rule: { name: string } }[]} */
let violations;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), "holdfast-layers-")));
  for (const [file, target] of cases) await put(file, `import "${target}";\nexport {};\n`);
  for (const room of ["base", "codec", "drive", "index", "set", "placement", "object", "upkeep", "testing"]) {
    await put(`packages/engine/src/${room}/target.ts`, "export {};\n");
  }
  await put("packages/engine/src/base/c.ts", 'import "./b.ts";\n');
  await put("packages/engine/package.json", '{ "dependencies": { "lmdb": "1.0.0" }, "devDependencies": { "vitest": "1.0.0" } }');
  for (const name of ["lmdb", "vitest"]) {
    await put(`packages/engine/node_modules/${name}/package.json`, `{ "name": "${name}", "version": "1.0.0", "main": "main.js" }`);
    await put(`packages/engine/node_modules/${name}/main.js`, "");
  }
  await put("packages/engine/src/index/target.test.ts", "export {};\n");
  const args = [depcruise, "--config", path.join(root, ".dependency-cruiser.cjs"), "--output-type", "json", "packages"];
  violations = JSON.parse(await output(args)).summary.violations;
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(cases)("%s imports %s", (file, _target, expected) => {
  const names = violations.filter((violation) => violation.from === file).map((violation) => violation.rule.name);
  expect([...new Set(names)]).toEqual(expected);
});

/** @param {string} file @param {string} text */
async function put(file, text) {
  const whole = path.join(folder, file);
  await mkdir(path.dirname(whole), { recursive: true });
  await writeFile(whole, text);
}

/** Standard output, whatever the exit code: violations make it fail. @param {string[]} args @returns {Promise<string>} */
function output(args) {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 1 << 26 }, (_error, stdout) => resolve(stdout));
  });
}
