import { stat, statfs } from "node:fs/promises";
import type { Command } from "commander";
import { formatBytes } from "../base/units.ts";
import type { StoreStatus } from "../engine.ts";
import type { RunWork } from "./command-context.ts";
import { storeFilePath, withStore } from "./find-store.ts";
import { printable } from "./printable.ts";
import { formatDuration } from "./work-progress.ts";

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
          const lines = [head, ...describeRebuild(status), ...sets.flatMap((set, i) => ["", ...describeSet(set, set.fileSystems, i + 1)])];
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
  const shared = space.count < space.drives ? `, on ${space.count} for ${space.drives} drives: those on one are lost together` : "";
  return [
    `set ${number}  coded ${data}+${parity} on ${set.drives.length} drives${away === 0 ? "" : `, ${away} not in order`}: ${stands(set)}`,
    `  file systems: ${formatBytes(space.freeBytes)} free of ${formatBytes(space.totalBytes)}${shared}`,
    `  log: batch ${set.sequence}, pack ${set.pack}, epoch ${set.epoch}; id ${set.id}`,
    ...(set.reason === undefined ? [] : [`  no writes: ${printable(set.reason)}`]),
    ...set.drives.map((drive, i) => printable(describeDrive(drive, set.drives[i - 1]?.reason))),
  ];
}

/** What is there may be lost on top of what is away or incomplete. */
function stands({ redundancy, profile }: Set): string {
  if (redundancy < 0) return "some objects cannot be read until drives are back";
  return `stands the loss of ${redundancy}${redundancy === profile.parity ? "" : " more"}`;
}

/** One line; the reason of a drive that is away may be that of the one above as well: it is not told twice. */
export function describeDrive(drive: Set["drives"][number], reasonAbove?: string): string {
  const notes = [
    ...(drive.reason === undefined || drive.reason === reasonAbove ? [] : [drive.reason]),
    ...(drive.missedFrames === 0 ? [] : [`missed ${drive.missedFrames} frames`]),
    ...(drive.readFaults === 0 ? [] : [`${drive.readFaults} read faults`]),
    ...(drive.location === undefined || drive.whole || drive.state === "rebuilding" ? [] : ["lacks something"]),
    ...(drive.location === undefined || drive.checked || drive.state !== "online" ? [] : ["being looked through after an unclean end"]),
  ];
  return `  ${drive.state.padEnd(10)}  ${drive.location ?? `drive ${drive.id}`}${notes.length === 0 ? "" : `  (${notes.join("; ")})`}`;
}

/** The rebuild under way, if there is one. */
function describeRebuild({ rebuild }: StoreStatus): string[] {
  if (rebuild === undefined) return [];
  const { doneBytes, totalBytes, remainingMs } = rebuild;
  const left = remainingMs === undefined ? "" : `, ${formatDuration(remainingMs)} to go`;
  return [`rebuilding: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}${left}`];
}
