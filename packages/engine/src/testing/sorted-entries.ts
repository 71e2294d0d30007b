import { compareBytes, toHex } from "../base/bytes.ts";
import type { KeyRange, SetEntry } from "../set/erasure-set.ts";

/** Keys in order, as hexadecimal text, beside a map; good for some hundred thousand entries. */
export class SortedEntries {
  readonly #entries = new Map<string, { readonly key: Uint8Array; readonly entry: SetEntry }>();
  readonly #order: string[] = [];

  get size(): number {
    return this.#entries.size;
  }

  get(key: Uint8Array): SetEntry | undefined {
    return this.#entries.get(toHex(key))?.entry;
  }

  set(key: Uint8Array, entry: SetEntry | undefined): void {
    const name = toHex(key);
    const known = this.#entries.has(name);
    if (entry === undefined) {
      if (known) this.#order.splice(this.#lowerBound(name), 1);
      this.#entries.delete(name);
      return;
    }
    if (!known) this.#order.splice(this.#lowerBound(name), 0, name);
    this.#entries.set(name, { key: key.slice(), entry });
  }

  scan(range: KeyRange, visit: (key: Uint8Array, entry: () => SetEntry) => boolean | Uint8Array): void {
    const step = range.reverse === true ? -1 : 1;
    const first = this.#lowerBound(toHex(range.start));
    const last = range.end === undefined ? this.#order.length : this.#lowerBound(toHex(range.end));
    let at = step > 0 ? first : last - 1;
    while (at >= first && at < last) {
      const { key, entry } = this.#entries.get(this.#order[at] as string) as { key: Uint8Array; entry: SetEntry };
      const answer = visit(key.slice(), () => entry);
      if (answer === false) return;
      at += step;
      if (answer === true || compareBytes(answer, key) * step <= 0) continue;
      const sought = this.#lowerBound(toHex(answer));
      at = step > 0 ? Math.max(at, sought) : Math.min(at, sought - 1);
    }
  }

  #lowerBound(name: string): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#order[middle] as string) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
