import type { RangeOptions, RootDatabase, Transaction } from "lmdb";
import { compareBytes } from "../base/bytes.ts";
import type { IndexRange } from "./ordered-index.ts";

/** The entries of a range in their order. */
export class Cursor {
  readonly #entries: Iterator<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  readonly #range: IndexRange;
  /** In its first `#lastBytes` the last key. */
  #last = new Uint8Array(128);
  #lastBytes = 0;

  constructor(database: RootDatabase<Uint8Array, Uint8Array>, range: IndexRange, transaction: Transaction | undefined) {
    this.#range = range;
    this.#entries = database.getRange(rangeOptions(range, transaction))[Symbol.iterator]();
  }

  next(): { readonly key: Uint8Array; readonly value: Uint8Array } | undefined {
    const next = this.#entries.next();
    return next.done === true ? undefined : next.value;
  }

  /** False for a key that is not beyond the last one, or outside the range. */
  isInOrder(key: Uint8Array): boolean {
    const { start, end, reverse } = this.#range;
    const isFirst = this.#lastBytes === 0;
    const distance = isFirst ? 1 : compareWithin(key, this.#last, this.#lastBytes);
    this.#keep(key);
    if (reverse !== true)
      return (end === undefined || compareBytes(key, end) < 0) && (isFirst ? compareBytes(key, start) >= 0 : distance > 0);
    if (compareBytes(key, start) < 0) return false;
    return isFirst ? end === undefined || compareBytes(key, end) < 0 : distance < 0;
  }

  /** A visitor may do with a key what it likes, so this is a copy. */
  #keep(key: Uint8Array): void {
    if (key.byteLength > this.#last.byteLength) this.#last = new Uint8Array(2 * key.byteLength);
    this.#last.set(key);
    this.#lastBytes = key.byteLength;
  }

  close(): void {
    this.#entries.return?.();
  }
}

/** As `compareBytes(a, b.subarray(0, length))`, without a view. */
function compareWithin(a: Uint8Array, b: Uint8Array, length: number): number {
  const shorter = Math.min(a.byteLength, length);
  for (let i = 0; i < shorter; i++) {
    const distance = (a[i] as number) - (b[i] as number);
    if (distance !== 0) return distance;
  }
  return a.byteLength - length;
}

/** Backwards, the package takes the upper bound as its start. An empty key stands for no bound there. */
function rangeOptions(range: IndexRange, transaction: Transaction | undefined): RangeOptions {
  const start = range.start.byteLength === 0 ? undefined : range.start;
  const bounds =
    range.reverse === true
      ? { reverse: true, start: range.end, end: start, exclusiveStart: true, inclusiveEnd: true }
      : { start, end: range.end };
  return (transaction === undefined ? bounds : { ...bounds, transaction }) as RangeOptions;
}
