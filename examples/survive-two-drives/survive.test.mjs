/** The demonstration on a small tree, in this process and as `npm start` runs it. */
import { execFile } from "node:child_process";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { openStore } from "@holdfast/engine";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createReport } from "./report.mjs";
import { surviveTwoDrives } from "./survive.mjs";

const main = path.join(import.meta.dirname, "main.mjs");
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "holdfast-example-"));
  await mkdir(path.join(folder, "tree/it's/deep"), { recursive: true });
  await symlink("small", path.join(folder, "tree/link"));
  /** @type {Record<string, string | Uint8Array>} */
  const tree = { small: "small", empty: "", "it's/deep/big": Buffer.alloc(3_000_000, "big"), "it's/read.md": "# Text\n" };
  for (let i = 0; i < 300; i++) tree[`it's/${i}`] = `${i}`.repeat(i);
  for (const [name, content] of Object.entries(tree)) await writeFile(path.join(folder, "tree", name), content);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** @param {string} script @param {readonly string[]} args @returns {Promise<{ code: number; stdout: string; stderr: string }>} */
function run(script, args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** @param {{ afterImport?: () => Promise<void> }} options */
async function demonstrate(options = {}) {
  const stream = new PassThrough();
  const text = stream.toArray();
  const result = await surviveTwoDrives({
    source: path.join(folder, "tree"),
    data: path.join(folder, "data"),
    report: createReport(stream),
    ...options,
  });
  stream.end();
  return { ...result, text: Buffer.concat(await text).toString() };
}

test("every byte comes back with two drives gone, again and again", async () => {
  for (const _ of [1, 2]) {
    const { code, stdout, stderr } = await run(main, ["--source", "tree"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("304 files, ");
    expect(stdout).toContain("1 links and special files skipped");
    expect(stdout).toContain("Every byte of all 304 files came back");
    expect((await readdir(path.join(folder, "data"))).sort()).toEqual([
      ".made-by-npm-start",
      "d1",
      "d2",
      "d3",
      "d4",
      "d5",
      "d6",
      "holdfast.json",
    ]);
  }
});

test("the lines it offers to paste work", async () => {
  const { stdout } = await run(main, ["--source", "tree"]);
  const lines = stdout.split("\n").flatMap((line) => (line.startsWith("  npx holdfast ") ? [line.slice("  npx holdfast ".length)] : []));
  expect(lines).toHaveLength(5);
  const command = path.join(import.meta.dirname, "../../packages/engine/bin/holdfast.js");
  for (const line of lines) {
    const args = [...line.matchAll(/'((?:[^']|'\\'')*)'(?=\s|$)|(\S+)/g)].map(
      ([, quoted, bare]) => quoted?.replaceAll("'\\''", "'") ?? bare ?? "",
    );
    expect(await run(command, args), line).toMatchObject({ code: 0, stderr: "" });
  }
});

test("a file that is not what was stored is found", async () => {
  const { files, differing, text } = await demonstrate({ afterImport: () => appendFile(path.join(folder, "tree/small"), "!") });
  expect({ files, differing }).toEqual({ files: 304, differing: 1 });
  expect(text).toContain("1 FILES DIFFER");
  expect(text).toContain('"small"');
});

test("so is a changed or lost object, with exit code 1 for the process", async () => {
  const tamper = async () => {
    const { drives } = JSON.parse(await readFile(path.join(folder, "data/holdfast.json"), "utf8"));
    const store = await openStore({ drives: drives.map((/** @type {string} */ name) => path.join(folder, "data", name)) });
    await store.bucket("files").put("it's/deep/big", Buffer.alloc(3_000_000, "pig"));
    await store.bucket("files").delete("empty");
    await store.close();
  };
  expect(await demonstrate({ afterImport: tamper })).toMatchObject({ differing: 2 });

  // As a process: a source file changes at the moment the first drive is taken away.
  const preload = path.join(folder, "tamper.mjs");
  await writeFile(
    preload,
    `import fs from "node:fs/promises";
     import { syncBuiltinESMExports } from "node:module";
     const { rename } = fs;
     fs.rename = async (from, to) => {
       if (to.endsWith("d2.away")) await fs.appendFile("tree/empty", "no more");
       return rename(from, to);
     };
     syncBuiltinESMExports();`,
  );
  const { code, stdout } = await run("--import", [pathToFileURL(preload).href, main, "--source", "tree"]);
  expect(code).toBe(1);
  expect(stdout).toContain("1 FILES DIFFER");
});

test("a folder it has not made is left alone, and so is what others put beside its store", async () => {
  await mkdir(path.join(folder, "data"));
  await writeFile(path.join(folder, "data/holdfast.json"), "somebody's own");
  const refused = await run(main, ["--source", "tree"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("was not made by npm start");
  expect(await readFile(path.join(folder, "data/holdfast.json"), "utf8")).toBe("somebody's own");

  await rm(path.join(folder, "data"), { recursive: true });
  await demonstrate();
  await writeFile(path.join(folder, "data/notes"), "mine");
  await demonstrate();
  expect(await readFile(path.join(folder, "data/notes"), "utf8")).toBe("mine");
});

test("a store that is open elsewhere is not removed, and wrong arguments are told", async () => {
  await demonstrate();
  const drives = [1, 2, 3, 4, 5, 6].map((number) => path.join(folder, `data/d${number}`));
  const store = await openStore({ drives });
  const refused = await run(main, ["--source", "tree"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(String(process.pid));
  expect(await store.bucket("files").exists()).toBe(true);
  await store.close();
  expect(await run(main, ["--frob"])).toMatchObject({ code: 2 });
  expect(await run(main, ["--source", "none", "--data", "other"])).toMatchObject({ code: 1 });
});
