/** A short show, as a user runs it, and the picture by itself. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bytesOf } from "./bodies.mjs";
import { Ledger } from "./ledger.mjs";
import { drawPicture } from "./picture.mjs";

const main = path.join(import.meta.dirname, "main.mjs");
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "holdfast-example-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** @param {readonly string[]} args @returns {Promise<{ code: number; stdout: string; stderr: string }>} */
function run(args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env: { ...process.env, INIT_CWD: folder } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test("nothing is lost in a short show, and its picture is drawn", { timeout: 240_000 }, async () => {
  const { code, stdout, stderr } = await run(["--seconds", "8", "--seed", "5", "--data", "drives"]);
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("Nothing is lost");
  for (const event of [
    "destroyed",
    "bits flipped",
    "killed with SIGKILL",
    "replaced by an empty directory",
    "replaced by new drives",
    "rebuilt",
    "verified",
  ])
    expect(stdout).toContain(event);
  const svg = await readFile(path.join(folder, "pull-the-plug.svg"), "utf8");
  expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  expect(svg).toContain("killed with SIGKILL");
  expect((await readdir(path.join(folder, "drives"))).filter((name) => name.endsWith(".away"))).toHaveLength(2);
});

test("wrong arguments are told, and folders with something in them are left alone", async () => {
  expect(await run(["--frob"])).toMatchObject({ code: 2 });
  expect(await run(["--seconds", "0"])).toMatchObject({ code: 2 });
  await writeFile(path.join(folder, "mine"), "mine");
  const refused = await run(["--data", "."]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("is not empty");
  expect(await readdir(folder)).toEqual(["mine"]);
});

test("what the writer says decides what must be there", () => {
  const ledger = new Ledger();
  for (const line of ["begin 0 a 1 10", "done 0", "begin 0 a 2 20", "failed 0 DRIVE_FULL", "begin 1 b 3 30", "begin 2 c 4 -1", "done 2"])
    expect(ledger.take(line)).toBe(true);
  expect(ledger.take("status {}")).toBe(false);
  ledger.writerKilled();
  expect([...ledger.entries()]).toEqual([
    { key: "a", bodies: [{ seed: 1, size: 10 }] },
    { key: "c", bodies: [null] },
    { key: "b", bodies: [null, { seed: 3, size: 30 }] },
  ]);
  expect(ledger.acknowledged).toBe(2);
  expect(bytesOf({ seed: 1, size: 10 })).toEqual(bytesOf({ seed: 1, size: 10 }));
});

test("the picture steps where the redundancy does, and escapes what it is told", () => {
  const svg = drawPicture({
    title: "<title>",
    seconds: 10,
    parity: 2,
    drives: ["d1", "d2"],
    samples: [
      { atS: 0, redundancy: 2, drives: { d1: "online", d2: "online" } },
      { atS: 5, redundancy: 1, drives: { d1: "online" } },
    ],
    marks: [{ atS: 5, text: "d2 & more" }],
    down: [{ fromS: 1, toS: 2 }],
  });
  expect(svg).toContain("&lt;title&gt;");
  expect(svg).toContain("1. 5.0 s: d2 &amp; more");
  expect(svg).toContain('class="line" d="M96 100H96V100H516V175H936"');
  expect(svg).toContain("d2: gone");
});
