/** The progress of work that is counted in bytes and knows how much there is: a bar with an estimate. */
import { formatBytes } from "../base/units.ts";
import type { CommandContext } from "./command-context.ts";
import { createProgress } from "./progress.ts";

/** How far some work is. */
export interface WorkProgress {
  readonly doneBytes: number;
  /** Undefined while nobody knows. */
  readonly totalBytes?: number | undefined;
  readonly remainingMs?: number | undefined;
}

export function createWorkProgress(context: CommandContext, verb: string): { show(progress: WorkProgress): void; stop(): void } {
  const bar = createProgress(context, { verb, unit: "MiB" });
  const { clock } = context.io;
  let toldMs = clock.monotonicMs();
  return {
    show({ doneBytes, totalBytes, remainingMs }) {
      if (totalBytes !== undefined) bar.expect(Math.ceil(totalBytes / 2 ** 20));
      bar.reach(Math.floor(doneBytes / 2 ** 20), doneBytes);
      if (context.json || remainingMs === undefined || clock.monotonicMs() - toldMs < noteEveryMs) return;
      toldMs = clock.monotonicMs();
      bar.note(`${verb}: ${formatBytes(doneBytes)} done, ${formatDuration(remainingMs)} to go`);
    },
    stop: () => bar.stop(),
  };
}

const noteEveryMs = 15_000;

/** `40 s`, `12 min`, `3 h 20 min` */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
