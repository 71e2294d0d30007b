import { ok } from "node:assert";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "../base/clock.ts";
import { makeTemporaryFolder } from "./temporary-folder.ts";

/** A file system of its own, small enough to be filled by a test. */
export interface SmallMount {
  readonly path: string;
  remount(mode: "ro" | "rw"): Promise<void>;
  remove(): Promise<void>;
}

const run = promisify(execFile);

/** Mounts a file system in memory of `sizeBytes`. Works on Linux for root only: ask `whyNoMounts` before. */
export async function mountSmall(sizeBytes: number): Promise<SmallMount> {
  const folder = await makeTemporaryFolder();
  await run("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", folder.path]);
  return {
    path: folder.path,
    async remount(mode) {
      await run("mount", ["-o", `remount,${mode}`, folder.path]);
    },
    async remove() {
      await run("umount", ["-l", folder.path]);
      await folder.remove();
    },
  };
}

/** Why this machine cannot mount; undefined when it can. */
export async function whyNoMounts(): Promise<string | undefined> {
  if (process.platform !== "linux") return `mounting in memory is tried on Linux only, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "mounting takes root";
  return mountSmall(1 << 20).then(
    async (mount) => {
      await mount.remove();
      return undefined;
    },
    (error: Error) => `mount fails here: ${error.message.split("\n")[0]}`,
  );
}

/**
 * Mounts an ext4 of `deviceBytes` on a device that has room for `backingBytes` only: the file system believes in space that is not
 * there, so writes succeed and syncs fail. Takes root, `mkfs.ext4` and loop devices.
 */
export async function mountThin(options: { readonly deviceBytes: number; readonly backingBytes: number }): Promise<SmallMount> {
  const backing = await mountSmall(options.backingBytes);
  const image = join(backing.path, "image");
  const folder = await makeTemporaryFolder();
  try {
    await run("truncate", ["-s", String(options.deviceBytes), image]);
    await run("mkfs.ext4", ["-q", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", image]);
    await run("mount", ["-o", "loop", image, folder.path]);
  } catch (error) {
    await backing.remove();
    await folder.remove();
    throw error;
  }
  return {
    path: folder.path,
    async remount(mode) {
      await run("mount", ["-o", `remount,${mode}`, folder.path]);
    },
    async remove() {
      await run("umount", ["-l", folder.path]);
      await folder.remove();
      await backing.remove();
    },
  };
}

/** An ext4 on a loop device in memory, whose power can be cut (see `power-cut.ts`). */
export interface Ext4Mount extends SmallMount {
  /** Unmounts it and mounts it anew, as after a start of the machine. */
  mountAgain(): Promise<void>;
  /** Makes the file system fail and turn read-only at once, as ext4 does by itself on a damaged device. Only `mountAgain` ends it. */
  abort(): Promise<void>;
}

/** Neither the clock nor guesses about renames write anything that was not synced. */
const ext4Options = "data=writeback,commit=600,noauto_da_alloc";

/** Mounts an ext4 of `deviceBytes`. Takes root, `mkfs.ext4` and loop devices: ask `whyNoExt4` before. */
export async function mountExt4(deviceBytes: number): Promise<Ext4Mount> {
  const backing = await mountSmall(deviceBytes + (1 << 20));
  const folder = await makeTemporaryFolder();
  const image = join(backing.path, "image");
  let device = "";
  const mount = async (): Promise<void> => void (await run("mount", ["-o", ext4Options, device, folder.path]));
  const remove = async (): Promise<void> => {
    await run("umount", ["-l", folder.path]).catch(() => {});
    if (device !== "") await run("losetup", ["-d", device]).catch(() => {});
    await folder.remove();
    await backing.remove();
  };
  try {
    await run("truncate", ["-s", String(deviceBytes), image]);
    await run("mkfs.ext4", ["-q", "-m", "0", image]);
    device = (await run("losetup", ["--find", "--show", image])).stdout.trim();
    await mount();
    await run("rmdir", [join(folder.path, "lost+found")]);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    path: folder.path,
    remove,
    remount: async (mode) => void (await run("mount", ["-o", `remount,${mode}`, folder.path])),
    abort: async () => void (await run("mount", ["-o", "remount,abort", folder.path])),
    async mountAgain() {
      await retried(() => run("umount", [folder.path]));
      // It lives on while a dead process's own view of the mounts is being taken down.
      await retried(async () => ok(!existsSync(`/sys/fs/ext4/${basename(device)}`), `${device} is still in use`));
      await mount();
    },
  };
}

/** Processes that were just killed hold on to what they had open a little longer. */
async function retried(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return void (await work());
    } catch (error) {
      if (attempt >= 100) throw error;
      await systemClock.sleep(20);
    }
  }
}

/** Why this machine cannot mount images of ext4; undefined when it can. */
export async function whyNoExt4(): Promise<string | undefined> {
  const whyNot = await whyNoMounts();
  if (whyNot !== undefined) return whyNot;
  return mountExt4(16 << 20).then(
    async (mount) => {
      await mount.remove();
      return undefined;
    },
    (error: Error) => `ext4 on a loop device does not work here: ${error.message.split("\n")[0]}`,
  );
}
