import type { StoredPairs } from "./object-record.ts";

/** A record of texts as names and values in turn, sorted by name; undefined when empty. */
export function flattenPairs(record: Readonly<Record<string, string>>): StoredPairs | undefined {
  const names = Object.keys(record).sort();
  return names.length === 0 ? undefined : names.flatMap((name) => [name, record[name] as string]);
}

/** Names and values in turn as a plain object; names such as `__proto__` become ordinary properties. */
export function expandPairs(pairs: StoredPairs | undefined): Record<string, string> {
  const entries: [string, string][] = [];
  for (let i = 0; pairs !== undefined && i < pairs.length; i += 2) entries.push([pairs[i] as string, pairs[i + 1] as string]);
  return Object.fromEntries(entries);
}

/** True for an object of own properties, as options are written. */
export function isPlainRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
