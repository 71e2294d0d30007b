/** Small checks shared by the public methods of this room. Errors name the field, the value and the fix. */
import { type ErrorCode, HoldfastError } from "../base/errors.ts";
import { isWellFormed } from "./validate-key.ts";

/** The error for a bad argument. */
export function invalidArgument(field: string, value: unknown, fix: string, code: ErrorCode = "ARGUMENT_INVALID"): HoldfastError {
  return new HoldfastError(code, `${field} ${describe(value)} ${fix}`, { details: { field, value: describe(value) } });
}

/** Checks that options, if given, are an object and not e.g. a string in the wrong place. @throws ARGUMENT_INVALID */
export function validateOptions(options: object | undefined): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null)
    throw invalidArgument("options", options, "must be an object; leave it out for none");
  const signal = (options as { signal?: unknown }).signal;
  if (signal !== undefined && typeof (signal as AbortSignal | null)?.addEventListener !== "function") {
    throw invalidArgument("signal", signal, "must be an AbortSignal");
  }
}

/** A whole number in [min, max]; undefined passes through. @throws ARGUMENT_INVALID */
export function validateInteger(field: string, value: number | undefined, bounds: { readonly min: number; readonly max: number }): void {
  if (value === undefined) return;
  if (Number.isSafeInteger(value) && value >= bounds.min && value <= bounds.max) return;
  throw invalidArgument(field, value, `must be a whole number from ${bounds.min} to ${bounds.max}`);
}

/** A string without lone surrogates; undefined passes through. @throws ARGUMENT_INVALID */
export function validateText(field: string, value: string | undefined): void {
  if (value === undefined) return;
  if (typeof value !== "string") throw invalidArgument(field, value, "must be a string");
  if (!isWellFormed(value)) throw invalidArgument(field, value, "holds a lone surrogate; remove it");
}

/** A value as an error message shows it: short, and never an object's content. */
function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "[array]" : `[${value.constructor?.name ?? "object"}]`;
  return String(value);
}
