/**
 * What a command prints. Results go to stdout, as text or JSON; progress and errors go to stderr.
 *
 * A reader that goes away (`holdfast ls | head`) is no error: commands that only read stop quietly (`ReaderGone`), commands that change
 * something go on in silence. Any other failure to write is an error of its own.
 */

import type { CommandIo, TerminalStream } from "./command-io.ts";
import { localError } from "./local-error.ts";

/** Thrown when nobody reads the output any more; ends the command with success. */
export class ReaderGone extends Error {
  override readonly name = "ReaderGone";
}

/** Text gathered before it is written: a listing must not cost a system call per line. */
const bufferedCharsMax = 32 * 1024;

/** The output of one run of the command. */
export class Output {
  readonly json: boolean;
  readonly #stdout: TerminalStream;
  readonly #stderr: TerminalStream;
  #buffered = "";
  #gone = false;
  #failure: unknown;

  constructor(io: Pick<CommandIo, "stdout" | "stderr">, json: boolean) {
    this.json = json;
    this.#stdout = io.stdout;
    this.#stderr = io.stderr;
    this.#stdout.on("error", this.#onError);
    this.#stderr.on("error", ignore);
  }

  /** One line of a result: `text`, or `value` as a line of JSON. @throws ReaderGone */
  async line(text: string, value: unknown): Promise<void> {
    this.#buffered += `${this.json ? JSON.stringify(value) : text}\n`;
    if (this.#buffered.length >= bufferedCharsMax) await this.flush();
    this.#check();
  }

  /** The whole result: lines of text, or one JSON document. @throws ReaderGone */
  async document(lines: readonly string[], value: unknown): Promise<void> {
    this.#buffered += this.json ? `${JSON.stringify(value, null, 2)}\n` : lines.map((line) => `${line}\n`).join("");
    await this.flush();
    this.#check();
  }

  /** Bytes of an object. @throws ReaderGone */
  async bytes(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes);
    this.#check();
  }

  /** A line for people beside the result: never in the way of what is read from stdout. */
  note(text: string): void {
    this.#stderr.write(`${text}\n`);
  }

  /** Writes out what is gathered. Does not throw when the reader is gone. */
  async flush(): Promise<void> {
    const text = this.#buffered;
    this.#buffered = "";
    if (text !== "") await this.#write(text);
  }

  /** Stops listening to the streams, which outlive a run in tests. */
  detach(): void {
    this.#stdout.off("error", this.#onError);
    this.#stderr.off("error", ignore);
  }

  async #write(piece: string | Uint8Array): Promise<void> {
    if (this.#gone || this.#failure !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#stdout.write(piece, (error) => {
        if (error !== undefined && error !== null) this.#onError(error);
        resolve();
      });
    });
    if (this.#failure !== undefined) throw localError(this.#failure, { path: "the output", action: "write" });
  }

  #check(): void {
    if (this.#gone) throw new ReaderGone("nobody reads the output any more");
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === "EPIPE" || error.code === "ECONNRESET" || error.code === "ERR_STREAM_DESTROYED") this.#gone = true;
    else this.#failure ??= error;
  };
}

function ignore(): void {
  // Nobody is left to be told.
}
