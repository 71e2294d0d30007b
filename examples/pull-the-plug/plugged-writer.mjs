/** The writer's process from outside: started, listened to, killed without warning, or ended in peace. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";

/** @typedef {import("./ledger.mjs").Ledger} Ledger */
/** @typedef {{ writable: boolean; redundancy: number; drives: { id: string; location?: string; state: string }[] }} Status */
/** @typedef {import("@holdfast/engine").StoreEvent} StoreEvent */

const script = path.join(import.meta.dirname, "writer.mjs");

export class PluggedWriter {
  /** @type {Status | undefined} */
  status;
  #ended = false;
  #opened = false;
  #stderr = "";
  /** @type {Record<string, unknown> | undefined} */
  #verified;
  #child;
  #closed;

  /**
   * @param {{ settings: object; seed: number; ledger: Ledger; onStatus: (status: Status) => void; onEvent: (event: StoreEvent) => void }} options
   */
  constructor({ settings, seed, ledger, onStatus, onEvent }) {
    this.#child = spawn(process.execPath, [script, JSON.stringify({ settings, seed })], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.setEncoding("utf8").on("data", (text) => {
      this.#stderr += text;
    });
    const lines = createInterface({ input: this.#child.stdout });
    lines.on("line", (line) => {
      if (ledger.take(line)) return;
      const [word, rest] = [line.split(" ", 1)[0], line.slice(line.indexOf(" ") + 1)];
      if (word === "open") this.#opened = true;
      else if (word === "event") onEvent(JSON.parse(rest));
      else if (word === "verified") this.#verified = JSON.parse(rest);
      else if (word === "status") {
        this.status = JSON.parse(rest);
        onStatus(/** @type {Status} */ (this.status));
      }
    });
    this.#closed = Promise.all([once(this.#child, "close"), once(lines, "close")]).then(() => {
      this.#ended = true;
      ledger.writerKilled();
    });
  }

  get isOpen() {
    return this.#opened;
  }

  /** What `verify` has found; undefined before it is through. */
  get verified() {
    return this.#verified;
  }

  /** @throws when the process ended although nobody asked it to */
  check() {
    if (this.#ended) throw new Error(`the writer ended by itself: ${this.#stderr}`);
  }

  startVerify() {
    this.#verified = undefined;
    this.#child.stdin.write("verify\n");
  }

  /** Puts a new drive in the place of one that is missing. @param {string} drive its directory */
  replace(drive) {
    this.#child.stdin.write(`replace ${drive}\n`);
  }

  /** SIGKILL: the process does not run another instruction. */
  async kill() {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  /** Lets it end what it is doing and close the store. */
  async stop() {
    this.#child.stdin.write("stop\n");
    await this.#closed;
    if (this.#child.exitCode !== 0) throw new Error(`the writer ended with ${this.#child.exitCode}: ${this.#stderr}`);
  }
}
