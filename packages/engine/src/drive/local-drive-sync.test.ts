/**
 * The local drive on a device that accepts writes and fails to sync them, as a thin or dying one does; and on an ext4 that is really
 * full, which must not be mistaken for it: there no sync has failed.
 */
import { expect, test } from "vitest";
import { describeFullDrive, expectCode } from "../testing/drive-contract.ts";
import { mountThin, type SmallMount, whyNoMounts } from "../testing/small-mount.ts";
import { openLocalDrive } from "./local-drive.ts";

const thin = { deviceBytes: 64 << 20, backingBytes: 12 << 20 };
const reason =
  (await whyNoMounts()) ??
  (await mountThin(thin).then(
    (mount) => mount.remove(),
    (error: Error) => `no thin device can be made here: ${error.message.split("\n")[0]}`,
  ));

async function onThinDevice(body: (mount: SmallMount) => Promise<void>): Promise<void> {
  const mount = await mountThin(thin);
  try {
    await body(mount);
  } finally {
    await mount.remove();
  }
}

if (typeof reason === "string") {
  test(`failing syncs are not tried here: ${reason}`, () => {});
} else {
  describeFullDrive("the local drive on a small ext4", async () => {
    const mount = await mountThin({ deviceBytes: 4 << 20, backingBytes: 32 << 20 });
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

  test.each(["writeDurable", "sync", "finish"] as const)("%s on it fails the drive, and what was durable stays readable", (operation) =>
    onThinDevice(async (mount) => {
      const drive = await openLocalDrive(mount.path);
      await drive.replaceFile("label", Uint8Array.of(1, 2, 3));
      const log = await drive.open("log", { create: true });
      const fresh = await drive.create("blobs/1");
      const piece = [new Uint8Array(1 << 20).fill(7)];
      const attempt = async (): Promise<void> => {
        for (let round = 0; round < 32; round++) {
          if (operation === "finish") await fresh.write(piece);
          else if (operation === "writeDurable") await log.writeDurable(round << 20, piece);
          else await log.write(round << 20, piece);
        }
        await (operation === "finish" ? fresh.finish() : log.sync());
      };
      await expectCode(attempt(), "DRIVE_IO_ERROR", "DRIVE_FULL");
      expect(drive.failure).toMatchObject({ kind: expect.any(String) });
      await expectCode(log.sync(), "DRIVE_FAILED");
      await expectCode(drive.replaceFile("label", Uint8Array.of(9)), "DRIVE_FAILED");
      expect(await drive.readFile("label")).toEqual(Uint8Array.of(1, 2, 3));
      await drive.close();
    }),
  );
}
