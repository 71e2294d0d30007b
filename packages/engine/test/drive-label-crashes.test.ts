/**
 * A crash before every single write of a label while a store changes its shape: the drives are copied as they are then, and the copies opened,
 * with the settings from before and with those to come. Either way everything is there and the change is finished, or can be made again.
 */
import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Drive } from "../src/drive/drive.ts";
import { healSet } from "../src/set/heal-set.ts";
import { unhurried } from "../src/set/pace.ts";
import { addDrives } from "../src/store/add-drives.ts";
import { drainPlace, markDraining } from "../src/store/drain-drives.ts";
import { replaceDrive } from "../src/store/replace-drive.ts";
import type { DrivePlace } from "../src/store/topology.ts";
import { type DriveWorld, makeDriveWorld, type OpenDriveWorld } from "../src/testing/drive-world.ts";
import { interceptDrive } from "../src/testing/intercept-drive.ts";
import { bodyOf, expectBodies, put } from "../src/testing/set-operations.ts";

let world: DriveWorld;
const bodies = new Map<string, Uint8Array>();
beforeEach(async () => {
  world = await makeDriveWorld();
  bodies.clear();
});
afterEach(() => world.remove());

async function write({ set }: OpenDriveWorld): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const name = `n${String(bodies.size).padStart(3, "0")}`;
    bodies.set(name, bodyOf(name, 100 + i * 50));
    await put(set, name, bodies.get(name) as Uint8Array);
  }
}

/** Does something, and gives copies of all drives as they were before each label and after the last. */
async function crashing(
  numbers: readonly number[],
  erasure: { data: number; parity: number },
  work: (open: OpenDriveWorld) => Promise<unknown>,
) {
  const copies: string[] = [];
  const copy = async (): Promise<void> => {
    const to = join(world.folder, `copy${copies.length}`);
    for (const name of await readdir(world.folder)) {
      if (/^d\d$/.test(name))
        await cp(world.path(name), join(to, name), { recursive: true, filter: (from) => !/lock\.|\/index$/.test(from) });
    }
    copies.push(to);
  };
  let isCounting = false;
  // One label after another, though the store writes them all at once: each may be the last one.
  let last: Promise<unknown> = Promise.resolve();
  const wrap = (drive: Drive): Drive =>
    interceptDrive(drive, {
      around(call, proceed) {
        if (!isCounting || call.operation !== "replaceFile" || call.name !== "label") return proceed();
        const written = last.then(copy).then(() => proceed());
        last = written.catch(() => undefined);
        return written;
      },
    });
  const open = await world.open({ drives: world.paths(...numbers), erasure }, { wrap });
  await write(open);
  isCounting = true;
  await work(open);
  await copy();
  isCounting = false;
  await open.close();
  return copies;
}

async function openCopy(copy: string, numbers: readonly number[]): Promise<OpenDriveWorld> {
  const open = await world.open({ drives: numbers.map((number) => join(copy, `d${number}`)), create: false });
  await open.watcher.look();
  await expectBodies(open.set, bodies);
  return open;
}

/** Heals, and opens once more with any drive away. */
async function expectWhole(open: OpenDriveWorld, numbers: readonly number[], copy: string): Promise<void> {
  const healing = healSet(open.set, { pacer: unhurried });
  while ((await healing.next()).done !== true);
  expect(open.set.status().redundancy).toBe(1);
  await put(open.set, "n", new Uint8Array(10));
  await open.close();
  await rm(join(copy, `d${numbers[0]}`), { recursive: true });
  const degraded = await openCopyOf(copy, numbers.slice(1));
  await degraded.close();
}

async function openCopyOf(copy: string, numbers: readonly number[]): Promise<OpenDriveWorld> {
  const open = await world.open({ drives: numbers.map((number) => join(copy, `d${number}`)), create: false });
  await expectBodies(open.set, new Map([...bodies, ["n", new Uint8Array(10)]]));
  return open;
}

const twoAndOne = { data: 2, parity: 1 };

describe("a crash while", () => {
  it("a drive is replaced", async () => {
    const copies = await crashing([1, 2, 3], twoAndOne, (open) => replaceDrive(open.drives, world.path("d2"), world.path("d4")));
    expect(copies).toHaveLength(4);
    for (const [step, copy] of copies.entries()) {
      // The settings are changed right after the first label.
      if (step <= 1) {
        const again = `${copy}-again`;
        await cp(copy, again, { recursive: true });
        const before = await openCopy(again, [1, 2, 3]);
        await replaceDrive(before.drives, join(again, "d2"), join(again, "d4"));
        await expectWhole(before, [1, 4, 3], again);
      }
      if (step >= 1) await expectWhole(await openCopy(copy, [1, 4, 3]), [1, 4, 3], copy);
    }
  });

  it("a drive joins a set", async () => {
    const copies = await crashing([1, 2, 3], twoAndOne, (open) => addDrives(open.drives, [world.path("d4")]));
    expect(copies).toHaveLength(5);
    for (const [step, copy] of copies.entries()) {
      if (step <= 1) {
        const again = `${copy}-again`;
        await cp(copy, again, { recursive: true });
        const before = await openCopy(again, [1, 2, 3]);
        expect(before.states()).toHaveLength(3);
        await addDrives(before.drives, [join(again, "d4")]);
        await expectWhole(before, [1, 2, 3, 4], again);
      }
      if (step >= 1) await expectWhole(await openCopy(copy, [1, 2, 3, 4]), [1, 2, 3, 4], copy);
    }
  });

  it("drives become a set", async () => {
    const copies = await crashing([1, 2], { data: 1, parity: 1 }, (open) => addDrives(open.drives, world.paths(3, 4)));
    expect(copies).toHaveLength(9);
    for (const [step, copy] of copies.entries()) {
      if (step <= 2) {
        const again = `${copy}-again`;
        await cp(copy, again, { recursive: true });
        const before = await openCopy(again, [1, 2]);
        expect(before.drives.sets).toHaveLength(1);
        await addDrives(before.drives, [join(again, "d3"), join(again, "d4")]);
        expect(before.drives.topology.weights).toHaveLength(2);
        await before.close();
      }
      if (step >= 2) {
        const after = await openCopy(copy, [1, 2, 3, 4]);
        expect(after.drives.topology.weights).toHaveLength(2);
        expect(after.drives.topology.movingFrom).toHaveLength(1);
        await after.close();
      }
    }
  });

  it("a drive is drained", async () => {
    const copies = await crashing([1, 2, 3, 4], twoAndOne, async (open) => {
      const place = (await markDraining(open.drives, world.path("d2"))) as DrivePlace;
      expect(await drainPlace(open.drives, place, { rewriteBlobs: async () => undefined })).toBe("left");
    });
    expect(copies).toHaveLength(8);
    for (const copy of copies) {
      const open = await openCopy(copy, [1, 2, 3, 4]);
      const healing = healSet(open.set, { pacer: unhurried });
      while ((await healing.next()).done !== true);
      for (const place of open.drives.topology.drainingDrives) {
        expect(await drainPlace(open.drives, place, { rewriteBlobs: async () => undefined })).toBe("left");
      }
      await expectBodies(open.set, bodies);
      expect(open.set.status().redundancy).toBe(1);
      await open.close();
    }
  });
});
