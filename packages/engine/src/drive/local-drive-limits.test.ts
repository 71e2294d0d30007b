/** The local drive on a file system that is full, or mounted for reading only. */
import { describe, expect, test } from "vitest";
import { describeFullDrive, expectCode } from "../testing/drive-contract.ts";
import { mountSmall, type SmallMount, whyNoMounts } from "../testing/small-mount.ts";
import { openLocalDrive } from "./local-drive.ts";
import { lockDrive, thisProcess } from "./lock-drive.ts";
import { probeDrive } from "./probe-drive.ts";

const reason = await whyNoMounts();

if (reason === undefined) {
  describeFullDrive("the local drive on a small file system", async () => {
    const mount = await mountSmall(1 << 20);
    const drive = await openLocalDrive(mount.path);
    return {
      drive,
      reopen: () => openLocalDrive(mount.path),
      cleanUp: async () => {
        await drive.close();
        await mount.remove();
      },
    };
  });
  describe("the local drive on a file system mounted for reading", readOnly);
} else {
  test(`full and read-only file systems are not tried here: ${reason}`, () => {});
}

function readOnly(): void {
  async function withReadOnly(body: (mount: SmallMount) => Promise<void>): Promise<void> {
    const mount = await mountSmall(1 << 20);
    try {
      const drive = await openLocalDrive(mount.path);
      await drive.replaceFile("packs/0001", Uint8Array.of(1, 2, 3));
      await drive.close();
      await mount.remount("ro");
      await body(mount);
    } finally {
      await mount.remove();
    }
  }

  test("everything is readable", () =>
    withReadOnly(async (mount) => {
      const drive = await openLocalDrive(mount.path);
      expect(await drive.readFile("packs/0001")).toEqual(Uint8Array.of(1, 2, 3));
      expect(await drive.list("packs")).toEqual(["0001"]);
      const file = await drive.open("packs/0001", { create: false });
      const into = new Uint8Array(3);
      expect(await file.read(0, into)).toBe(3);
      expect(into).toEqual(Uint8Array.of(1, 2, 3));
      await drive.close();
    }));

  test("every change is DRIVE_UNWRITABLE", () =>
    withReadOnly(async (mount) => {
      const drive = await openLocalDrive(mount.path);
      const file = await drive.open("packs/0001", { create: false });
      await expectCode(file.write(0, [Uint8Array.of(9)]), "DRIVE_UNWRITABLE");
      await expectCode(file.writeDurable(0, [Uint8Array.of(9)]), "DRIVE_UNWRITABLE");
      await expectCode(file.truncate(0), "DRIVE_UNWRITABLE");
      await expectCode(drive.open("packs/0002", { create: true }), "DRIVE_UNWRITABLE");
      await expectCode(drive.create("blobs/1"), "DRIVE_UNWRITABLE");
      await expectCode(drive.remove("packs/0001"), "DRIVE_UNWRITABLE");
      await expectCode(drive.replaceFile("label", Uint8Array.of(9)), "DRIVE_UNWRITABLE");
      expect(await drive.readFile("packs/0001")).toEqual(Uint8Array.of(1, 2, 3));
      await drive.close();
    }));

  test("the probe says so, and it cannot be locked", () =>
    withReadOnly(async (mount) => {
      const probe = await probeDrive(mount.path);
      expect(probe.problem).toBeUndefined();
      expect(probe.writeProblem?.code).toBe("DRIVE_UNWRITABLE");
      await expectCode(lockDrive(mount.path, await thisProcess()), "DRIVE_UNWRITABLE");
    }));
}
