/** The built command as a process: its streams, its signals, and other processes beside it. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../src/base/clock.ts";
import { makeTemporaryFolder } from "../src/testing/temporary-folder.ts";

const command = fileURLToPath(new URL("../bin/holdfast.js", import.meta.url));
let folder: Awaited<ReturnType<typeof makeTemporaryFolder>>;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await run("init", "d1", "d2", "d3");
  await run("mb", "files");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await folder.remove();
});

function run(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { cwd: folder.path }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function start(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [command, ...args], { cwd: folder.path, stdio: ["pipe", "pipe", "pipe"] });
  // It may end without reading all it was given.
  child.stdin?.on("error", () => undefined);
  children.push(child);
  return child;
}

/** Waits until a command has the store open: until its id is in the lock of every drive. */
async function untilOpen(child: ChildProcess): Promise<void> {
  for (const drive of ["d1", "d2", "d3"]) {
    while (!(await holdersOf(drive)).includes(child.pid)) await systemClock.sleep(20);
  }
}

/** The processes that hold a drive: one at most. Lock files come and go while they are read. */
async function holdersOf(drive: string): Promise<(number | undefined)[]> {
  const names = (await readdir(join(folder.path, drive))).filter((name) => /^lock[.]\d+$/.test(name));
  const texts = await Promise.all(names.map((name) => readFile(join(folder.path, drive, name), "utf8").catch(() => "{}")));
  return texts.map((text) => JSON.parse(text)).map(({ state, holder }) => (state === "held" ? holder.pid : undefined));
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  const pieces: Buffer[] = [];
  child.stderr?.on("data", (piece: Buffer) => pieces.push(piece));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stderr: Buffer.concat(pieces).toString() };
}

describe("the built command", () => {
  it("stores and fetches trees and streams", async () => {
    await mkdir(join(folder.path, "in/sub"), { recursive: true });
    await writeFile(join(folder.path, "in/a"), "a");
    const big = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31) >> 3));
    await writeFile(join(folder.path, "in/sub/big"), big);
    expect(await run("cp", "-r", "in", "hf://files/t")).toMatchObject({ code: 0, stderr: "" });
    expect(await run("cp", "-r", "hf://files/t", "out")).toMatchObject({ code: 0, stderr: "" });
    expect((await readFile(join(folder.path, "out/sub/big"))).equals(big)).toBe(true);
    expect(await run("get", "files/t/a")).toEqual({ code: 0, stdout: "a", stderr: "" });
    expect(await run("get", "files/t/b")).toMatchObject({ code: 3, stdout: "" });
    expect(await run("verify")).toMatchObject({ code: 0 });
  });

  it("takes stdin as it comes", async () => {
    const child = start(["put", "-", "files/slow"]);
    child.stdin?.write("first ");
    await untilOpen(child);
    child.stdin?.end("second");
    expect(await ended(child)).toEqual({ code: 0, stderr: "" });
    expect((await run("get", "files/slow")).stdout).toBe("first second");
  });
});

describe("two processes", () => {
  it("do not open one store: the second is told who has it", async () => {
    const child = start(["put", "-", "files/held"]);
    await untilOpen(child);
    const second = await run("ls", "--json");
    expect(second.code).toBe(5);
    expect(JSON.parse(second.stderr).error).toMatchObject({ code: "STORE_LOCKED", details: { pid: child.pid } });
    child.stdin?.end("done");
    expect((await ended(child)).code).toBe(0);
    expect((await run("ls", "files")).stdout).toBe("held\n");
  });
});

describe("the end of a process", () => {
  it("a reader that stops reading ends it quietly", async () => {
    const names = Array.from({ length: 3000 }, (_, i) => `${"long-name-".repeat(10)}${i}`);
    await mkdir(join(folder.path, "many"));
    for (const name of names) await writeFile(join(folder.path, "many", name), "");
    await run("cp", "-r", "many", "hf://files");
    const child = start(["ls", "-r", "files"]);
    child.stdout?.once("data", () => child.stdout?.destroy());
    expect(await ended(child)).toEqual({ code: 0, stderr: "" });
    expect((await run("ls")).stdout).toBe("files\n");
  });

  it("SIGINT leaves the store closed and nothing half-written", async () => {
    const child = start(["put", "-", "files/half"]);
    child.stdin?.write(Buffer.alloc(2_000_000, "x"));
    await untilOpen(child);
    child.kill("SIGINT");
    const { code, stderr } = await ended(child);
    expect(code).toBe(130);
    expect(stderr).toBe("holdfast: interrupted (ABORTED)\n");
    expect(await run("ls", "files")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await run("verify")).toMatchObject({ code: 0 });
  });
});
