/** What the writer was acknowledged, by its own word, and what must therefore be in the store. */

/** @typedef {import("./bodies.mjs").Body} Body */
/** @typedef {{ key: string; body: Body | null }} Change */

export class Ledger {
  acknowledged = 0;
  refused = 0;
  bytes = 0;
  /** @type {Map<string, Body | null>} */
  #known = new Map();
  /** Changes under way, by lane. @type {Map<number, Change>} */
  #pending = new Map();
  /** Bodies that may be there too: nobody was told whether their put happened. @type {Map<string, (Body | null)[]>} */
  #unsure = new Map();

  /** Takes a line of the writer; false when it is about something else. @param {string} line */
  take(line) {
    const [word, lane = "", key = "", seed, size] = line.split(" ");
    const number = Number(lane);
    if (word === "begin") {
      this.#pending.set(number, { key, body: Number(size) < 0 ? null : { seed: Number(seed), size: Number(size) } });
      return true;
    }
    const change = this.#pending.get(number);
    if (change === undefined || !["done", "failed", "unsure"].includes(String(word))) return false;
    this.#pending.delete(number);
    if (word === "done") this.#acknowledge(change);
    else this.refused++;
    if (word === "unsure") this.#doubt(change);
    return true;
  }

  /** The writer was killed: what it had under way may have happened. */
  writerKilled() {
    for (const change of this.#pending.values()) this.#doubt(change);
    this.#pending.clear();
  }

  /** Every key ever written, with the bodies it may have; the one that was acknowledged first. */
  *entries() {
    for (const key of new Set([...this.#known.keys(), ...this.#unsure.keys()])) {
      yield { key, bodies: [this.#known.get(key) ?? null, ...(this.#unsure.get(key) ?? [])] };
    }
  }

  /** @param {Change} change */
  #acknowledge({ key, body }) {
    this.#known.set(key, body);
    // Later than whatever was in doubt.
    this.#unsure.delete(key);
    this.acknowledged++;
    this.bytes += body?.size ?? 0;
  }

  /** @param {Change} change */
  #doubt({ key, body }) {
    this.#unsure.set(key, [...(this.#unsure.get(key) ?? []), body]);
  }
}
