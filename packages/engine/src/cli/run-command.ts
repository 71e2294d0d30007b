/**
 * The `holdfast` command, free of the process it runs in: arguments and streams in, an exit code out. Nothing is thrown.
 */
import { Command, CommanderError } from "commander";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import { usageError } from "./address.ts";
import type { RunWork } from "./command-context.ts";
import type { CommandIo } from "./command-io.ts";
import { addCompact } from "./compact.ts";
import { addCopy } from "./cp.ts";
import { addDrain } from "./drain.ts";
import { addDrive } from "./drive.ts";
import { exitCodeOfSignal, exitCodes } from "./exit-codes.ts";
import { addGet } from "./get.ts";
import { addInit } from "./init.ts";
import { addList } from "./ls.ts";
import { addMakeBucket } from "./mb.ts";
import { Output, ReaderGone } from "./output.ts";
import { addPut } from "./put.ts";
import { addRemoveBucket } from "./rb.ts";
import { addRebuild } from "./rebuild.ts";
import { errorExitCode, errorLine } from "./report-error.ts";
import { addReprotect } from "./reprotect.ts";
import { addRemove } from "./rm.ts";
import { addStat } from "./stat.ts";
import { addStatus } from "./status.ts";
import { addVerify } from "./verify.ts";
import { version } from "./version.ts";

const introduction = `Stores objects on local drives so that they survive the loss of drives.

BUCKET/KEY names an object: everything after the first slash is its key. Where a local path could be meant as well, write hf://BUCKET/KEY.
The store is the one of ./holdfast.json, of --store FILE, or of the variable HOLDFAST_STORE.`;

/** In the order in which help lists them. */
const commands = [
  [addInit, addPut, addGet, addCopy, addList, addStat, addRemove, addMakeBucket, addRemoveBucket],
  [addStatus, addVerify, addRebuild, addDrive, addDrain, addReprotect, addCompact],
].flat();

/** Runs the command with the arguments after its name and resolves with its exit code. */
export async function runCommand(argv: readonly string[], io: CommandIo): Promise<number> {
  const out = new Output(io, wantsJson(argv));
  let exitCode: number = exitCodes.ok;
  const program = createProgram(io, async (work) => {
    const { store } = program.opts<{ store?: string }>();
    exitCode = (await work({ io, out, json: out.json, storeOption: store })) ?? exitCodes.ok;
  });
  try {
    if (argv.length === 0) throw usageError("what is to be done? Try: holdfast --help");
    await program.parseAsync(argv, { from: "user" });
    await out.flush();
    return exitCode;
  } catch (error) {
    await out.flush().catch(() => undefined);
    return failWith(error, io, out);
  } finally {
    out.detach();
  }
}

function failWith(error: unknown, io: CommandIo, out: Output): number {
  if (error instanceof ReaderGone) return exitCodes.ok;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok;
    out.note(errorLine(usageError(error.message.replace(/^error: /, "")), { json: out.json }));
    return exitCodes.usage;
  }
  if (io.signal.aborted) {
    out.note(errorLine(new HoldfastError("ABORTED", "interrupted", { cause: error }), { json: out.json }));
    return exitCodeOfSignal(io.signal.reason);
  }
  out.note(errorLine(error, { json: out.json }));
  if (!isHoldfastError(error) && io.env.HOLDFAST_DEBUG && error instanceof Error) out.note(error.stack ?? "");
  return errorExitCode(error);
}

function createProgram(io: CommandIo, run: RunWork): Command {
  const program = new Command("holdfast")
    .description(introduction)
    .version(version, "-V, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .option("--store <file>", "settings file of the store (default: HOLDFAST_STORE, or holdfast.json here)")
    .option("--json", "results as JSON: one document, or one line per entry of a list; errors as JSON on stderr")
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, helpWidth: io.stdout.columns ?? 100 })
    // The message of a wrong command line is printed once, by failWith.
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: () => undefined, outputError: () => undefined });
  for (const add of commands) add(program, run);
  return program;
}

/** Known before the arguments are parsed, so that a wrong command line is reported in the form asked for. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).includes("--json");
}
