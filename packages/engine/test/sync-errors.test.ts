/**
 * Writes and syncs of a real process that fail with an error, by `strace`. What was acknowledged is there afterwards; the drive is shown as
 * failed; and by the list of its system calls the process asked nothing of that drive any more once it knew, above all no second
 * sync, which could succeed without the bytes of the first.
 *
 * `HOLDFAST_FAULTS` sets the number of processes, `HOLDFAST_SEED` the seed of a run that is to be repeated.
 */
import { join, sep } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSeededRandom } from "../src/base/random.ts";
import { KiB } from "../src/base/units.ts";
import { type CompiledScript, compileForChild } from "../src/testing/compile-for-child.ts";
import { ObjectLedger } from "../src/testing/object-ledger.ts";
import {
  type Injection,
  readTrace,
  straceWrapper,
  syncCalls,
  type TracedCall,
  tracedEnvironment,
  whyNoStrace,
} from "../src/testing/run-strace.ts";
import { RunningWriter } from "../src/testing/run-writer.ts";
import { makeTemporaryStore, type TemporaryStore } from "../src/testing/temporary-store.ts";
import { writerSettings } from "../src/testing/writer-protocol.ts";

const faults = Number(process.env.HOLDFAST_FAULTS ?? 12);
const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 1e6));
const lanes = 6;
const calledOften = ["pwrite64", "pwritev", "fsync", "fdatasync"];
/** Lines a process says after the fault before it is killed: enough to show what it makes of it. */
const linesAfter = 120;

const whyNot = await whyNoStrace();
if (whyNot !== undefined) it(`errors of system calls are not tried here: ${whyNot}`, () => {});

let script: CompiledScript;
let place: TemporaryStore;
let ledger: ObjectLedger;
let writer: RunningWriter | undefined;
beforeAll(async () => {
  script = await compileForChild("testing/writer-child.ts");
});
afterAll(() => script.remove());
beforeEach(makeStore);
afterEach(removeStore);

async function makeStore(): Promise<void> {
  place = await makeTemporaryStore(4);
  ledger = new ObjectLedger();
  const store = await place.open(writerSettings);
  await store.createBucket("things");
  await store.close();
}

async function removeStore(): Promise<void> {
  await writer?.kill();
  await place.remove();
}

interface Outcome {
  readonly calls: TracedCall[];
  readonly stderr: string;
  /** Why the store was not opened, if so. */
  readonly refusal: string | undefined;
}

/** Lets a process write until it has met the fault and gone on for a while, or so long that there will be none. */
async function writeWith(injection: Injection, writerSeed: number): Promise<Outcome> {
  const log = join(place.folder, "trace");
  writer = new RunningWriter(script.path, { wrapper: straceWrapper(log, [injection]), environment: tracedEnvironment });
  const settings = { ...writerSettings, drives: place.drives };
  writer.order({ settings, seed: writerSeed, lanes, largeBytesMax: 200 * KiB, watchDrives: true }, ledger);
  await writer.says(linesAfter + (injection.nth ?? 0));
  const stderr = await writer.kill();
  const calls = await readTrace(log, writer.child.pid);
  const refusal = writer.news.find((line) => line.type === "refused");
  return { calls, stderr, refusal: refusal?.type === "refused" ? refusal.code : undefined };
}

function isOn(path: string, drive: string): boolean {
  return path === drive || path.startsWith(drive + sep);
}

/** What the process did on a drive, but for its lock and the index: neither holds anything that could be lost. */
function callsOn(calls: readonly TracedCall[], drive: string): TracedCall[] {
  return calls.filter(({ path }) => isOn(path, drive) && !/^(lock|index)\b/.test(path.slice(drive.length + 1)));
}

/** Where in the list the process told that a drive has failed; undefined when it did not. */
function toldAt(calls: readonly TracedCall[], drive: string): number | undefined {
  const at = calls.findIndex(({ call, text }) => {
    if (call !== "write") return false;
    return text.replaceAll('\\"', '"').includes(`{"location":"${drive}","state":"failed"}`);
  });
  return at < 0 ? undefined : at;
}

