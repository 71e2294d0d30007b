import type { CommandIo } from "./command-io.ts";
import type { Output } from "./output.ts";

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
