/**
 * The behaviour of every `Drive`, sentence by sentence of the interface: run it for each implementation and each decorator.
 *
 * What only a broken drive can show (a sync that fails) is in the fault drive's own tests, power cuts are the simulator's.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Drive } from "../drive/drive.ts";
import { bytesOf, type DriveUnderTest, expectCode, makeFile } from "./contract-tools.ts";
import { filesInPlace, newFiles, overlap } from "./drive-contract-files.ts";

export { type DriveUnderTest, expectCode } from "./contract-tools.ts";
export { describeFullDrive } from "./full-drive-contract.ts";

/** Declares the tests of the contract for one kind of drive. */
export function describeDriveContract(name: string, makeDrive: () => Promise<DriveUnderTest>): void {
  describe(`${name} keeps the drive contract`, () => {
    let under: DriveUnderTest;
    let drive: Drive;
    beforeEach(async () => {
      under = await makeDrive();
      drive = under.drive;
    });
    afterEach(() => under.cleanUp());

    describe("small files", () => smallFiles(() => drive));
    describe("names and folders", () => namesAndFolders(() => drive));
    describe("files in place", () => filesInPlace(() => drive));
    describe("overlap", () => overlap(() => drive));
    describe("new files", () => newFiles(() => drive));
    describe("life", () => life(() => under));
  });
}

function smallFiles(drive: () => Drive): void {
  test("replaceFile puts and replaces content", async () => {
    await drive().replaceFile("label", bytesOf(1, 2, 3));
    await drive().replaceFile("label", bytesOf(4));
    expect(await drive().readFile("label")).toEqual(bytesOf(4));
    expect(await drive().list("")).toEqual(["label"]);
  });

  test("an empty file is a file", async () => {
    await drive().replaceFile("a/empty", new Uint8Array(0));
    expect(await drive().readFile("a/empty")).toEqual(new Uint8Array(0));
  });

  test("a file that is not there is FILE_NOT_FOUND", async () => {
    await expectCode(drive().readFile("label"), "FILE_NOT_FOUND");
    await expectCode(drive().readFile("no/such/file"), "FILE_NOT_FOUND");
    await expectCode(drive().open("packs/0001", { create: false }), "FILE_NOT_FOUND");
  });

  test("what was read does not change with the file", async () => {
    await drive().replaceFile("label", bytesOf(1, 2, 3));
    const before = await drive().readFile("label");
    await drive().replaceFile("label", bytesOf(9, 9, 9));
    expect(before).toEqual(bytesOf(1, 2, 3));
  });

  test("a buffer is the caller's again when the call has settled", async () => {
    const buffer = bytesOf(1, 2, 3);
    await drive().replaceFile("label", buffer);
    const file = await drive().open("log", { create: true });
    await file.writeDurable(0, [buffer]);
    expect(buffer).toEqual(bytesOf(1, 2, 3));
    buffer.fill(0);
    expect(await drive().readFile("label")).toEqual(bytesOf(1, 2, 3));
    expect(await drive().readFile("log")).toEqual(bytesOf(1, 2, 3));
    await file.close();
  });
}

function namesAndFolders(drive: () => Drive): void {
  test("listings are sorted, tell files from folders and do not descend", async () => {
    for (const file of ["p/b", "p/a", "p/c/d", "p/c/e/f", "q/x", "p/10", "p/9"]) await drive().replaceFile(file, bytesOf(1));
    expect(await drive().list("p")).toEqual(["10", "9", "a", "b"]);
    expect(await drive().listFolders("p")).toEqual(["c"]);
    expect(await drive().listFolders("p/c")).toEqual(["e"]);
    expect(await drive().list("p/c/e")).toEqual(["f"]);
    expect(await drive().listFolders("")).toEqual(["p", "q"]);
    expect(await drive().list("")).toEqual([]);
  });

  test("a folder that is not there lists as empty", async () => {
    expect(await drive().list("packs")).toEqual([]);
    expect(await drive().listFolders("packs/0001")).toEqual([]);
  });

  test("unfinished files are in no listing", async () => {
    const file = await drive().create("blobs/a");
    await file.write([bytesOf(1)]);
    expect(await drive().list("blobs")).toEqual([]);
    expect(await drive().list("")).toEqual([]);
    expect(await drive().listFolders("")).not.toContain("incoming");
    await file.abort();
  });

  test.each(["", "/a", "a/", "a//b", "A", "a b", "..", "a/../b", ".hidden", "a.", "ä", "1/2/3/4/5", "incoming/a", "lock.00000001"])(
    "%j is no name",
    async (name) => {
      await expect(drive().readFile(name)).rejects.toThrow("invariant");
      await expect(drive().replaceFile(name, bytesOf(1))).rejects.toThrow("invariant");
    },
  );

  test("remove takes a file away, and is content when there is none", async () => {
    await drive().replaceFile("p/a", bytesOf(1));
    await drive().remove("p/a");
    await drive().remove("p/a");
    await drive().remove("no/such/file");
    await expectCode(drive().readFile("p/a"), "FILE_NOT_FOUND");
    expect(await drive().list("p")).toEqual([]);
  });

  test("removeFolder takes a folder without files and leaves one with files alone", async () => {
    await drive().replaceFile("p/q/a", bytesOf(1));
    await drive().removeFolder("p");
    expect(await drive().readFile("p/q/a")).toEqual(bytesOf(1));
    await drive().remove("p/q/a");
    expect(await drive().listFolders("p")).toEqual(["q"]);
    await drive().removeFolder("p");
    await drive().removeFolder("p");
    expect(await drive().listFolders("")).toEqual([]);
  });

  test("a folder comes back when it is needed again", async () => {
    await drive().replaceFile("p/q/a", bytesOf(1));
    await drive().remove("p/q/a");
    await drive().removeFolder("p/q");
    await makeFile(drive(), "p/q/b", bytesOf(2));
    expect(await drive().list("p/q")).toEqual(["b"]);
  });
}

function life(under: () => DriveUnderTest): void {
  test("what was durable is there after reopening, what was unfinished is not", async () => {
    const { drive } = under();
    await drive.replaceFile("label", bytesOf(1));
    await makeFile(drive, "b/1", bytesOf(2));
    const log = await drive.open("packs/0001", { create: true });
    await log.writeDurable(10, [bytesOf(3)]);
    const unfinished = await drive.create("b/2");
    await unfinished.write([bytesOf(4)]);
    const again = await under().reopen();
    expect(await again.readFile("label")).toEqual(bytesOf(1));
    expect(await again.readFile("b/1")).toEqual(bytesOf(2));
    expect(await again.readFile("packs/0001")).toEqual(bytesOf(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3));
    expect(await again.list("b")).toEqual(["1"]);
    await again.close();
  });

  test("a closed drive refuses everything, its files too", async () => {
    const { drive } = under();
    const file = await drive.open("log", { create: true });
    await drive.close();
    await expectCode(drive.readFile("log"), "STORE_CLOSED");
    await expectCode(drive.replaceFile("log", bytesOf(1)), "STORE_CLOSED");
    await expectCode(file.write(0, [bytesOf(1)]), "STORE_CLOSED");
  });

  test("space is told in bytes", async () => {
    const space = await under().drive.space();
    expect(space.totalBytes).toBeGreaterThan(0);
    expect(space.freeBytes).toBeGreaterThanOrEqual(0);
    expect(space.freeBytes).toBeLessThanOrEqual(space.totalBytes);
  });

  test("a drive says where it is and has not failed", () => {
    expect(under().drive.location).not.toBe("");
    expect(under().drive.failure).toBeUndefined();
  });
}
