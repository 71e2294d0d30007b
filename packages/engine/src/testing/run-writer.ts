import { systemClock } from "../base/clock.ts";
import type { ObjectLedger } from "./object-ledger.ts";
import { type ChildOptions, type RunningChild, startChild } from "./run-child.ts";
import type { WriterLine, WriterOrder } from "./writer-protocol.ts";

/** A writer's process (`writer-child.ts`), whose lines go into a ledger. */
export class RunningWriter {
  readonly child: RunningChild;
  /** Every line so far that is not about an operation. */
  readonly news: WriterLine[] = [];
  #reading: Promise<void> | undefined;
  #linesRead = 0;
  #ended = false;
  readonly #waiting: (() => void)[] = [];

  /** Starts the process; it loads its code and waits for an order, so the next one can be made ready while something else is done. */
  constructor(script: string, options: ChildOptions = {}) {
    this.child = startChild(script, [], options);
  }

  /** Lets it write. Once only. */
  order(order: WriterOrder, ledger: ObjectLedger): void {
    this.child.send(JSON.stringify(order));
    this.#reading = this.#read(ledger);
  }

  /** Waits for a line that fits; false when the writer ended without it. */
  async reached(fits: (line: WriterLine) => boolean): Promise<boolean> {
    while (!this.news.some(fits)) {
      if (this.#ended) return false;
      await this.#change();
    }
    return true;
  }

  /** Waits until it has said so many lines more, or has ended. */
  async says(lines: number): Promise<void> {
    for (const until = this.#linesRead + lines; this.#linesRead < until && !this.#ended; ) await this.#change();
  }

  /** Kills it, takes in what it said last, and resolves with its stderr. */
  async kill(): Promise<string> {
    // A stopped process dies too.
    await this.child.kill();
    await this.#reading;
    return (await this.child.ended()).stderr;
  }

  /**
   * `kill`, some time after it has begun to open the store, or has it open and has said so many lines.
   * @throws when it ended by itself, with what it said
   */
  async killAfter(when: { readonly from: "start" | "open"; readonly lines: number; readonly afterMs: number }): Promise<void> {
    await this.reached(({ type }) => type === when.from);
    await this.says(when.lines);
    await systemClock.sleep(when.afterMs);
    const alive = !this.#ended;
    const stderr = await this.kill();
    if (stderr !== "" || !alive) throw new Error(`the writer failed: ${stderr} ${JSON.stringify(this.news.slice(-3))}`);
  }

  async #read(ledger: ObjectLedger): Promise<void> {
    for await (const text of this.child.lines) {
      const line = JSON.parse(text) as WriterLine;
      ledger.take(line);
      if (!("number" in line)) this.news.push(line);
      this.#linesRead++;
      this.#wakeAll();
    }
    this.#ended = true;
    ledger.writerEnded();
    this.#wakeAll();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
