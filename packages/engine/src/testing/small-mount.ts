import { execFile } from "node:child_process";
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
