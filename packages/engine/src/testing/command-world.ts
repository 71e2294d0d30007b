import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { systemClock } from "../base/clock.ts";
import type { CommandContext } from "../cli/command-context.ts";
import { Output } from "../cli/output.ts";
import { runCommand } from "../cli/run-command.ts";
import { makeTemporaryFolder } from "./temporary-folder.ts";

/** What a run of the command gave. */
export interface CommandRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Stdout as it is. */
  readonly bytes: Buffer;
  /** Stdout as one JSON document. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of many shapes
  readonly document: any;
  /** Every line of stdout as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of many shapes
  readonly entries: any[];
  /** The code in the last line of stderr, text or JSON. */
  readonly errorCode: string | undefined;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Record<string, string>;
  readonly signal?: AbortSignal;
  /** Makes the reader of stdout go away at the first write. */
  readonly readerGone?: boolean;
  /** Makes stderr a terminal. */
  readonly terminal?: boolean;
}

/** A folder to run the command in. */
export interface CommandWorld {
  readonly folder: string;
  /** A path in the folder. */
  at(...names: readonly string[]): string;
  run(args: readonly string[], options?: RunOptions): Promise<CommandRun>;
  remove(): Promise<void>;
}

/** The command in a temporary folder; with `drives`, a store on that many is made there first. */
export async function makeCommandWorld(options: { readonly drives?: number } = {}): Promise<CommandWorld> {
  const { path: folder, remove } = await makeTemporaryFolder();
  const world: CommandWorld = { folder, at: (...names) => join(folder, ...names), run: (args, given) => run(folder, args, given), remove };
  if (options.drives !== undefined) {
    const made = await world.run(["init", ...Array.from({ length: options.drives }, (_, i) => `d${i + 1}`)]);
    if (made.code !== 0) throw new Error(made.stderr);
  }
  return world;
}

/** A context for parts of the command, with JSON output that is kept. */
export function collectOutput(): { readonly context: CommandContext; stdout(): string } {
  const [stdout, stderr] = [collect(undefined), collect(undefined)];
  const world = { cwd: "/", env: {}, stdin: Readable.from([]), signal: new AbortController().signal, clock: systemClock };
  const io = { ...world, stdout: stdout.stream, stderr: stderr.stream };
  return { context: { io, out: new Output(io, true), json: true, storeOption: undefined }, stdout: () => stdout.bytes().toString() };
}

async function run(folder: string, args: readonly string[], options: RunOptions = {}): Promise<CommandRun> {
  const stdout = collect(options.readerGone === true ? Object.assign(new Error("write EPIPE"), { code: "EPIPE" }) : undefined);
  const stderr = collect(undefined);
  const code = await runCommand(args, {
    cwd: folder,
    env: options.env ?? {},
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout: stdout.stream,
    stderr: Object.assign(stderr.stream, options.terminal === true ? { isTTY: true, columns: 80 } : {}),
    signal: options.signal ?? new AbortController().signal,
    clock: systemClock,
  });
  const out = stdout.bytes().toString();
  const err = stderr.bytes().toString();
  return {
    code,
    stdout: out,
    stderr: err,
    bytes: stdout.bytes(),
    get document() {
      return JSON.parse(out);
    },
    get entries() {
      return linesOf(out).map((line) => JSON.parse(line));
    },
    errorCode: errorCodeIn(linesOf(err).at(-1) ?? ""),
  };
}

function errorCodeIn(line: string): string | undefined {
  return line.startsWith("{") ? JSON.parse(line).error.code : /\(([A-Z_]+)\)$/.exec(line)?.[1];
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

function collect(failure: Error | undefined): { readonly stream: Writable; bytes(): Buffer } {
  const pieces: Buffer[] = [];
  const stream = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(Buffer.from(piece));
      done(failure);
    },
  });
  return { stream, bytes: () => Buffer.concat(pieces) };
}
