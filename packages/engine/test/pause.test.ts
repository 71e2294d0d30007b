/**
 * Processes that are stopped in the middle of writes, as by a hypervisor or an overloaded machine, and go on later. Nobody may take the
 * store from them meanwhile; when they go on, or die without going on, nothing acknowledged is lost.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../src/base/clock.ts";
import { KiB } from "../src/base/units.ts";
import { type CompiledScript, compileForChild } from "../src/testing/compile-for-child.ts";
import { ObjectLedger } from "../src/testing/object-ledger.ts";
import { RunningWriter } from "../src/testing/run-writer.ts";
import { makeTemporaryStore, refusal, type TemporaryStore } from "../src/testing/temporary-store.ts";
import { writerSettings } from "../src/testing/writer-protocol.ts";

const pauses = 12;

let script: CompiledScript;
let place: TemporaryStore;
let ledger: ObjectLedger;
const writers: RunningWriter[] = [];
beforeAll(async () => {
  script = await compileForChild("testing/writer-child.ts");
});
afterAll(() => script.remove());
beforeEach(async () => {
  place = await makeTemporaryStore(4);
  ledger = new ObjectLedger();
});
afterEach(async () => {
  for (const writer of writers.splice(0)) await writer.kill();
  await place.remove();
});

async function startWriter(seed: number): Promise<RunningWriter> {
  const writer = new RunningWriter(script.path);
  writers.push(writer);
  writer.order({ settings: { ...writerSettings, drives: place.drives }, seed, lanes: 6, largeBytesMax: 200 * KiB }, ledger);
  expect(await writer.reached(({ type }) => type === "open")).toBe(true);
  return writer;
}

async function checkStore(): Promise<void> {
  const store = await place.open(writerSettings);
  await ledger.check(store);
  expect((await store.verify()).findings).toEqual([]);
  await store.close();
}

// Windows has no signals that stop a process.
describe.runIf(process.platform !== "win32")("a process that is stopped", () => {
  it("keeps its store, and goes on writing as if nothing had been", async () => {
    const writer = await startWriter(1);
    for (let pause = 0; pause < pauses; pause++) {
      await writer.says(10 + pause);
      writer.child.signal("SIGSTOP");
      await systemClock.sleep(pause === 0 ? 2000 : 20);
      if (pause % 4 === 0) {
        const error = await refusal(place.open(), "STORE_LOCKED", String(writer.child.pid));
        expect(error.details).toMatchObject({ pid: writer.child.pid });
      }
      writer.child.signal("SIGCONT");
    }
    const before = ledger.acknowledged;
    await writer.says(50);
    expect(ledger.acknowledged).toBeGreaterThan(before);
    expect([...ledger.unread]).toEqual([]);
    expect(await writer.kill()).toBe("");
    await checkStore();
  });

  it("and killed while it stands still has lost nothing", async () => {
    for (let round = 0; round < 5; round++) {
      const writer = await startWriter(100 + round);
      await writer.says(20 + round);
      writer.child.signal("SIGSTOP");
      await refusal(place.open(), "STORE_LOCKED", String(writer.child.pid));
      expect(await writer.kill()).toBe("");
      await checkStore();
    }
  });
});
