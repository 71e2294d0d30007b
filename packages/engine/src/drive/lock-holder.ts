import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { type Clock, systemClock } from "../base/clock.ts";

/**
 * Who holds a drive, and whether that process still lives.
 *
 * A process id alone is not enough: after a crash the id may belong to another process, or to this one in a restarted container. So
 * the boot (of the machine) and the start (of the process) are compared as well, where the system tells them.
 */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** Changes with every start of the machine; undefined where the system does not tell. */
  readonly bootId: string | undefined;
  /** When the process started, in the system's ticks since boot; undefined where the system does not tell. */
  readonly processStart: string | undefined;
  /** When the lock was taken, ISO 8601. */
  readonly since: string;
}

/** What is known of a holder. */
export type HolderState =
  | "alive"
  /** On this machine, and not running any more. */
  | "gone"
  /** On another machine, where nobody can look from here. */
  | "elsewhere";

/** This process as the holder of a lock. */
export async function thisProcess(clock: Clock = systemClock): Promise<LockHolder> {
  return {
    pid: process.pid,
    host: hostname(),
    bootId: await readBootId(),
    processStart: (await readProcess(process.pid))?.start,
    since: new Date(clock.nowMs()).toISOString(),
  };
}

/** Whether a holder lives, as seen by `observer`, which is this process. */
export async function stateOfHolder(holder: LockHolder, observer: LockHolder): Promise<HolderState> {
  if (holder.host !== observer.host) return "elsewhere";
  if (holder.bootId !== undefined && observer.bootId !== undefined && holder.bootId !== observer.bootId) return "gone";
  if (!processExists(holder.pid)) return "gone";
  const running = await readProcess(holder.pid);
  // The system may hide the details of other users' processes: then existing has to do.
  if (running === undefined || holder.processStart === undefined) return "alive";
  return running.start === holder.processStart && !running.ended ? "alive" : "gone";
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not allowed to signal it: it is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function readBootId(): Promise<string | undefined> {
  const text = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return text.trim() === "" ? undefined : text.trim();
}

/** Start time and state from /proc; undefined where there is no such file. */
async function readProcess(pid: number): Promise<{ start: string; ended: boolean } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The second field is the command in parentheses and may contain anything; the third, the state, follows the last parenthesis.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  const start = fields[22 - 3];
  if (state === undefined || start === undefined) return undefined;
  return { start, ended: state === "Z" || state === "X" };
}
