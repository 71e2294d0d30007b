/**
 * Checks of single fields of the settings. An error names the field, its value and the fix.
 */
import { inspect } from "node:util";
import { HoldfastError } from "../base/errors.ts";
import { parseBytes, parseDuration } from "../base/units.ts";

interface Range {
  readonly min: number;
  readonly max: number;
}

/** Longer values are cut in messages. */
const shownCharsMax = 200;

/** The error of a field that cannot be used. */
export function invalid(field: string, value: unknown, fix: string): HoldfastError {
  const shown = typeof value === "string" ? JSON.stringify(value) : inspect(value, { depth: 2, breakLength: Number.POSITIVE_INFINITY });
  const cut = shown.length > shownCharsMax ? `${shown.slice(0, shownCharsMax)}…` : shown;
  return new HoldfastError("SETTINGS_INVALID", `${field}: ${cut} can't be used: ${fix}`, { details: { field, value } });
}

/** Checks that a value is a plain object with none but these fields. */
export function checkObject<T extends object>(field: string, value: T, known: readonly string[]): T {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(field, value, `pass an object with ${known.join(", ")}`);
  for (const name of Object.keys(value)) {
    const whole = field === "settings" ? name : `${field}.${name}`;
    if (!known.includes(name))
      throw invalid(whole, (value as Record<string, unknown>)[name], `there is no such setting; known are ${known.join(", ")}`);
  }
  return value;
}

/** A text that is not empty. */
export function checkText(field: string, value: unknown): string {
  if (typeof value !== "string" || value === "" || value.includes("\0")) throw invalid(field, value, "write a text that is not empty");
  return value;
}

export function checkFlag(field: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== "boolean") throw invalid(field, value, "write true or false");
  return value;
}

export function checkChoice<T extends string>(field: string, value: T | undefined, choices: readonly [T, ...T[]]): T {
  if (value === undefined) return choices[0];
  if (!choices.includes(value)) throw invalid(field, value, `choose one of ${choices.map((choice) => `"${choice}"`).join(", ")}`);
  return value;
}

export function checkInteger(field: string, value: unknown, range: Range): number {
  if (!Number.isSafeInteger(value) || (value as number) < range.min || (value as number) > range.max) {
    throw invalid(field, value, `write a whole number from ${range.min} to ${range.max}`);
  }
  return value as number;
}

/** A number of bytes from a number or a text such as `"128MiB"`. */
export function checkSize(field: string, value: number | string, range: Range): number {
  const bytes = parsed(value, parseBytes);
  if (bytes === undefined) throw invalid(field, value, 'write a whole number of bytes or a text such as "128MiB"');
  if (bytes < range.min || bytes > range.max) throw invalid(field, value, `use ${range.min} to ${range.max} bytes`);
  return bytes;
}

/** A number of milliseconds from a number or a text such as `"14d"`. */
export function checkDuration(field: string, value: number | string, range: Range): number {
  const ms = parsed(value, parseDuration);
  if (ms === undefined) throw invalid(field, value, 'write a whole number of milliseconds or a text such as "30s" or "14d"');
  if (ms < range.min || ms > range.max) throw invalid(field, value, `use ${range.min} to ${range.max} milliseconds`);
  return ms;
}

function parsed(value: unknown, parse: (text: string) => number): number | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== "string") return undefined;
  try {
    return parse(value);
  } catch {
    return undefined;
  }
}
