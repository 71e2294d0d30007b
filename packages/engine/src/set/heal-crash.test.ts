/** Healing with the power cut at every step of it: it goes on, and never says that a drive is whole which is not. */
import { describe, expect, it } from "vitest";
import { KiB } from "../base/units.ts";
import { CrashWorld } from "../testing/crash-drive.ts";
import { heal } from "../testing/heal.ts";
import { bodyOf, put, putBlob, read, readBlob, remove } from "../testing/set-operations.ts";
import { initSetDrive, openTestSet } from "../testing/test-set.ts";
import type { BlobLocation } from "./erasure-set.ts";
import type { OpenSet } from "./open-set.ts";

const profile = { data: 2, parity: 1 };
const settings = { packBytesMax: 4 * KiB, stripeBytes: 4 * KiB };

class Lab {
  readonly bodies = new Map<string, Uint8Array>();
  readonly blobs = new Map<BlobLocation, Uint8Array>();

  open(world: CrashWorld, ...away: number[]): Promise<OpenSet> {
    const drives = world.drives.map((drive, i) => (away.includes(i) ? undefined : drive));
    return openTestSet(drives, { profile, settings });
  }

  async fill(set: OpenSet, tag: string): Promise<void> {
    for (let i = 0; i < 6; i++) await this.put(set, `${tag}${i}`, 500 + 400 * i);
    await remove(set, `${tag}0`);
    this.bodies.delete(`${tag}0`);
    const body = bodyOf(tag, 9000);
    this.blobs.set(await putBlob(set, `~${tag}`, body), body);
  }

  async put(set: OpenSet, name: string, length: number): Promise<void> {
    await put(set, name, bodyOf(name, length));
    this.bodies.set(name, bodyOf(name, length));
  }

  async check(set: OpenSet): Promise<void> {
    for (const [name, body] of this.bodies) expect(Buffer.compare(await read(set, name), body), name).toBe(0);
    for (const [location, body] of this.blobs) expect(Buffer.compare(await readBlob(set, location), body)).toBe(0);
  }
}

/** Makes drive 0 whole: one that is empty, or marked, or was away. */
async function bringBack(lab: Lab, world: CrashWorld, isFresh: boolean): Promise<void> {
  const names = world.drives[0]?.fileNames ?? [];
  const isKnown = names.includes("state") || names.includes("rebuild");
  const set = isKnown ? await lab.open(world) : await lab.open(world, 0);
  const [member] = set.context.members;
  if (!isKnown && member !== undefined) {
    await set.attach(0, { id: member.id, drive: world.drives[0] as CrashWorld["drives"][number], fresh: isFresh });
  }
  expect((await heal(set)).left).toEqual([]);
  expect(set.status().drives.every((drive) => drive.whole)).toBe(true);
  await set.close();
}

/** Everything must be readable without drive 1, and without drive 2: drive 0 is needed then. */
async function checkWithout(lab: Lab, world: CrashWorld, seed: number): Promise<void> {
  for (const away of [1, 2]) {
    const set = await lab.open(world.clone(seed), away);
    await lab.check(set);
    await set.close();
  }
}

async function everyStep(lab: Lab, world: CrashWorld, isFresh: boolean): Promise<void> {
  const images: CrashWorld[] = [];
  world.onStep = () => void images.push(world.freeze());
  await bringBack(lab, world, isFresh);
  world.onStep = undefined;
  await checkWithout(lab, world, 1);
  expect(images.length).toBeGreaterThan(30);
  for (const [step, image] of images.entries()) {
    for (const kind of ["power cut", "nothing unsynced"] as const) {
      const found = image.crash(kind, step);
      try {
        const names = found.drives[0]?.fileNames ?? [];
        if (isFresh && names.includes("state") && !names.includes("rebuild")) await checkWithout(lab, found, step);
        await bringBack(lab, found, isFresh);
        await checkWithout(lab, found, step);
      } catch (error) {
        throw new Error(`step ${step} of ${images.length}, ${kind}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
    }
  }
}

async function filledWorld(lab: Lab): Promise<CrashWorld> {
  const world = CrashWorld.create(3, 7);
  await Promise.all(world.drives.map((drive) => initSetDrive(drive)));
  const set = await lab.open(world);
  await lab.fill(set, "a");
  await set.close();
  return world;
}

describe("healing when the power is cut at any step", () => {
  it("makes an empty drive whole in the end, which does not vote before it is", async () => {
    const lab = new Lab();
    const world = await filledWorld(lab);
    const contents = world.drives.map((drive, i) => (i === 0 ? new Map<string, Uint8Array>() : drive.contents));
    await everyStep(lab, new CrashWorld(contents, 3), true);
  });

  it("makes a drive that was away whole in the end", async () => {
    const lab = new Lab();
    const world = await filledWorld(lab);
    const set = await lab.open(world, 0);
    await lab.fill(set, "b");
    await set.close();
    await everyStep(lab, world.clone(3), false);
  });
});
