/**
 * Power cuts on real file systems: each drive is an ext4 of its own, all of them stop at once while a process writes, and are mounted anew.
 * Every acknowledged change is there then, byte for byte; of a change under way all or nothing. After some cuts the power fails again
 * right after the store was closed.
 *
 * `HOLDFAST_CUTS` sets the number of cuts, `HOLDFAST_SEED` the seed of a run that is to be repeated.
 */
import { AssertionError } from "node:assert";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isHoldfastError } from "../src/base/errors.ts";
import { createSeededRandom } from "../src/base/random.ts";
import { KiB, MiB } from "../src/base/units.ts";
import type { StoreSettings } from "../src/store/settings.ts";
import { type CompiledScript, compileForChild } from "../src/testing/compile-for-child.ts";
import { ObjectLedger } from "../src/testing/object-ledger.ts";
import { cutPower, inOtherBoot, whyNoPowerCuts } from "../src/testing/power-cut.ts";
import { straceWrapper, syncCalls, whyNoStrace } from "../src/testing/run-strace.ts";
import { RunningWriter } from "../src/testing/run-writer.ts";
import { type Ext4Mount, mountExt4 } from "../src/testing/small-mount.ts";
import { makeTemporaryStore, type TemporaryStore } from "../src/testing/temporary-store.ts";
import { writerSettings } from "../src/testing/writer-protocol.ts";

const cuts = Number(process.env.HOLDFAST_CUTS ?? 20);
const cutsOfStore = 10;
const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 1e6));
const driveBytes = 48 * MiB;

const whyNot = await whyNoPowerCuts();
if (whyNot !== undefined) it(`power cuts are not tried here: ${whyNot}`, () => {});
const whyNoTrace = await whyNoStrace();
if (whyNot === undefined && whyNoTrace !== undefined) it(`the test of power cuts is not tested itself: ${whyNoTrace}`, () => {});

let script: CompiledScript;
let place: TemporaryStore;
let mounts: Ext4Mount[];
let ledger: ObjectLedger;
let writer: RunningWriter | undefined;
beforeAll(async () => {
  script = await compileForChild("testing/writer-child.ts");
});
afterAll(() => script.remove());
beforeEach(makeStore);
afterEach(removeStore);

async function makeStore(): Promise<void> {
  place = await makeTemporaryStore(0);
  ledger = new ObjectLedger();
  mounts = [];
  for (let i = 0; i < 4; i++) mounts.push(await mountExt4(driveBytes));
}

async function removeStore(): Promise<void> {
  await writer?.kill();
  writer = undefined;
  await place.remove();
  for (const mount of mounts) await mount.remove();
}

const drives = (): string[] => mounts.map(({ path }) => path);

/** Lets a process write, cuts the power under it, and starts the machine again. */
async function writeAndCut(
  options: { boot: number; seed: number; lines: number; stopFirst: boolean },
  broken: { settings?: StoreSettings; wrapper?: readonly string[] } = {},
): Promise<void> {
  const wrapper = [...(await inOtherBoot(place.folder, `start-${options.boot}`)), ...(broken.wrapper ?? [])];
  writer = new RunningWriter(script.path, { wrapper });
  const settings = { ...writerSettings, ...broken.settings, drives: drives() };
  writer.order({ settings, seed: options.seed, lanes: 6, largeBytesMax: 200 * KiB }, ledger);
  if (!(await writer.reached(({ type }) => type === "open"))) throw new Error(`the store was not opened: ${await writer.kill()}`);
  await writer.says(options.lines);
  // Stopped, it cannot do anything between the first drive's end and the last one's.
  if (options.stopFirst) writer.child.signal("SIGSTOP");
  await restart();
}

async function restart(): Promise<void> {
  await cutPower(drives());
  await writer?.kill();
  writer = undefined;
  for (const mount of mounts) await mount.mountAgain();
}

async function check(): Promise<void> {
  const store = await place.open({ ...writerSettings, drives: drives() });
  if ((await store.buckets()).length === 0) await store.createBucket("things");
  await ledger.check(store);
  expect((await store.verify()).findings).toEqual([]);
  await store.close();
}

describe.runIf(whyNot === undefined)("power cuts", () => {
  it(`lose nothing that was acknowledged, over ${cuts} of them (HOLDFAST_SEED=${seed})`, { timeout: 60_000 + cuts * 5000 }, async () => {
    const random = createSeededRandom(seed);
    let acknowledged = 0;
    for (let cut = 0; cut < cuts; cut++) {
      if (cut > 0 && cut % cutsOfStore === 0) {
        acknowledged += ledger.acknowledged;
        await removeStore();
        await makeStore();
      }
      await writeAndCut({ boot: cut, seed: random.below(1e6), lines: 1 + random.below(120), stopFirst: random.below(2) === 0 });
      await check();
      if (random.below(3) === 0) await restart();
    }
    process.stdout.write(`${cuts} power cuts, ${acknowledged + ledger.acknowledged} acknowledged changes, HOLDFAST_SEED=${seed}\n`);
  });

  // Otherwise the test above would show nothing.
  it.runIf(whyNoTrace === undefined).each([
    ["of anything", { durability: "relaxed" }, syncCalls],
    ["of large objects", {}, ["fdatasync"]],
  ] as const)("are seen to lose what a broken system only pretends to sync: %s", { timeout: 120_000 }, async (_, settings, calls) => {
    for (let cut = 0; cut < 10; cut++) {
      const pretend = straceWrapper("/dev/null", [{ calls, outcome: "pretend" }]);
      await writeAndCut({ boot: cut, seed: cut, lines: 100, stopFirst: true }, { settings, wrapper: pretend });
      try {
        await check();
      } catch (error) {
        if (!(error instanceof AssertionError || isHoldfastError(error))) throw error;
        return;
      }
    }
    throw new Error("no cut lost anything of what was not synced");
  });
});
