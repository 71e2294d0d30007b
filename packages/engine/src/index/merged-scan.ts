import { compareBytes } from "../base/bytes.ts";
import type { IndexMutation } from "./ordered-index.ts";

/** Lays newer mutations over a scan of older entries, both in the scan's order. */
export class MergedScan {
  readonly #newer: readonly IndexMutation[];
  readonly #visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array;
  readonly #direction: 1 | -1;
  #next = 0;
  #done = false;
  #seek: Uint8Array | undefined;

  constructor(newer: readonly IndexMutation[], visit: (key: Uint8Array, value: Uint8Array) => boolean | Uint8Array, reverse: boolean) {
    this.#newer = newer;
    this.#visit = visit;
    this.#direction = reverse ? -1 : 1;
  }

  /** Takes the next older entry; answers as a visitor does. */
  at(key: Uint8Array, value: Uint8Array): boolean | Uint8Array {
    let current: IndexMutation = { key, value };
    for (let newer = this.#newer[this.#next]; newer !== undefined && !this.#done; newer = this.#newer[this.#next]) {
      const distance = this.#direction * compareBytes(newer.key, key);
      if (distance > 0) break;
      this.#next++;
      if (distance === 0) current = newer;
      else this.#offer(newer);
    }
    this.#offer(current);
    return this.#done ? false : (this.#seek ?? true);
  }

  /** The newer entries behind the last older one. */
  rest(): void {
    for (; this.#next < this.#newer.length; this.#next++) this.#offer(this.#newer[this.#next] as IndexMutation);
  }

  #offer({ key, value }: IndexMutation): void {
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
