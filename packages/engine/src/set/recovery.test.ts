import { describe, expect, it } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { decodeBlobLocation } from "../format/blob-location.ts";
import { shardFileName } from "../format/blob-name.ts";
import { createMemoryIndex } from "../index/memory-index.ts";
import type { OrderedIndex } from "../index/ordered-index.ts";
import { CrashWorld } from "../testing/crash-drive.ts";
import { CrashWorkload } from "../testing/crash-workload.ts";
import { initSetDrive, openTestSet } from "../testing/test-set.ts";
import type { BlobLocation } from "./erasure-set.ts";
import type { OpenSet } from "./open-erasure-set.ts";

const profile = { data: 4, parity: 2 };
const driveCount = 6;
const settings = { packBytesMax: 24 * KiB, packRecordsBytesMax: 4 * KiB, batchOperationsMax: 3, stripeBytes: 4 * KiB };
const operationsPerClient = 8;

function open(drives: readonly (Drive | undefined)[], index?: OrderedIndex): Promise<OpenSet> {
  return openTestSet(drives, { profile, settings, ...(index === undefined ? {} : { index }) });
}

async function freshWorld(seed: number): Promise<CrashWorld> {
  const world = CrashWorld.create(driveCount, seed);
  await Promise.all(world.drives.map((drive) => initSetDrive(drive)));
  return world;
}

/** A world whose power was cut at some step of the workload, with the index as it was then. */
async function crashed(seed: number, stepsMax: number): Promise<{ world: CrashWorld; workload: CrashWorkload; index: OrderedIndex }> {
  const world = await freshWorld(seed);
  const workload = new CrashWorkload(seed);
  const cut = world.cutAfter(1 + createSeededRandom(seed).below(stepsMax));
  const index = createMemoryIndex();
  const work = open(world.drives, index).then((set) => workload.run(set, operationsPerClient));
  await Promise.race([cut, work]);
  return { world, workload, index: copyOfIndex(index) };
}

function copyOfIndex(index: OrderedIndex): OrderedIndex {
  const copy = createMemoryIndex();
  index.scan({ start: Uint8Array.of(0), end: undefined }, (key, value) => {
    copy.write([{ key, value }]);
    return true;
  });
  return copy;
}

async function stepsOf(seed: number): Promise<number> {
  const world = await freshWorld(seed);
  const set = await open(world.drives);
  const workload = new CrashWorkload(seed);
  await workload.run(set, operationsPerClient);
  await set.close();
  return world.steps;
}

/** Opens, checks, closes; gives what was found. What it has found must stay. */
async function inspect(world: CrashWorld, workload: CrashWorkload, absent: ReadonlySet<number> = new Set(), index?: OrderedIndex): Promise<string> {
  const set = await open(without(world, absent), index);
  const found = await workload.check(set, { lenient: absent.size > 1 });
  const blobs = workload.blobsOf(set);
  await set.close();
  if (absent.size === 0) expectOnly(blobs, world);
  return found;
}

function without(world: CrashWorld, absent: ReadonlySet<number>): (Drive | undefined)[] {
  return world.drives.map((drive, i) => (absent.has(i) ? undefined : drive));
}

/** No shard file but those of the blobs that are there. */
function expectOnly(blobs: readonly BlobLocation[], world: CrashWorld): void {
  const names = new Set(blobs.map((blob) => shardFileName(decodeBlobLocation(blob).blob)));
  const found = world.drives.flatMap((drive) => drive.fileNames).filter((name) => name.startsWith("blobs/"));
  expect(found.filter((name) => !names.has(name))).toEqual([]);
}

function someDrives(random: { below(bound: number): number }, count: number): Set<number> {
  const drives = new Set<number>();
  while (drives.size < count) drives.add(random.below(driveCount));
  return drives;
}

/** Runs `state` for many seeds; a failure names its seed. */
async function forSeeds(from: number, count: number, state: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = from; seed < from + count; seed++) {
    try {
      await state(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

describe("recovery after a power cut", () => {
  it("keeps what was acknowledged and no half of the rest, with an empty and with the surviving index, and decides once", async () => {
    const steps = await stepsOf(1);
    await forSeeds(1000, 120, async (seed) => {
      const { world, workload, index } = await crashed(seed, steps);
      for (let image = 0; image < 4; image++) {
        const found = world.crash(image === 0 ? "process kill" : "power cut", seed * 8 + image);
        const withIndex = await inspect(found.clone(seed), workload, undefined, copyOfIndex(index));
        const first = await inspect(found, workload);
        expect(withIndex).toBe(first);
        expect(await inspect(found.clone(seed), workload)).toBe(first);
      }
    });
  });

  it("decides the same when drives that were absent at first come back", async () => {
    const steps = await stepsOf(1);
    let undecided = 0;
    await forSeeds(2000, 120, async (seed) => {
      const { world, workload } = await crashed(seed, steps);
      const random = createSeededRandom(seed);
      for (let image = 0; image < 4; image++) {
        const found = world.crash("power cut", seed * 8 + image);
        const absent = someDrives(random, 1 + (image & 1));
        const first = await inspect(found, workload, absent).catch((error: unknown) => {
          if (!isHoldfastError(error, "TAIL_UNDECIDED")) throw error;
          return undefined;
        });
        if (first === undefined) undecided++;
        const second = await inspect(found, workload);
        if (first !== undefined) expect(second).toBe(first);
        expect(await inspect(found, workload, someDrives(random, 2))).toBe(second);
      }
    });
    expect(undecided).toBeLessThan(240);
  });

  it("survives power cuts while it recovers, with other drives absent each time", async () => {
    const steps = await stepsOf(1);
    await forSeeds(3000, 150, async (seed) => {
      const { world, workload } = await crashed(seed, steps);
      const random = createSeededRandom(seed);
      let found = world.crash("power cut", seed);
      for (let round = 0; round < 4; round++) {
        const cut = found.cutAfter(1 + random.below(60));
        const opening = open(without(found, someDrives(random, random.below(3)))).then((set) => set.close());
        await Promise.race([cut, opening.catch(expectUndecided)]);
        found = found.crash("power cut", seed + round);
      }
      const first = await inspect(found, workload);
      expect(await inspect(found, workload)).toBe(first);
    });
  });

  it("goes on writing after each of many cuts, while drives come and go", async () => {
    await forSeeds(4000, 80, async (seed) => {
      const random = createSeededRandom(seed);
      let world = await freshWorld(seed);
      const workload = new CrashWorkload(seed);
      for (let round = 0; round < 6; round++) {
        const drives = without(world, someDrives(random, random.below(3)));
        const cut = world.cutAfter(1 + random.below(500));
        const session = async (): Promise<void> => {
          const set = await open(drives);
          await workload.check(set, { lenient: true });
          workload.adopt(set);
          await workload.run(set, 3);
          await set.close();
        };
        await Promise.race([cut, session().catch(expectUndecided)]);
        world = world.crash("power cut", seed * 8 + round);
      }
      const first = await inspect(world, workload);
      expect(await inspect(world, workload)).toBe(first);
    });
  });
});

function expectUndecided(error: unknown): void {
  if (!isHoldfastError(error, "TAIL_UNDECIDED")) throw error;
}
