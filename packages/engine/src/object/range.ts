import { HoldfastError } from "../base/errors.ts";
import { invalidArgument } from "./validate.ts";

/** One range of an object: from `start` to and including `end`, from `start` on, or the last `suffixLength` bytes. */
export type RangeRequest =
  | { readonly start: number; readonly end?: number | undefined; readonly suffixLength?: undefined }
  | { readonly suffixLength: number; readonly start?: undefined; readonly end?: undefined };

/** The bytes [start, end) of an object. */
export interface ByteRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Checks the form of a range. @throws RANGE_INVALID; UNSUPPORTED for several ranges */
export function validateRange(range: RangeRequest | undefined): void {
  if (range === undefined) return;
  if (Array.isArray(range))
    throw new HoldfastError("UNSUPPORTED", "several ranges in one request are not supported; ask for them one by one", {
      details: { field: "range" },
    });
  if (typeof range !== "object" || range === null)
    throw invalidArgument("range", range, "must be { start, end }, { start } or { suffixLength }", "RANGE_INVALID");
  const { start, end, suffixLength } = range;
  if ((start === undefined) === (suffixLength === undefined))
    throw invalidArgument("range", range, "must have either start or suffixLength", "RANGE_INVALID");
  for (const [field, value] of Object.entries({ start, end, suffixLength })) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) continue;
    throw invalidArgument(`range.${field}`, value, "must be a whole number from 0 on", "RANGE_INVALID");
  }
  if (end !== undefined && start !== undefined && end < start)
    throw invalidArgument("range.end", end, `lies before start ${start}`, "RANGE_INVALID");
}

/** The bytes a range means in an object of this size. @throws RANGE_NOT_SATISFIABLE */
export function resolveRange(range: RangeRequest, sizeBytes: number): ByteRange {
  const { suffixLength } = range;
  const start = suffixLength === undefined ? range.start : Math.max(0, sizeBytes - suffixLength);
  if (start >= sizeBytes || suffixLength === 0) {
    throw new HoldfastError("RANGE_NOT_SATISFIABLE", `the range lies outside the object's ${sizeBytes} bytes`, {
      details: { field: "range", sizeBytes },
    });
  }
  return { start, end: range.end === undefined ? sizeBytes : Math.min(range.end + 1, sizeBytes) };
}
