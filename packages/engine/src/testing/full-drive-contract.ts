/** What a drive without space left still promises. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Drive } from "../drive/drive.ts";
import { bytesOf, type DriveUnderTest, expectCode, makeFile } from "./contract-tools.ts";

/** Declares the tests of running out of space, for drives that can be made small (about 1 MiB). */
export function describeFullDrive(name: string, makeSmallDrive: () => Promise<DriveUnderTest>): void {
  describe(`${name} refuses cleanly when it is full`, () => {
    let under: DriveUnderTest;
    let drive: Drive;
    beforeEach(async () => {
      under = await makeSmallDrive();
      drive = under.drive;
    });
    afterEach(() => under.cleanUp());
    const large = (): Uint8Array[] => Array.from({ length: 40 }, () => new Uint8Array(128 * 1024).fill(1));

    test.each(["write", "writeDurable"] as const)(
      "%s is DRIVE_FULL, leaves the file readable and takes the space back with a cut",
      async (method) => {
        const file = await drive.open("log", { create: true });
        await file.writeDurable(0, [bytesOf(1, 2, 3)]);
        await expectCode(file[method](3, large()), "DRIVE_FULL");
        expect(drive.failure).toBeUndefined();
        await file.truncate(3);
        expect(await drive.readFile("log")).toEqual(bytesOf(1, 2, 3));
        await file[method](3, [bytesOf(4)]);
        await file.sync();
        expect(await drive.readFile("log")).toEqual(bytesOf(1, 2, 3, 4));
        await file.close();
      },
    );

    test("a new file is DRIVE_FULL, and aborting it gives the space back", async () => {
      const file = await drive.create("b/1");
      await expectCode(file.write(large()), "DRIVE_FULL");
      await file.abort();
      expect(drive.failure).toBeUndefined();
      await makeFile(drive, "b/2", new Uint8Array(300 * 1024));
      expect(await drive.list("b")).toEqual(["2"]);
    });

    test("replaceFile is DRIVE_FULL, keeps the old content and does not fail the drive", async () => {
      await drive.replaceFile("label", bytesOf(1));
      await expectCode(drive.replaceFile("label", new Uint8Array(4 << 20)), "DRIVE_FULL");
      expect(await drive.readFile("label")).toEqual(bytesOf(1));
      expect(drive.failure).toBeUndefined();
      await drive.replaceFile("label", bytesOf(2));
    });

    test("a full drive can be read and emptied", async () => {
      const file = await drive.open("log", { create: true });
      await file.write(0, [new Uint8Array(200_000).fill(3)]);
      await expectCode(file.write(200_000, large()), "DRIVE_FULL");
      const into = new Uint8Array(200_000);
      expect(await file.read(0, into)).toBe(200_000);
      await file.close();
      await drive.remove("log");
      await makeFile(drive, "b/1", new Uint8Array(300 * 1024));
    });
  });
}
