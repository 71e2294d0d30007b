import type { Readable, Writable } from "node:stream";
import type { Clock } from "../base/clock.ts";

/** A stream that may be a terminal. */
export type TerminalStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** The world as a command sees it: the process's own, or a test's. */
export interface CommandIo {
  /** Relative paths start here. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: TerminalStream;
  readonly stderr: TerminalStream;
  /** Fires when the command is to stop; its reason is the signal's name. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
}
