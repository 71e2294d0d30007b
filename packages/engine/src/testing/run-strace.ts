/**
 * Faults put between a real process and the kernel, by `strace`. It writes down every call that writes or syncs, with the path of its
 * file, so that a test can see for itself what the process asked of which drive, and when.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { systemClock } from "../base/clock.ts";

/** The calls by which a drive's files are written and synced. */
const writeCalls = ["pwrite64", "pwritev", "pwritev2"] as const;
export const syncCalls = ["fsync", "fdatasync"] as const;

/** What is to happen to calls. */
export interface Injection {
  readonly calls: readonly string[];
  /** Fails with this error, or pretends to have succeeded and does nothing. */
  readonly outcome: "EIO" | "ENOSPC" | "EROFS" | "pretend";
  /** Which of each thread's calls: the nth, counted from 1, and with `andAfter` all later ones. All of them when it is left out. */
  readonly nth?: number;
  readonly andAfter?: boolean;
}

/** A call as it was seen. */
export interface TracedCall {
  readonly call: string;
  readonly path: string;
  readonly injected: boolean;
  /** What it wrote, as far as it is shown: enough for a line of a writer. */
  readonly text: string;
}

/** One thread for files makes the count of calls predictable; what goes through io_uring would not be seen. */
export const tracedEnvironment = { UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0" };

/** A command that becomes a traced process. With `paths`, faults only hit calls on these files. */
export function straceWrapper(logFile: string, injections: readonly Injection[], paths: readonly string[] = []): string[] {
  const inject = injections.flatMap(({ calls, outcome, nth, andAfter }) => {
    const when = nth === undefined ? "" : `:when=${nth}${andAfter === true ? "+" : ""}`;
    return ["-e", `inject=${calls.join()}:${outcome === "pretend" ? "retval=0" : `error=${outcome}`}${when}`];
  });
  const traced = [...writeCalls, ...syncCalls, "write"].join();
  return [
    "strace",
    "-D",
    "-f",
    "-y",
    "-q",
    "-s",
    "1000",
    "-o",
    logFile,
    "-e",
    `trace=${traced}`,
    ...inject,
    ...paths.flatMap((path) => ["-P", path]),
  ];
}

/** All calls of a process that has ended, in their order. */
export async function readTrace(logFile: string, pid: number): Promise<TracedCall[]> {
  const ended = new RegExp(`^${pid} +\\+\\+\\+ `, "m");
  let text = await readFile(logFile, "utf8");
  for (let attempt = 0; !ended.test(text) && attempt < 200; attempt++) {
    await systemClock.sleep(10);
    text = await readFile(logFile, "utf8");
  }
  return parseTrace(text);
}

/** The calls in a log; one that another thread interrupted counts where it began. */
function parseTrace(text: string): TracedCall[] {
  const calls: { call: string; path: string; injected: boolean; text: string }[] = [];
  const unfinished = new Map<string, (typeof calls)[number]>();
  for (const line of text.split("\n")) {
    const began = /^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$/.exec(line);
    const injected = line.includes("(INJECTED)");
    if (began !== null) {
      const [, thread = "", call = "", path = "", rest = ""] = began;
      const entry = { call, path: path.replace(/ \(deleted\)$/, ""), injected, text: rest };
      calls.push(entry);
      if (line.endsWith("<unfinished ...>")) unfinished.set(thread, entry);
      continue;
    }
    const [, thread = ""] = /^(\d+) +<\.\.\. \w+ resumed>/.exec(line) ?? [];
    const entry = unfinished.get(thread);
    if (entry !== undefined && injected) entry.injected = true;
    unfinished.delete(thread);
  }
  return calls;
}

/** Why this machine cannot trace; undefined when it can. */
export async function whyNoStrace(): Promise<string | undefined> {
  if (process.platform !== "linux") return `strace is for Linux only, this is ${process.platform}`;
  return promisify(execFile)("strace", ["-q", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", process.execPath, "--version"]).then(
    () => undefined,
    (error: Error) => `strace does not work here: ${error.message.split("\n")[0]}`,
  );
}
