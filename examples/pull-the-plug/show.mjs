/**
 * The story: a store over six drives, coded 4+2, is written to at full speed while its drives are destroyed, bits in its files flip and
 * its process is killed, again and again; lost drives are replaced by empty directories, which the store rebuilds by itself. At the end
 * two drives are taken away once more and everything that was ever acknowledged is read back and compared.
 */
import { rename } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "./bodies.mjs";
import { destroyDrive, flipBits, insertEmptyDrive } from "./damage.mjs";
import { Ledger } from "./ledger.mjs";
import { PluggedWriter } from "./plugged-writer.mjs";
import { readBack } from "./read-back.mjs";
import { count, size } from "./report.mjs";

/** @typedef {import("./report.mjs").Report} Report */
/** @typedef {import("./picture.mjs").Sample} Sample */
/** @typedef {import("./picture.mjs").Mark} Mark */
/** @typedef {import("./picture.mjs").Span} Span */

const erasure = { data: 4, parity: 2 };
const driveNames = ["d1", "d2", "d3", "d4", "d5", "d6"];
const bitsFlipped = 40;
const pollMs = 20;

/** @param {{ data: string; seconds: number; seed: number; report: Report; signal?: AbortSignal | undefined }} options */
export async function pullThePlug(options) {
  const show = new Show(options);
  try {
    return await show.run();
  } finally {
    await show.writer?.kill();
  }
}

class Show {
  /** @type {PluggedWriter | undefined} */
  writer;
  #ledger = new Ledger();
  /** @type {Sample[]} */
  #samples = [];
  /** @type {Mark[]} */
  #marks = [];
  /** @type {Span[]} */
  #down = [];
  /** Names of drives by their id. @type {Map<string, string>} */
  #names = new Map();
  #starts = 0;
  #startMs = performance.now();
  #options;
  #settings;
  #random;

