import type { Readable, Writable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import type { Output } from "./output.ts";

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

/** What every subcommand gets. */
export interface CommandContext {
  readonly io: CommandIo;
  readonly out: Output;
  /** `--json` */
  readonly json: boolean;
  /** `--store FILE`, if given. */
  readonly storeOption: string | undefined;
}

/** What a subcommand does; answers its exit code, success when it answers none. */
export type CommandWork = (context: CommandContext) => Promise<number> | Promise<void>;

/** Carries out a subcommand's work; every subcommand's action ends in a call of it. */
export type RunWork = (work: CommandWork) => Promise<void>;
