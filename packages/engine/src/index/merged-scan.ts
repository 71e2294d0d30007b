import { compareBytes } from "../base/bytes.ts";

/** A newer entry, or the deletion of an older one where `value` is undefined. */
export interface NewerEntry<V> {
  readonly key: Uint8Array;
  readonly value: V | undefined;
}

/** Lays newer entries over a scan of older ones, both in the scan's order. Nothing behind the entry the visitor stops at is looked at. */
export class MergedScan<V> {
  readonly #newer: readonly NewerEntry<V>[];
  readonly #visit: (key: Uint8Array, value: V) => boolean | Uint8Array;
  readonly #direction: 1 | -1;
  #next = 0;
  #done = false;
  #seek: Uint8Array | undefined;

  constructor(newer: readonly NewerEntry<V>[], visit: (key: Uint8Array, value: V) => boolean | Uint8Array, reverse: boolean) {
    this.#newer = newer;
    this.#visit = visit;
    this.#direction = reverse ? -1 : 1;
  }

  /** Takes the next older entry; answers as a visitor does. */
  at(key: Uint8Array, value: V): boolean | Uint8Array {
    let current: NewerEntry<V> = { key, value };
    for (let newer = this.#newer[this.#next]; newer !== undefined && !this.#done; newer = this.#newer[this.#next]) {
      const distance = this.#direction * compareBytes(newer.key, key);
      if (distance > 0) break;
      this.#next++;
      if (distance === 0) current = newer;
      else this.#offer(newer);
    }
    this.#offer(current);
    if (this.#done) return false;
    // A seek to what has been passed already (its entry is deleted here) would bring the same older entry again.
    return this.#seek !== undefined && this.#direction * compareBytes(this.#seek, key) > 0 ? this.#seek : true;
  }

  /** The newer entries behind the last older one. */
  rest(): void {
    for (; this.#next < this.#newer.length; this.#next++) this.#offer(this.#newer[this.#next] as NewerEntry<V>);
  }

  #offer({ key, value }: NewerEntry<V>): void {
    if (this.#done || value === undefined) return;
    if (this.#seek !== undefined) {
      const distance = compareBytes(key, this.#seek);
      if (this.#direction === 1 ? distance < 0 : distance >= 0) return;
    }
    const answer = this.#visit(key, value);
    this.#done = answer === false;
    this.#seek = answer === true || answer === false ? undefined : answer;
  }
}