/** The calls after so many operations have begun. */
function afterBegun(calls: readonly TracedCall[], operations: number): readonly TracedCall[] {
  let begun = 0;
  return calls.slice(calls.findIndex(({ text }) => text.includes("begin") && ++begun === operations)).slice(1);
}

/** Compares what a process did on a drive, and told of it, with the fault it met there. */
function checkDrive(calls: readonly TracedCall[], drive: string): void {
  const told = toldAt(calls, drive);
  const failed = callsOn(calls, drive).find(({ injected }) => injected);
  const metNone = !calls.some(({ injected, path }) => injected && isOn(path, drive));
  if (failed === undefined) {
    if (metNone) expect(told, `${drive} did not fail`).toBeUndefined();
    return;
  }
  const at = calls.indexOf(failed);
  const isSync = syncCalls.some((name) => name === failed.call) || failed.path.startsWith(join(drive, "packs"));
  const acknowledgedAfter = calls.slice(at).filter(({ text }) => text.includes("done")).length;
  if (isSync && acknowledgedAfter > 30) expect(told, `${drive} is told to have failed after ${JSON.stringify(failed)}`).toBeDefined();
  const again = calls.slice(at + 1).filter(({ path, call }) => path === failed.path && syncCalls.some((name) => name === call));
  if (isSync) expect(again, "a file whose sync failed is never synced again").toEqual([]);
  if (told === undefined) return;
  const rest = calls.slice(told);
  expect(
    callsOn(rest, drive).filter(({ path }) => path.startsWith(join(drive, "packs"))),
    "a failed drive has no part in the log",
  ).toEqual([]);
  expect(callsOn(afterBegun(rest, 3 * lanes), drive), "nothing is asked of a failed drive, once what was under way has ended").toEqual([]);
}

async function checkStore(): Promise<void> {
  const store = await place.open(writerSettings);
  await ledger.check(store);
  expect((await store.verify()).unrepairable).toBe(0);
  await store.close();
}

describe.runIf(whyNot === undefined)("errors of system calls", () => {
  it(`cost a drive and no acknowledged change, in ${faults} processes (HOLDFAST_SEED=${seed})`, {
    timeout: 60_000 + faults * 8000,
  }, async () => {
    const random = createSeededRandom(seed);
    const met = new Map<string, number>();
    for (let fault = 0; fault < faults; fault++) {
      if (fault > 0) await removeStore().then(makeStore);
      // The kernel's calls are counted one by one: naming two would fail two.
      const call = calledOften[fault % calledOften.length] as string;
      const outcome = (["EIO", "EIO", "ENOSPC", "EROFS"] as const)[random.below(4)] as "EIO";
      const injection: Injection = { calls: [call], outcome, nth: 1 + random.below(60), andAfter: random.below(6) === 0 };
      const result = await writeWith(injection, random.below(1e6));
      const hint = JSON.stringify({ injection, refusal: result.refusal, failures: [...ledger.failures], unread: [...ledger.unread] });
      const inIndex = result.calls.some(({ injected, path }) => injected && path.includes(`${sep}index${sep}`));
      // An index that cannot be written ends the store's work, not the process: its package says so on stderr.
      if (inIndex) expect(result.stderr, hint).not.toContain("Node.js v");
      else if (result.refusal === undefined)
        expect({ stderr: result.stderr, unread: [...ledger.unread] }, hint).toEqual({ stderr: "", unread: [] });
      for (const call of new Set(result.calls.flatMap(({ injected, call }) => (injected ? [call] : []))))
        met.set(call, (met.get(call) ?? 0) + 1);
      for (const drive of place.drives) checkDrive(result.calls, drive);
      await checkStore();
    }
    process.stdout.write(`${faults} processes met failing calls: ${JSON.stringify([...met])}, HOLDFAST_SEED=${seed}\n`);
    expect([...met.keys()].length).toBeGreaterThan(1);
  });
});
