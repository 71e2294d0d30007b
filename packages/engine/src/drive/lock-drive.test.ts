import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type CompiledScript, compileForChild } from "../testing/compile-for-child.ts";
import { expectCode } from "../testing/drive-contract.ts";
import { makeTemporaryFolder } from "../testing/temporary-folder.ts";
import { lockDrive, thisProcess } from "./lock-drive.ts";

let script: CompiledScript;
let folder: Awaited<ReturnType<typeof makeTemporaryFolder>>;
beforeAll(async () => {
  script = await compileForChild("testing/lock-child.ts");
});
afterAll(() => script.remove());
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(() => folder.remove());

function startChild(...args: string[]): ChildProcess {
  return spawn(process.execPath, [script.path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

async function lockFiles(): Promise<string[]> {
  return (await readdir(folder.path)).filter((name) => name.startsWith("lock.")).sort();
}

/** Changes the content of the only lock file, as if another process had written it. */
async function editLock(change: (holder: Record<string, unknown>) => void): Promise<void> {
  const [name = ""] = await lockFiles();
  const content = JSON.parse(await readFile(join(folder.path, name), "utf8")) as { holder: Record<string, unknown> };
  change(content.holder);
  await writeFile(join(folder.path, name), JSON.stringify(content));
}

test("the lock is had once, and again after its release", async () => {
  const holder = await thisProcess();
  const lock = await lockDrive(folder.path, holder);
  await expectCode(lockDrive(folder.path, holder), "STORE_LOCKED");
  await lock.release();
  const again = await lockDrive(folder.path, holder);
  expect(await lockFiles()).toEqual(["lock.00000002"]);
  await again.release();
  expect(await lockFiles()).toEqual(["lock.00000002"]);
});

test("the refusal names the holder", async () => {
  const holder = await thisProcess();
  const lock = await lockDrive(folder.path, holder);
  const error: unknown = await lockDrive(folder.path, holder).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "STORE_LOCKED",
    details: { pid: process.pid, host: holder.host, since: holder.since, path: lock.path },
  });
  await lock.release();
});

test("releasing twice gives up only what is still ours", async () => {
  const holder = await thisProcess();
  const lock = await lockDrive(folder.path, holder);
  await lock.release();
  const next = await lockDrive(folder.path, { ...holder, since: "later" });
  await lock.release();
  await expectCode(lockDrive(folder.path, holder), "STORE_LOCKED");
  await next.release();
});

test("racing processes never own the drive together", async () => {
  const children = [1, 2, 3].map(() => startChild("race", folder.path, "25"));
  expect(await Promise.all(children.map(exitCode))).toEqual([0, 0, 0]);
  expect((await lockFiles()).length).toBe(1);
});

test("many at once in one process: one has it", async () => {
  const holder = await thisProcess();
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lockDrive(folder.path, holder)));
  expect(outcomes.filter((outcome) => outcome.status === "fulfilled").length).toBe(1);
});

test("a killed holder is succeeded, a living one is not", async () => {
  const child = startChild("hold", folder.path);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  const error: unknown = await lockDrive(folder.path, await thisProcess()).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "STORE_LOCKED", details: { pid: child.pid } });
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = await lockDrive(folder.path, await thisProcess());
  expect(await lockFiles()).toEqual(["lock.00000002"]);
  await lock.release();
});

test("a process that got the dead holder's id does not hold the lock", async () => {
  const holder = await thisProcess();
  await lockDrive(folder.path, holder);
  if (holder.processStart === undefined) return;
  await editLock((content) => {
    content.processStart = "1";
  });
  await (await lockDrive(folder.path, holder)).release();
});

test("a holder from before a restart of the machine is gone", async () => {
  const holder = await thisProcess();
  await lockDrive(folder.path, { ...holder, bootId: "another boot" });
  if (holder.bootId === undefined) return;
  await (await lockDrive(folder.path, holder)).release();
});

test("a holder on another host counts as living", async () => {
  const holder = await thisProcess();
  await lockDrive(folder.path, { ...holder, host: "elsewhere.example", pid: 1 });
  const error: unknown = await lockDrive(folder.path, holder).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "STORE_LOCKED", details: { pid: 1, host: "elsewhere.example" } });
  expect((error as Error).message).toContain(join(folder.path, "lock.00000001"));
});

test.each(["", "{", "null", '{"version":1,"state":"held"}', "\u0000\u0000"])(
  "a lock file with damaged content %j is taken over",
  async (text) => {
    await writeFile(join(folder.path, "lock.00000007"), text);
    const lock = await lockDrive(folder.path, await thisProcess());
    expect(await lockFiles()).toEqual(["lock.00000008"]);
    await lock.release();
  },
);

test("leftovers of crashed processes are cleared, other files are not touched", async () => {
  for (const name of ["lock.tmp-abc", "lock.probe-1-1", "lock.00000003", "label", "locks"]) await writeFile(join(folder.path, name), "x");
  const lock = await lockDrive(folder.path, await thisProcess());
  expect((await readdir(folder.path)).sort()).toEqual(["label", "lock.00000004", "locks"]);
  await lock.release();
});

test("a directory that is not there cannot be locked", async () => {
  await expectCode(lockDrive(join(folder.path, "missing"), await thisProcess()), "DRIVE_NOT_FOUND");
});
