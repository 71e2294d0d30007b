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
  /** Ends it at once, as a crash does, and waits for its end. */
  kill(): Promise<void>;
  /** How it ended, and what it said on stderr. */
  ended(): Promise<{ readonly code: number | null; readonly signal: string | null; readonly stderr: string }>;
}

/** Starts Node on a script, as another user where one is given. */
export function startChild(
  script: string,
  args: readonly string[],
  options: { readonly userId?: number; readonly nodeArgs?: readonly string[] } = {},
): RunningChild {
  const user = options.userId === undefined ? {} : { uid: options.userId, gid: options.userId };
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), script, ...args], { stdio: ["ignore", "pipe", "pipe"], ...user });
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
