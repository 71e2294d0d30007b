import { mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeDriveContract, expectCode } from "../testing/drive-contract.ts";
import { makeTemporaryFolder } from "../testing/temporary-folder.ts";
import { type LocalDrive, openLocalDrive } from "./local-drive.ts";

for (const inFlightMax of [64, 1]) {
  describeDriveContract(`the local drive with ${inFlightMax} in flight`, async () => {
    const folder = await makeTemporaryFolder();
    const drive = await openLocalDrive(folder.path, { inFlightMax });
    return {
      drive,
      reopen: async () => {
        await drive.close();
        return openLocalDrive(folder.path, { inFlightMax });
      },
      cleanUp: async () => {
        await drive.close();
        await folder.remove();
      },
    };
  });
}

describe("the local drive", () => {
  let folder: Awaited<ReturnType<typeof makeTemporaryFolder>>;
  let drive: LocalDrive;
  beforeEach(async () => {
    folder = await makeTemporaryFolder();
    drive = await openLocalDrive(folder.path);
  });
  afterEach(async () => {
    await drive.close();
    await folder.remove();
  });

  test("a path that is not there, or not a directory, does not open", async () => {
    await expectCode(openLocalDrive(join(folder.path, "missing")), "DRIVE_NOT_FOUND");
    await writeFile(join(folder.path, "file"), "x");
    await expectCode(openLocalDrive(join(folder.path, "file")), "DRIVE_NOT_A_DIRECTORY");
    await expectCode(openLocalDrive(join(folder.path, "file", "below")), "DRIVE_NOT_A_DIRECTORY");
  });

  test("a symbolic link to a directory opens", async () => {
    await mkdir(join(folder.path, "real"));
    await symlink(join(folder.path, "real"), join(folder.path, "linked"), "junction");
    const linked = await openLocalDrive(join(folder.path, "linked"));
    await linked.replaceFile("label", Uint8Array.of(1));
    expect(await readdir(join(folder.path, "real"))).toContain("label");
    await linked.close();
  });

  test("clearUnfinished removes what a crash left in incoming", async () => {
    await mkdir(join(folder.path, "incoming", "x"), { recursive: true });
    await writeFile(join(folder.path, "incoming", `${process.pid}-1`), "left");
    await writeFile(join(folder.path, "incoming", "Other"), "left");
    expect(await drive.clearUnfinished()).toBe(3);
    expect(await readdir(join(folder.path, "incoming"))).toEqual([]);
    expect(await drive.clearUnfinished()).toBe(0);
  });

  test("finished, aborted, refused and replaced files leave nothing in incoming", async () => {
    await (await drive.create("b/1")).finish();
    await (await drive.create("b/2")).abort();
    await expectCode((await drive.create("b/1")).finish(), "FILE_EXISTS");
    await drive.replaceFile("label", Uint8Array.of(1));
    expect(await readdir(join(folder.path, "incoming"))).toEqual([]);
  });

  test("closing the drive aborts unfinished files", async () => {
    const file = await drive.create("b/1");
    await file.write([Uint8Array.of(1)]);
    await drive.close();
    expect(await readdir(join(folder.path, "incoming"))).toEqual([]);
  });

  test("what is not the drive's is in no listing", async () => {
    for (const name of [".DS_Store", "Thumbs.db", "lock.00000001", "lost+found", "desktop.ini "])
      await writeFile(join(folder.path, name), "x");
    await drive.replaceFile("label", Uint8Array.of(1));
    expect(await drive.list("")).toEqual(["label"]);
    expect(await drive.listFolders("")).toEqual([]);
  });

  test("a drive whose directory has gone is DRIVE_UNREADABLE, not without files", async () => {
    await drive.replaceFile("b/1", Uint8Array.of(1));
    await rm(folder.path, { recursive: true });
    await expectCode(drive.readFile("b/1"), "DRIVE_UNREADABLE");
    await expectCode(drive.list("b"), "DRIVE_UNREADABLE");
    await expectCode(drive.list(""), "DRIVE_UNREADABLE");
    await expectCode(drive.remove("b/1"), "DRIVE_UNREADABLE");
    await expectCode(drive.open("b/1", { create: false }), "DRIVE_UNREADABLE");
    await expectCode(drive.open("b/2", { create: true }), "DRIVE_UNREADABLE");
  });

  test("details of an error name the drive, the path and what the system said", async () => {
    await mkdir(join(folder.path, "b", "1"), { recursive: true });
    const error: unknown = await drive.replaceFile("b/1", Uint8Array.of(1)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "DRIVE_IO_ERROR", details: { drive: folder.path, path: `${folder.path}/b/1`, syscall: "rename" } });
    // replaceFile failed for no lack of space: the drive is fenced off, and reads go on.
    expect(drive.failure).toBe(error);
    await expectCode(drive.replaceFile("c", Uint8Array.of(1)), "DRIVE_FAILED");
    await expectCode(drive.create("c"), "DRIVE_FAILED");
    await expectCode(drive.remove("c"), "DRIVE_FAILED");
    expect(await drive.list("")).toEqual([]);
  });
});
