/**
 * A process that writes at full speed on drives that are small ext4 file systems of their own, while they fill up, or turn read-only as ext4
 * does on a damaged device. Puts are refused with an error that says why; what is there is read, listed and deleted; nothing
 * acknowledged is lost, and puts work again with space freed or the drives mounted anew.
 */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { KiB, MiB } from "../src/base/units.ts";
import type { Store } from "../src/engine.ts";
import { type CompiledScript, compileForChild } from "../src/testing/compile-for-child.ts";
import { ObjectLedger } from "../src/testing/object-ledger.ts";
import { RunningWriter } from "../src/testing/run-writer.ts";
import { type Ext4Mount, mountExt4, whyNoExt4 } from "../src/testing/small-mount.ts";
import { makeTemporaryStore, patterned, refusal, type TemporaryStore } from "../src/testing/temporary-store.ts";
import { writerSettings } from "../src/testing/writer-protocol.ts";

const whyNot = await whyNoExt4();
if (whyNot !== undefined) it(`small ext4 file systems are not tried here: ${whyNot}`, () => {});

/** What writers may be told when drives are full or read-only. */
const expectedCodes = ["DRIVE_FULL", "WRITE_QUORUM_LOST", "PRECONDITION_FAILED"];

let script: CompiledScript;
let place: TemporaryStore;
const mounts: Ext4Mount[] = [];
let writer: RunningWriter | undefined;
beforeAll(async () => {
  script = await compileForChild("testing/writer-child.ts");
});
afterAll(() => script.remove());
afterEach(async () => {
  await writer?.kill();
  await place.remove();
  for (const mount of mounts.splice(0)) await mount.remove();
});

async function makeDrives(count: number, sizeBytes: number): Promise<void> {
  place = await makeTemporaryStore(0);
  for (let i = 0; i < count; i++) mounts.push(await mountExt4(sizeBytes));
}

/** The index has a place of its own: here the drives fail. */
const settings = () => ({
  ...writerSettings,
  drives: mounts.map(({ path }) => path),
  indexDirectory: join(place.folder, "index"),
  reserve: 256 * KiB,
});

async function startWriter(ledger: ObjectLedger, seed: number): Promise<RunningWriter> {
  const started = new RunningWriter(script.path);
  writer = started;
  started.order({ settings: settings(), seed, lanes: 6, largeBytesMax: 300 * KiB, watchDrives: true }, ledger);
  if (!(await started.reached(({ type }) => type === "open"))) throw new Error(`the store was not opened: ${await started.kill()}`);
  return started;
}

/** Lets it go on until something was refused, and for a while longer. */
async function untilRefused(started: RunningWriter, ledger: ObjectLedger): Promise<void> {
  const refused = (): boolean => expectedCodes.slice(0, 2).some((code) => ledger.failures.has(code));
  for (let i = 0; i < 300 && !refused(); i++) await started.says(50);
  await started.says(300);
  expect(await started.kill()).toBe("");
  expect(refused(), `something was refused: ${JSON.stringify([...ledger.failures])}`).toBe(true);
  expect([...ledger.failures.keys()].filter((code) => !expectedCodes.includes(code))).toEqual([]);
  expect([...ledger.unread], "everything was read all the time").toEqual([]);
}

async function checkStore(ledger: ObjectLedger, also: (store: Store) => Promise<void> = async () => {}): Promise<void> {
  const store = await place.open(settings());
  await ledger.check(store);
  await also(store);
  await store.close();
}

describe.runIf(whyNot === undefined)("a process that writes", () => {
  it("until its drives are full loses nothing, and goes on when objects are deleted", { timeout: 180_000 }, async () => {
    await makeDrives(4, 20 * MiB);
    const ledger = new ObjectLedger();
    const store = await place.open(settings());
    const bucket = await store.createBucket("things");
    const ballast = await store.createBucket("ballast");
    for (let i = 0; i < 9; i++) await ballast.put(`ballast-${i}`, patterned(1 * MiB, i));
    await bucket.put("once", "more");
    await bucket.delete("once");
    await store.close();
    await untilRefused(await startWriter(ledger, 1), ledger);
    await checkStore(ledger, async (again) => {
      for (let i = 0; i < 9; i++) {
        const body = await (await again.bucket("ballast").get(`ballast-${i}`)).bytes();
        expect(Buffer.compare(body, patterned(1 * MiB, i))).toBe(0);
        await again.bucket("ballast").delete(`ballast-${i}`);
      }
    });
    const before = ledger.acknowledged;
    const next = await startWriter(ledger, 2);
    await next.says(100);
    expect(await next.kill()).toBe("");
    expect(ledger.acknowledged).toBeGreaterThan(before);
    await checkStore(ledger);
  });

  it("while somebody else fills one drive, then all, and clears them", { timeout: 180_000 }, async () => {
    await makeDrives(4, 32 * MiB);
    const ledger = new ObjectLedger();
    const fill = (mount: Ext4Mount) => writeFile(`${mount.path}/.filler`, new Uint8Array(40 * MiB)).catch(() => {});
    for (const [round, count] of [1, 4].entries()) {
      const started = await startWriter(ledger, round);
      await started.says(100);
      await Promise.all(mounts.slice(0, count).map(fill));
      if (count === 4) await untilRefused(started, ledger);
      await started.says(200);
      expect(await started.kill()).toBe("");
      await checkStore(ledger);
      for (const mount of mounts) await rm(`${mount.path}/.filler`, { force: true });
      await checkStore(ledger, async (store) => {
        await store.bucket("things").put("fits", patterned(300 * KiB));
        await store.bucket("things").delete("fits");
      });
    }
  });

  it("while one of its drives turns read-only, then another, until they are mounted anew", { timeout: 180_000 }, async () => {
    await makeDrives(4, 48 * MiB);
    const ledger = new ObjectLedger();
    const started = await startWriter(ledger, 3);
    await started.says(100);
    const [first, second] = mounts as [Ext4Mount, Ext4Mount];
    await first.abort();
    const isFailed = (drives: readonly { location: string; state: string }[]): boolean =>
      drives.some(({ location, state }) => location === first.path && state === "failed");
    expect(await started.reached((line) => line.type === "drives" && isFailed(line.drives))).toBe(true);
    const before = ledger.acknowledged;
    await started.says(200);
    expect(ledger.acknowledged, "three of four drives are enough").toBeGreaterThan(before);
    await second.abort();
    await untilRefused(started, ledger);
    // Read-only as it is, two of four cannot be opened for writing, but everything is read.
    await checkStore(ledger, async (store) => {
      await refusal(store.bucket("things").put("x", "y"), "WRITE_QUORUM_LOST");
    });
    await first.mountAgain();
    await second.mountAgain();
    await checkStore(ledger, async (store) => {
      await store.bucket("things").put("fits", patterned(300 * KiB));
      await store.bucket("things").delete("fits");
      expect((await store.verify()).unrepairable).toBe(0);
    });
  });
});
