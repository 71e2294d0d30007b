/** One at a time for each object key: moves of a key, and what must wait for them. In memory only: one process owns a store. */
import { keyText, type ObjectKey } from "./key-entries.ts";

interface Line {
  /** Settles when everybody so far is done. Never rejects. */
  last: Promise<unknown>;
  length: number;
}

export class KeyGate {
  readonly #lines = new Map<string, Line>();

  /** Runs `run` when everybody who came before for this key is done. */
  async run<T>(key: ObjectKey, run: () => Promise<T>): Promise<T> {
    const text = keyText(key);
    const line = this.#lines.get(text) ?? { last: Promise.resolve(), length: 0 };
    this.#lines.set(text, line);
    line.length++;
    const done = line.last.then(run);
    line.last = done.catch(() => undefined);
    try {
      return await done;
    } finally {
      line.length--;
      if (line.length === 0) this.#lines.delete(text);
    }
  }

  /** True when somebody waits for this key. */
  isAwaited(key: ObjectKey): boolean {
    return (this.#lines.get(keyText(key))?.length ?? 0) > 1;
  }
}
