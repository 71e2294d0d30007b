import { HoldfastError } from "./errors.ts";

export const KiB = 1024;
export const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

const factors: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: KiB,
  kib: KiB,
  kb: 1000,
  m: MiB,
  mib: MiB,
  mb: 1e6,
  g: GiB,
  gib: GiB,
  gb: 1e9,
  t: 1024 * GiB,
  tib: 1024 * GiB,
  tb: 1e12,
};

/** A number of bytes from a number or from text such as `"128MiB"`, `"1.5 GiB"`, `"64k"`, `"10MB"`. @throws ARGUMENT_INVALID */
export function parseBytes(value: number | string): number {
  const match = typeof value === "number" ? [value, value, ""] : /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(value);
  const factor = match === null ? undefined : factors[String(match[2]).toLowerCase()];
  const bytes = match === null || factor === undefined ? Number.NaN : Math.round(Number(match[1]) * factor);
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new HoldfastError("ARGUMENT_INVALID", `${JSON.stringify(value)} is no size; write a number of bytes or e.g. "128MiB"`);
  }
  return bytes;
}

const durations: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A number of milliseconds from a number or from text such as `"30s"`, `"15m"`, `"12h"`, `"14d"`. @throws ARGUMENT_INVALID */
export function parseDuration(value: number | string): number {
  const match = typeof value === "number" ? [value, value, "ms"] : /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(value);
  const factor = match === null ? undefined : durations[String(match[2]).toLowerCase()];
  const ms = match === null || factor === undefined ? Number.NaN : Math.round(Number(match[1]) * factor);
  if (!Number.isSafeInteger(ms) || ms < 0) {
    throw new HoldfastError("ARGUMENT_INVALID", `${JSON.stringify(value)} is no time; write a number of milliseconds or e.g. "30s", "14d"`);
  }
  return ms;
}

/** Bytes for people: `"1.5 GiB"`, `"17 B"`. */
export function formatBytes(bytes: number): string {
  const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let at = 0;
  while (Math.abs(value) >= 1024 && at < names.length - 1) {
    value /= 1024;
    at++;
  }
  return at === 0 ? `${value} B` : `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${names[at]}`;
}
