/**
 * The process whose plug is pulled: it opens the store and writes as fast as it can until it is killed, or told to stop on stdin. It prints
 * what it is about to do and what was acknowledged, so that nothing has to be believed:
 *
 *   begin LANE KEY SEED SIZE     a put begins (SIZE -1: a delete)
 *   done LANE                    it was acknowledged
 *   failed LANE CODE             it was refused: nothing of it happened
 *   unsure LANE CODE             nobody knows whether it happened
 *   status JSON                  ten times a second: how the store stands
 *   event JSON                   what the store says happened
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { isHoldfastError, openStore } from "@holdfast/engine";
import { bytesOf, createRandom } from "./bodies.mjs";

const lanes = 8;
const keysOfLane = 120;
const statusEveryMs = 100;
let stopped = false;
let replacing = Promise.resolve();
/** Drives that were missing when the first replacement came. @type {string[] | undefined} */
let lost;

/** Prints a line before anything else happens, also when whoever reads is slow. @param {string} text */
function say(text) {
  let bytes = Buffer.from(`${text}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** @typedef {import("@holdfast/engine").Store} Store */
/** @typedef {ReturnType<Store["bucket"]>} Bucket */

const { settings, seed } = JSON.parse(process.argv[2] ?? "{}");
const store = await openStore(settings, { onEvent: (event) => say(`event ${JSON.stringify(event)}`) });
const bucket = (await store.buckets()).length === 0 ? await store.createBucket("things") : store.bucket("things");
say("open");

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "stop") stopped = true;
  if (line === "verify") void verify();
  if (line.startsWith("replace ")) replacing = replacing.then(() => replace(line.slice("replace ".length)));
});
const watching = watch();
await Promise.all(Array.from({ length: lanes }, (_, lane) => write(lane)));
await watching;
await store.close();
say("closed");
process.exit(0);

/** One line of work with keys of its own. @param {number} lane */
async function write(lane) {
  const random = createRandom(seed * 64 + lane + 1);
  while (!stopped) {
    const key = `lane-${lane}/${random.below(keysOfLane)}`;
    const size = random.below(10) === 0 ? -1 : sizeFrom(random);
    const bodySeed = random.below(2 ** 31) + 1;
    say(`begin ${lane} ${key} ${bodySeed} ${size}`);
    try {
      if (size < 0) await bucket.delete(key);
      else await bucket.put(key, bytesOf({ seed: bodySeed, size }));
      say(`done ${lane}`);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      say(`${error.details.indeterminate === true ? "unsure" : "failed"} ${lane} ${error.code}`);
      // Drives are being pulled: what is refused now is taken again in a moment.
      await sleep(20);
    }
  }
}

/** Mostly small ones, now and then one of several stripes. @param {ReturnType<typeof createRandom>} random */
function sizeFrom(random) {
  return random.below(40) === 0 ? 256 * 1024 + random.below(2 ** 20) : random.below(24 * 1024);
}

async function watch() {
  while (!stopped) {
    const { sets, writable } = await store.status();
    const drives = sets.flatMap((set) => set.drives.map(({ id, location, state }) => ({ id, location, state })));
    say(`status ${JSON.stringify({ writable, redundancy: Math.min(...sets.map((set) => set.redundancy)), drives })}`);
    await sleep(statusEveryMs);
  }
}

/** @param {string} drive */
async function replace(drive) {
  lost ??= (await store.status()).sets.flatMap((set) => set.drives.filter(({ location }) => location === undefined).map(({ id }) => id));
  const id = lost.shift();
  if (id !== undefined) await store.drives.replace(id, drive);
}

async function verify() {
  try {
    const { checked, faults, unrepairable } = await store.verify();
    say(`verified ${JSON.stringify({ checked, faults, unrepairable })}`);
  } catch (error) {
    say(`verified ${JSON.stringify({ failure: error instanceof Error ? error.message : String(error) })}`);
  }
}
