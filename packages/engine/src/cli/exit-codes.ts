import type { ErrorKind } from "../base/errors.ts";

/** Exit codes of the command, as docs/CLI.md lists them. */
export const exitCodes = {
  ok: 0,
  /** Something failed: a defect, or some of many files (their lines say why). */
  failure: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 5,
  damaged: 6,
  exhausted: 7,
  denied: 8,
  interrupted: 130,
  terminated: 143,
} as const;

const codeOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid: exitCodes.usage,
  denied: exitCodes.denied,
  notFound: exitCodes.notFound,
  conflict: exitCodes.conflict,
  unavailable: exitCodes.unavailable,
  exhausted: exitCodes.exhausted,
  data: exitCodes.damaged,
  closed: exitCodes.failure,
  internal: exitCodes.failure,
};

/** The exit code for an error of this kind. */
export function exitCodeOf(kind: ErrorKind): number {
  return codeOfKind[kind];
}

/** The exit code after a signal: 128 and the signal's number, as shells count. */
export function exitCodeOfSignal(reason: unknown): number {
  return reason === "SIGTERM" ? exitCodes.terminated : exitCodes.interrupted;
}
