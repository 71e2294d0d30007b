import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
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
