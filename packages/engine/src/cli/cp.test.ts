/** Trees in and out: what goes in comes out, nothing is written outside, what fails is told and the rest goes on. */
import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStore } from "../engine.ts";
import { type CommandWorld, collectOutput, makeCommandWorld } from "../testing/command-world.ts";
import { importTree } from "./import-tree.ts";
import { Transfer } from "./transfer.ts";
import type { TreeEntry } from "./walk-tree.ts";

let world: CommandWorld;
beforeEach(async () => {
  world = await makeCommandWorld({ drives: 3 });
  await world.run(["mb", "files"]);
});
afterEach(() => world.remove());

async function writeTree(tree: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(tree)) {
    await mkdir(dirname(world.at(name)), { recursive: true });
    await writeFile(world.at(name), content);
  }
}

async function readTree(folder: string): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  for (const entry of await readdir(world.at(folder), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath}/${entry.name}`;
    tree[path.slice(world.at(folder).length + 1)] = await readFile(path, "latin1");
  }
  return tree;
}

/** Puts objects under keys that no file could have. */
async function putKeys(objects: Record<string, string>): Promise<void> {
  const store = await openStore({ drives: ["d1", "d2", "d3"].map((name) => world.at(name)), threads: 0 });
  const results = await store.bucket("files").putMany(Object.entries(objects).map(([key, body]) => ({ key, body })));
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
  await store.close();
}

const oddNames = [
  "plain",
  ".hidden",
  "-r",
  "with space",
  "new\nline",
  "tab\t",
  "quote'\"",
  "back\\slash",
  "star*?",
  "hf:",
  "ünï",
  "\u{1f468}\u200d\u{1f469}",
  "%2e%2e",
  "..dots..",
  "e\u0301",
];

describe("a tree", () => {
  it("comes out as it went in, whatever its names and sizes", async () => {
    const tree: Record<string, string | Uint8Array> = { "in/empty": "", "in/deep/er/big": Buffer.alloc(700_001, "big") };
    for (const [i, name] of oddNames.entries()) tree[i % 2 === 0 ? `in/${name}` : `in/${name}/${name}`] = name.repeat(i + 1);
    for (let i = 0; i < 600; i++) tree[`in/many/${i}`] = `${i}`;
    await writeTree(tree);
    const stored = await world.run(["cp", "-r", "in", "hf://files/some/where", "--json"]);
    expect(stored).toMatchObject({ code: 0, stderr: "" });
    expect(stored.document).toMatchObject({ files: Object.keys(tree).length, failed: 0, skipped: {}, failures: [] });
    const fetched = await world.run(["cp", "-r", "hf://files/some/where", "new/out"]);
    expect(fetched).toMatchObject({ code: 0, stderr: "" });
    expect(fetched.stdout).toMatch(/^copied 617 files, /);
    expect(await readTree("new/out")).toEqual(await readTree("in"));
    expect((await world.run(["cp", "-r", "hf://files", "all"])).code).toBe(0);
    expect(await readTree("all/some/where")).toEqual(await readTree("in"));
  });

  it("goes in without its links, and without the drives of the store", async () => {
    await writeTree({ "in/a": "a" });
    await symlink("a", world.at("in/link"));
    await symlink(world.folder, world.at("in/loop"));
    expect((await world.run(["cp", "-r", ".", "hf://files", "--json"])).document).toMatchObject({
      files: 2,
      skipped: { links: 2, "drives of this store": 3 },
    });
    expect((await world.run(["ls", "-r", "files"])).stdout).toBe("holdfast.json\nin/a\n");
  });

  it("goes in as far as it can", async () => {
    const deep = Array.from({ length: 5 }, () => "d".repeat(220)).join("/");
    await writeTree({ "in/a": "a", [`in/${deep}`]: "too long a key", "in/z": "z" });
    const result = await world.run(["cp", "-r", "in", "hf://files", "--json"]);
    expect(result.code).toBe(1);
    expect(result.document).toMatchObject({ files: 2, failed: 1, failures: [{ name: deep, error: { code: "KEY_INVALID" } }] });
    expect(JSON.parse(result.stderr)).toMatchObject({ name: deep, error: { code: "KEY_INVALID" } });
    expect((await world.run(["ls", "files"])).stdout).toBe("a\nz\n");
  });

  it.runIf(process.platform === "linux")("with names that are no UTF-8 goes in without them", async () => {
    await writeTree({ "in/a": "a", "in/\ufffd": "really so" });
    await writeFile(Buffer.concat([Buffer.from(`${world.at("in")}/`), Buffer.from([0xff])]), "x");
    const result = await world.run(["cp", "-r", "in", "hf://files", "--json"]);
    expect(result.document).toMatchObject({ files: 2, failed: 1, failures: [{ error: { code: "KEY_INVALID" } }] });
    expect((await world.run(["get", "files/\ufffd"])).stdout).toBe("really so");
  });

  it("goes in without the files that vanish or shrink before they are read", async () => {
    await writeTree({ "in/a": "a", "in/short": "s", "in/shortBig": Buffer.alloc(300_000) });
    const sizes = { a: 1, gone: 1, goneBig: 1_000_000, short: 2, shortBig: 300_001 };
    async function* entries(): AsyncGenerator<TreeEntry> {
      for (const [name, sizeBytes] of Object.entries(sizes)) yield { kind: "file", name, path: world.at("in", name), sizeBytes };
    }
    const store = await openStore({ memory: true, threads: 0 });
    const out = collectOutput();
    const transfer = new Transfer(out.context, "storing");
    const bucket = await store.createBucket("files");
    await importTree(entries(), transfer, { bucket, prefix: "", signal: out.context.io.signal });
    expect(await transfer.finish()).toBe(1);
    const { files, failed, failures } = JSON.parse(out.stdout());
    expect({ files, failed }).toEqual({ files: 1, failed: 4 });
    const codes = failures.map(({ name, error }: { name: string; error: { code: string } }) => `${name} ${error.code}`).sort();
    expect(codes).toEqual(["gone FILE_NOT_FOUND", "goneBig FILE_NOT_FOUND", "short BODY_LENGTH_MISMATCH", "shortBig BODY_LENGTH_MISMATCH"]);
    await store.close();
  });

  it("of nothing is nothing, and what is not there is told", async () => {
    await mkdir(world.at("in"));
    expect((await world.run(["cp", "-r", "in", "hf://files"])).stdout).toMatch(/^copied 0 files, /);
    expect(await world.run(["cp", "-r", "none", "hf://files"])).toMatchObject({ code: 3, errorCode: "FILE_NOT_FOUND" });
    expect(await world.run(["cp", "-r", "holdfast.json", "hf://files"])).toMatchObject({ code: 2 });
    expect(await world.run(["cp", "-r", "in", "hf://none"])).toMatchObject({ code: 3, errorCode: "BUCKET_NOT_FOUND" });
    expect(await world.run(["cp", "-r", "hf://none", "out"])).toMatchObject({ code: 3, errorCode: "BUCKET_NOT_FOUND" });
    expect(await world.run(["cp", "-r", "hf://files/none", "out"])).toMatchObject({ code: 3, errorCode: "OBJECT_NOT_FOUND" });
    expect(await world.run(["cp", "-r", "hf://files", "hf://files/x"])).toMatchObject({ code: 2 });
    expect(await world.run(["cp", "in", "hf://files"])).toMatchObject({ code: 2 });
  });

  it("shows a bar on a terminal", async () => {
    await writeTree({ "in/a": "a", "in/b": "b" });
    const { stderr, code } = await world.run(["cp", "-r", "in", "hf://files"], { terminal: true });
    expect(code).toBe(0);
    expect(stderr).toMatch(/storing .*2 of 2 files/);
  });
});

describe("keys that are no paths", () => {
  it("are refused and counted, the others come out, nothing is written outside", async () => {
    await writeTree({ "top/keep": "untouched" });
    await putKeys({
      "t/../../escaped": "x",
      "t//etc/absolute": "x",
      "t/a/../../../escaped": "x",
      "t/nul\0name": "x",
      "t/./dot": "x",
      [`t/${"n".repeat(256)}`]: "x",
      "t/": "x",
      "t/content/": "x",
      "t/file": "x",
      "t/file/below": "x",
      "t/file-2": "x",
      "t/made/": "",
      "t/made/in": "x",
    });
    const result = await world.run(["cp", "-r", "hf://files/t", "top/out", "--json"]);
    expect(result.code).toBe(1);
    expect(await readTree("top")).toEqual({ keep: "untouched", "out/file": "x", "out/file-2": "x", "out/made/in": "x" });
    expect(existsSync(world.at("escaped"))).toBe(false);
    expect(result.document).toMatchObject({ files: 4, failed: 9 });
    expect(result.document.failures.every(({ error }: { error: { code: string } }) => error.code === "FILE_INVALID")).toBe(true);
  });

  it("do not lead out through links that are in the way", async () => {
    await writeTree({ "outside/keep": "untouched", "out/real/x": "there" });
    await symlink("../outside", world.at("out/link"));
    await symlink("../outside/keep", world.at("out/file"));
    await putKeys({ "link/keep": "new", "link/deep/er": "new", file: "new", "real/y": "y" });
    const result = await world.run(["cp", "-r", "hf://files", "out", "--json"]);
    expect(result.document).toMatchObject({ files: 1, failed: 3 });
    expect(await readTree("outside")).toEqual({ keep: "untouched" });
    const again = await world.run(["cp", "-r", "--overwrite", "hf://files", "out", "--json"]);
    expect(again.document).toMatchObject({ files: 2, failed: 2 });
    expect(await readTree("outside")).toEqual({ keep: "untouched" });
    expect((await lstat(world.at("out/file"))).isFile()).toBe(true);
  });

  it("replace files only when told to, and never folders", async () => {
    await writeTree({ "out/a": "old", "out/b/c": "old" });
    await putKeys({ a: "new", b: "new" });
    expect(await world.run(["cp", "-r", "hf://files", "out"])).toMatchObject({ code: 1, errorCode: "FILE_EXISTS" });
    expect(await readTree("out")).toEqual({ a: "old", "b/c": "old" });
    expect((await world.run(["cp", "-r", "--overwrite", "hf://files", "out", "--json"])).document).toMatchObject({ files: 1, failed: 1 });
    expect(await readTree("out")).toEqual({ a: "new", "b/c": "old" });
  });
});

describe("a single file", () => {
  it("goes in and out without -r", async () => {
    await writeTree({ one: "1" });
    expect((await world.run(["cp", "one", "hf://files/x/"])).code).toBe(0);
    expect((await world.run(["cp", "./one", "hf://files"])).code).toBe(0);
    expect((await world.run(["ls", "-r", "files"])).stdout).toBe("one\nx/one\n");
    expect((await world.run(["cp", "hf://files/x/one", "back"])).code).toBe(0);
    expect(await readFile(world.at("back"), "utf8")).toBe("1");
    expect(await world.run(["cp", "hf://files/x/one", "back"])).toMatchObject({ code: 4, errorCode: "FILE_EXISTS" });
    expect(await world.run(["cp", "hf://files/none", "none"])).toMatchObject({ code: 3, errorCode: "OBJECT_NOT_FOUND" });
    expect(await world.run(["cp", "none", "hf://files/none"])).toMatchObject({ code: 3, errorCode: "FILE_NOT_FOUND" });
  });
});
