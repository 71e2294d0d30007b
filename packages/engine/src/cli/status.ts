import { stat, statfs } from "node:fs/promises";
import type { Command } from "commander";
import { formatBytes } from "../base/units.ts";
import type { StoreStatus } from "../engine.ts";
import type { RunWork } from "./command-context.ts";
import { storeFilePath, withStore } from "./find-store.ts";
import { printable } from "./printable.ts";

type Set = StoreStatus["sets"][number];

/** The file systems behind some drives, each counted once. */
interface FileSystems {
  readonly count: number;
  readonly drives: number;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** `holdfast status`: drives, sets, space and state. */
export function addStatus(program: Command, run: RunWork): void {
  program
    .command("status")
    .summary("show drives, sets, space and state")
    .description("Shows the sets of the store, their drives and how they are, and the space on them.")
    .action(() =>
      run((context) =>
        withStore(context, async (store) => {
          const status = await store.status();
          const sets = await Promise.all(status.sets.map(async (set) => ({ ...set, fileSystems: await fileSystemsOf(set) })));
          const head = `store ${status.storeId}  ${status.writable ? "takes writes" : "takes NO writes"}`;
          const lines = [head, ...sets.flatMap((set, i) => ["", ...describeSet(set, set.fileSystems, i + 1)])];
          await context.out.document(lines, { file: storeFilePath(context), ...status, sets });
        }),
      ),
    );
}

async function fileSystemsOf(set: Set): Promise<FileSystems> {
  const known = new Map<number, { total: number; free: number }>();
  let drives = 0;
  for (const { location } of set.drives) {
    if (location === undefined) continue;
    try {
      const { dev } = await stat(location);
      const { blocks, bavail, bsize } = await statfs(location);
      known.set(dev, { total: blocks * bsize, free: bavail * bsize });
      drives++;
    } catch {
      // a drive that is not there has no space
    }
  }
  const all = [...known.values()];
  const sum = (bytes: (space: { total: number; free: number }) => number): number => all.reduce((total, space) => total + bytes(space), 0);
  return { count: known.size, drives, totalBytes: sum((space) => space.total), freeBytes: sum((space) => space.free) };
}

function describeSet(set: Set, space: FileSystems, number: number): string[] {
  const { data, parity } = set.profile;
  const away = set.drives.filter((drive) => drive.state !== "online").length;
  const stands = `stands the loss of ${Math.max(0, parity - away)}${away === 0 ? "" : " more"}`;
  const shared = space.count < space.drives ? `, on ${space.count} for ${space.drives} drives: those on one are lost together` : "";
  return [
    `set ${number}  coded ${data}+${parity} on ${set.drives.length} drives${away === 0 ? "" : `, ${away} not in order`}: ${stands}`,
    `  file systems: ${formatBytes(space.freeBytes)} free of ${formatBytes(space.totalBytes)}${shared}`,
    `  log: batch ${set.sequence}, pack ${set.pack}, epoch ${set.epoch}`,
    ...(set.reason === undefined ? [] : [`  no writes: ${printable(set.reason)}`]),
    ...set.drives.map((drive, i) => describeDrive(drive, set.drives[i - 1]?.reason)),
  ];
}

/** The reason of a drive that is away may be that of the one above as well: it is not told twice. */
function describeDrive(drive: Set["drives"][number], reasonAbove: string | undefined): string {
  const notes = [
    ...(drive.reason === undefined || drive.reason === reasonAbove ? [] : [drive.reason]),
    ...(drive.missedFrames === 0 ? [] : [`missed ${drive.missedFrames} frames`]),
    ...(drive.readFaults === 0 ? [] : [`${drive.readFaults} read faults`]),
  ];
  return printable(
    `  ${drive.state.padEnd(8)}  ${drive.location ?? `drive ${drive.id}`}${notes.length === 0 ? "" : `  (${notes.join("; ")})`}`,
  );
}
