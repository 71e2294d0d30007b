import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { expectCode } from "../testing/drive-contract.ts";
import { makeTemporaryFolder } from "../testing/temporary-folder.ts";
import { lockDrive, thisProcess } from "./lock-drive.ts";
import { makeDriveDirectory, probeDrive } from "./probe-drive.ts";

let folder: Awaited<ReturnType<typeof makeTemporaryFolder>>;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(() => folder.remove());

test("an empty directory is readable, writable and stays empty", async () => {
  const probe = await probeDrive(folder.path);
  expect(probe).toMatchObject({ path: folder.path, problem: undefined, writeProblem: undefined, empty: true, foundNames: [] });
  expect(await readdir(folder.path)).toEqual([]);
});

test("what the system puts into directories, and a lock, leave it empty", async () => {
  for (const name of [".DS_Store", ".Trash-0", "Thumbs.db"]) await writeFile(join(folder.path, name), "x");
  await mkdir(join(folder.path, "lost+found"));
  await (await lockDrive(folder.path, await thisProcess())).release();
  expect((await probeDrive(folder.path)).empty).toBe(true);
});

test("a directory with other files is not empty, and some are named", async () => {
  await writeFile(join(folder.path, "letter.txt"), "x");
  expect(await probeDrive(folder.path)).toMatchObject({ empty: false, foundNames: ["letter.txt"] });
});

test("missing, a file, below a file", async () => {
  await writeFile(join(folder.path, "file"), "x");
  expect((await probeDrive(join(folder.path, "missing"))).problem?.code).toBe("DRIVE_NOT_FOUND");
  expect((await probeDrive(join(folder.path, "file"))).problem?.code).toBe("DRIVE_NOT_A_DIRECTORY");
  expect((await probeDrive(join(folder.path, "file", "below"))).problem?.code).toBe("DRIVE_NOT_A_DIRECTORY");
});

test("two names of one directory have one real path, and one file system", async () => {
  await mkdir(join(folder.path, "d1"));
  await symlink(join(folder.path, "d1"), join(folder.path, "d2"), "junction");
  const [one, two] = await Promise.all([probeDrive(join(folder.path, "d1")), probeDrive(join(folder.path, "d2"))]);
  expect(one.realPath).toBe(two.realPath);
  expect(one.path).not.toBe(two.path);
  expect(one.fileSystem).toBe(two.fileSystem);
});

test("makeDriveDirectory makes it with its parents, and is content when it is there", async () => {
  const path = join(folder.path, "a", "b", "c");
  await makeDriveDirectory(path);
  await makeDriveDirectory(path);
  expect((await probeDrive(path)).empty).toBe(true);
  await writeFile(join(folder.path, "file"), "x");
  await expectCode(makeDriveDirectory(join(folder.path, "file")), "DRIVE_NOT_A_DIRECTORY");
  await expectCode(makeDriveDirectory(join(folder.path, "file", "below")), "DRIVE_NOT_A_DIRECTORY");
});
