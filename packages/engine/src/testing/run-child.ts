import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A process under way. */
export interface RunningChild {
  readonly pid: number;
  /** The lines it prints. */
  readonly lines: AsyncIterable<string>;
  /** Its next line; undefined when it has ended. */
  nextLine(): Promise<string | undefined>;
  /** Writes a line to its stdin. */
  send(line: string): void;
  /** Stops it where it is, or lets it go on. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** Ends it at once, as a crash does, and waits for its end. */
  kill(): Promise<void>;
  /** How it ended, and what it said on stderr. */
  ended(): Promise<{ readonly code: number | null; readonly signal: string | null; readonly stderr: string }>;
}

/** How a child is started. */
export interface ChildOptions {
  readonly userId?: number;
  readonly nodeArgs?: readonly string[];
  /** A command, with its arguments, that becomes Node in its own process: `strace -D …`, `unshare …`. */
  readonly wrapper?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts Node on a script, as another user where one is given. */
export function startChild(script: string, args: readonly string[], options: ChildOptions = {}): RunningChild {
  const user = options.userId === undefined ? {} : { uid: options.userId, gid: options.userId };
  const [command = "", ...commandArgs] = [...(options.wrapper ?? []), process.execPath, ...(options.nodeArgs ?? []), script, ...args];
  const child = spawn(command, commandArgs, { stdio: "pipe", env: { ...process.env, ...options.environment }, ...user });
  // A child that dies before it has read everything.
  child.stdin.on("error", () => {});
  const closed = once(child, "close");
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid as number,
    lines: { [Symbol.asyncIterator]: () => lines },
    nextLine: async () => ((await lines.next()).value as string | undefined) ?? undefined,
    send: (line) => void child.stdin.write(`${line}\n`),
    signal: (name) => void child.kill(name),
    kill: async () => {
      child.kill("SIGKILL");
      await closed;
    },
    ended: async () => {
      await closed;
      return { ...endOf(child), stderr };
    },
  };
}

function endOf(child: ChildProcess): { code: number | null; signal: string | null } {
  return { code: child.exitCode, signal: child.signalCode };
}
