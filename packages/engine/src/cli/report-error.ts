import { isHoldfastError } from "../base/errors.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { printable } from "./printable.ts";

/** An error as plain data, for `--json`. */
export interface ErrorReport {
  readonly kind: string;
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Any error as plain data; what is no error of Holdfast is a defect. */
export function errorReport(error: unknown): ErrorReport {
  if (isHoldfastError(error)) return { kind: error.kind, code: error.code, message: error.message, details: error.details };
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "internal", code: "INTERNAL", message: `${message} (a defect of Holdfast; HOLDFAST_DEBUG=1 shows where)`, details: {} };
}

/** The exit code for any error. */
export function errorExitCode(error: unknown): number {
  return isHoldfastError(error) ? exitCodeOf(error.kind) : exitCodes.failure;
}

/** An error in one line; `name` is the file or object it is about, when it is one of many. */
export function errorLine(error: unknown, options: { readonly json: boolean; readonly name?: string }): string {
  const report = errorReport(error);
  if (options.json) return JSON.stringify(options.name === undefined ? { error: report } : { name: options.name, error: report });
  const subject = options.name === undefined ? "" : `${printable(options.name)}: `;
  return `holdfast: ${subject}${printable(report.message)} (${report.code})`;
}
