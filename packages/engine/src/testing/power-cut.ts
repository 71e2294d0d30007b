/**
 * Power cuts of mounted file systems. The kernel's shutdown call for file systems stops ext4 between two instructions: nothing more gets to
 * the device, not even its journal, and everything that was not synced is gone at the next mount. Other than a kill, this
 * finds a sync that is missing.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { mountExt4, whyNoExt4 } from "./small-mount.ts";

const run = promisify(execFile);

/** EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH, on every path in turn, in one process: they go down within microseconds. */
const shutdownScript = `
use Fcntl;
my @open = map { sysopen(my $file, $_, O_RDONLY) or die "$_: $!"; $file } @ARGV;
for my $file (@open) { my $flags = pack("L", 2); ioctl($file, 0x8004587d, $flags) or die "shutdown: $!"; }
`;

/** Cuts the power of all file systems mounted at these paths. */
export async function cutPower(paths: readonly string[]): Promise<void> {
  await run("perl", ["-e", shutdownScript, ...paths]);
}

/** Why power cannot be cut on this machine; undefined when it can. */
export async function whyNoPowerCuts(): Promise<string | undefined> {
  const whyNot = await whyNoExt4();
  if (whyNot !== undefined) return whyNot;
  const mount = await mountExt4(16 << 20);
  try {
    await cutPower([mount.path]);
    const stillWritable = await writeFile(join(mount.path, "file"), "").then(
      () => true,
      () => false,
    );
    return stillWritable ? "the shutdown call does nothing here" : undefined;
  } catch (error) {
    return `the shutdown call of ext4 does not work here: ${(error as Error).message.split("\n").at(-1)}`;
  } finally {
    await mount.remove();
  }
}

/**
 * A command that becomes a process which believes the machine was started anew: it reads `bootId` where the system tells the id of its
 * start. Everything is mounted for it as it is at this moment.
 */
export async function inOtherBoot(folder: string, bootId: string): Promise<readonly string[]> {
  const file = join(folder, "boot-id");
  await writeFile(file, `${bootId}\n`);
  return ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"', file];
}