  /** @param {Parameters<typeof pullThePlug>[0]} options */
  constructor(options) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#settings = {
      drives: driveNames.map((name) => this.#drive(name)),
      erasure,
      packSize: "4MiB",
      upkeep: { watchEvery: "100ms", rate: "256MiB" },
    };
  }

  async run() {
    const [a, b, c, d, e, f] = this.#shuffled(driveNames);
    const { seconds, report } = this.#options;
    report.say(`Six drives coded 4+2 in ${this.#options.data}; a process writes to them at full speed.`);
    await this.#start();
    await this.#until(0.12 * seconds);
    await this.#destroy(a);
    await this.#until(0.2 * seconds);
    await this.#flip(b);
    await this.#until(0.26 * seconds);
    await this.#replace(a);
    await this.#until(0.42 * seconds);
    await this.#verify();
    await this.#until(0.52 * seconds);
    await this.#killAndStart();
    await this.#until(0.62 * seconds);
    await this.#destroy(c, d);
    await this.#until(0.72 * seconds);
    await this.#killAndStart();
    await this.#until(0.8 * seconds);
    await this.#replaceByCommand(c, d);
    await this.#flip(e);
    await this.#until(0.95 * seconds);
    await this.#verify();
    await this.#until(seconds);
    await this.writer?.stop();
    const lasted = this.#nowS();
    return { ...(await this.#readBack([b, f])), picture: this.#picture(lasted), acknowledged: this.#ledger.acknowledged };
  }

  /** @param {string} name */
  #drive(name) {
    return path.join(this.#options.data, name);
  }

  #nowS() {
    return (performance.now() - this.#startMs) / 1000;
  }

  /** @param {readonly string[]} names @returns {[string, string, string, string, string, string]} */
  #shuffled(names) {
    const left = [...names];
    return /** @type {any} */ (names.map(() => left.splice(this.#random.below(left.length), 1)[0]));
  }

  /** @param {string} text */
  #mark(text) {
    const atS = this.#nowS();
    this.#marks.push({ atS, text });
    this.#options.report.event(atS, text);
  }

  async #start() {
    this.writer = new PluggedWriter({
      settings: this.#settings,
      seed: this.#options.seed * 16 + this.#starts++,
      ledger: this.#ledger,
      onStatus: (status) => this.#sample(status),
      onEvent: (event) => this.#tell(event),
    });
    await this.#wait(() => this.writer?.isOpen === true, "the store is open");
  }

  /** @param {import("./plugged-writer.mjs").Status} status */
  #sample({ redundancy, drives }) {
    /** @type {Record<string, string>} */
    const states = {};
    for (const { id, location, state } of drives) {
      if (location === undefined) continue;
      states[path.basename(location)] = state;
      this.#names.set(id, path.basename(location));
    }
    this.#samples.push({ atS: this.#nowS(), redundancy, drives: states });
  }

  /** What the store itself says. @param {import("@holdfast/engine").StoreEvent} event */
  #tell(event) {
    const { report } = this.#options;
    const name = event.type === "drive" ? (this.#names.get(event.driveId) ?? path.basename(event.location ?? "a drive")) : "";
    if (event.type === "drive") report.event(this.#nowS(), `  store: ${name} ${event.from} → ${event.to}`);
    if (event.type === "rebuild" && event.phase !== "started")
      report.event(this.#nowS(), `  store: rebuild ${event.phase}, ${count(event.repaired)} pieces made again`);
  }

  /** @param {...string} names */
  async #destroy(...names) {
    this.#mark(`${names.join(" and ")} destroyed: rm -rf`);
    await Promise.all(names.map((name) => destroyDrive(this.#drive(name))));
    await this.#wait(() => (this.writer?.status?.redundancy ?? erasure.parity) <= erasure.parity - names.length, "the store has noticed");
  }

  /** The store notices an empty directory by itself. @param {string} name */
  async #replace(name) {
    this.#mark(`${name} replaced by an empty directory`);
    await insertEmptyDrive(this.#drive(name));
    await this.#rebuilt(name);
  }

  /** A process that was started without the drives does not know where they were, so it is told. @param {...string} names */
  async #replaceByCommand(...names) {
    this.#mark(`${names.join(" and ")} replaced by new drives`);
    for (const name of names) this.writer?.replace(this.#drive(name));
    await this.#rebuilt(...names);
  }

  /** @param {...string} names */
  async #rebuilt(...names) {
    const joined = () =>
      this.writer?.status?.drives.filter(({ location }) => names.some((name) => location === this.#drive(name))).length === names.length;
    await this.#wait(() => joined() && this.writer?.status?.redundancy === erasure.parity, "everything is rebuilt");
    this.#mark(`${names.join(" and ")} rebuilt: any two drives may be lost again`);
  }

  /** @param {string} name */
  async #flip(name) {
    const flipped = await flipBits(this.#drive(name), { count: bitsFlipped, random: this.#random });
    this.#mark(`${flipped} bits flipped on ${name}`);
  }

  async #killAndStart() {
    this.#mark("process killed with SIGKILL, and started again");
    const fromS = this.#nowS();
    await this.writer?.kill();
    await this.#start();
    const toS = this.#nowS();
    this.#down.push({ fromS, toS });
    this.#options.report.event(
      toS,
      `  open again after ${(toS - fromS).toFixed(1)} s, with ${count(this.#ledger.acknowledged)} changes acknowledged so far`,
    );
  }

  async #verify() {
    this.writer?.startVerify();
    await this.#wait(() => this.writer?.verified !== undefined, "everything is verified");
    const { checked, faults, unrepairable } = /** @type {Record<string, number>} */ (this.writer?.verified ?? {});
    this.#mark(`verified while writing: ${count(checked ?? 0)} pieces checked, ${count(faults ?? 0)} of them damaged, and repaired`);
    if (unrepairable !== 0) throw new Error(`${unrepairable} pieces cannot be repaired`);
  }

  /** @param {number} atS */
  async #until(atS) {
    await this.#wait(() => this.#nowS() >= atS, "its time has come");
  }

  /** Waits, and shows progress meanwhile. @param {() => boolean} done @param {string} what */
  async #wait(done, what) {
    const { report, seconds, signal } = this.#options;
    const limitMs = performance.now() + 60_000 + 1000 * seconds;
    while (!done()) {
      signal?.throwIfAborted();
      this.writer?.check();
      if (performance.now() > limitMs) throw new Error(`it takes too long until ${what}`);
      report.progress(() => this.#progress());
      await sleep(pollMs);
    }
  }

  #progress() {
    const { acknowledged, bytes, refused } = this.#ledger;
    const status = this.writer?.status;
    const parts = [`${count(acknowledged)} changes acknowledged, ${size(bytes)}`];
    if (refused > 0) parts.push(`${count(refused)} refused`);
    if (status !== undefined) parts.push(`${Math.max(0, status.redundancy)} more drives may be lost`);
    for (const { location, state } of status?.drives ?? [])
      if (state !== "online" && location !== undefined) parts.push(`${path.basename(location)} ${state}`);
    return `${this.#nowS().toFixed(0)} s: ${parts.join(", ")}`;
  }

  /** @param {readonly string[]} away */
  async #readBack(away) {
    const { report } = this.#options;
    report.say(`Now ${away.join(" and ")} are taken away, and everything is read back and compared.`);
    for (const name of away) await rename(this.#drive(name), `${this.#drive(name)}.away`);
    return readBack(this.#settings, this.#ledger);
  }

  /** @param {number} seconds */
  #picture(seconds) {
    const { acknowledged, bytes } = this.#ledger;
    const title = `Pull the plug: ${count(acknowledged)} changes, ${size(bytes)}, nothing acknowledged lost`;
    return { title, seconds, parity: erasure.parity, drives: driveNames, samples: this.#samples, marks: this.#marks, down: this.#down };
  }
}
