#!/usr/bin/env node
/** The process of the `holdfast` command. The first SIGINT or SIGTERM ends the work and closes the store; the second ends the process. */
import { systemClock } from "../base/clock.ts";
import { runCommand } from "./run-command.ts";

const controller = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort(name));

process.exitCode = await runCommand(process.argv.slice(2), {
  cwd: process.cwd(),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
  clock: systemClock,
});
