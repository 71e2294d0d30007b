import { describe, expect, it } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import { packFileName } from "../format/pack-name.ts";
import { CrashWorld } from "../testing/crash-drive.ts";
import { bodyOf, errorOf, expectBodies, put, putBlob, read, readBlob, remove } from "../testing/set-operations.ts";
import { initSetDrive, openTestSet } from "../testing/test-set.ts";
import type { BlobLocation } from "./erasure-set.ts";
import type { OpenSet } from "./open-set.ts";

const profile = { data: 4, parity: 2 };
const settings = { packBytesMax: 12 * KiB, batchOperationsMax: 3, stripeBytes: 16 * KiB };
const blobBytes = 150_000;

interface Written {
  readonly world: CrashWorld;
  readonly bodies: Map<string, Uint8Array>;
  readonly blob: BlobLocation;
  readonly set: OpenSet;
}

/** Several packs with small and large payloads, and a blob. */
async function written(options: { close: boolean }): Promise<Written> {
  const world = CrashWorld.create(6, 1);
  await Promise.all(world.drives.map((drive) => initSetDrive(drive)));
  const set = await openTestSet(world.drives, { profile, settings });
  const bodies = new Map<string, Uint8Array>();
  for (let round = 0; round < 6; round++) {
    const names = Array.from({ length: 5 }, (_, i) => `r${round}-${i}`);
    for (const [i, name] of names.entries()) bodies.set(name, bodyOf(name, i === 0 ? 9000 : 40 + i * 300));
    await Promise.all(names.map((name) => put(set, name, bodies.get(name) as Uint8Array)));
  }
  await remove(set, "r1-1");
  bodies.delete("r1-1");
  const blob = await putBlob(set, "blob", bodyOf("blob", blobBytes));
  await remove(set, "blob");
  if (options.close) await set.close();
  return { world, bodies, blob, set };
}

type Random = ReturnType<typeof createSeededRandom>;

/** A copy of the drives on which bytes of some files of some drives are wrong. */
function rotten(world: CrashWorld, random: Random, options: { drives: number; changes: number }): CrashWorld {
  const copy = world.clone(1);
  const contents = copy.drives.map((drive) => drive.afterCrash("process kill", () => 0));
  const victims = new Set<number>();
  while (victims.size < options.drives) victims.add(random.below(contents.length));
  for (const victim of victims) {
    const files = [...(contents[victim] as Map<string, Uint8Array>)];
    for (let i = 0; i < options.changes; i++) {
      const [name, bytes] = files[random.below(files.length)] as [string, Uint8Array];
      const damaged = bytes.slice();
      const start = random.below(damaged.byteLength);
      const length = random.below(2) === 0 ? 1 : 1 + random.below(2000);
      for (let at = start; at < Math.min(damaged.byteLength, start + length); at++)
        damaged[at] = (damaged[at] as number) ^ (1 + random.below(255));
      files.splice(
        files.findIndex(([other]) => other === name),
        1,
        [name, damaged],
      );
    }
    contents[victim] = new Map(files);
  }
  return new CrashWorld(contents, 1);
}

describe("bit rot", () => {
  for (const close of [true, false]) {
    it(`on up to m drives is never seen in what is read (${close ? "closed" : "not closed"} before)`, async () => {
      const { world, bodies, blob } = await written({ close });
      for (let seed = 1; seed <= 60; seed++) {
        const random = createSeededRandom(seed);
        const damaged = rotten(world, random, { drives: 1 + random.below(2), changes: 1 + random.below(30) });
        try {
          const set = await openTestSet(damaged.drives, { profile, settings });
          await expectBodies(set, bodies);
          expect(Buffer.compare(await readBlob(set, blob), bodyOf("blob", blobBytes))).toBe(0);
          const start = random.below(blobBytes);
          expect(
            Buffer.compare(
              await readBlob(set, blob, { start, end: start + 5000 }),
              bodyOf("blob", blobBytes).subarray(start, start + 5000),
            ),
          ).toBe(0);
          await set.close();
        } catch (error) {
          throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
        }
      }
    });
  }

  it("that sets in while the set is open is counted against its drive", async () => {
    const { world, bodies, set: first } = await written({ close: true });
    expect(first.status().drives).toHaveLength(6);
    let seen = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const damaged = rotten(world, createSeededRandom(seed), { drives: 1, changes: 6 });
      const set = await openTestSet(damaged.drives, { profile, settings });
      // A drive whose state is damaged too is looked through before anything is held against it.
      const isKnown = set.status().drives.every((drive) => drive.checked);
      for (const [name, body] of bodies) expect(Buffer.compare(await read(set, name), body)).toBe(0);
      const { reads, drives } = set.status();
      if (isKnown && reads.degraded > 0) {
        expect(drives.filter((drive) => drive.readFaults > 0).length).toBeGreaterThan(0);
        seen++;
      }
      await set.close();
    }
    expect(seen).toBeGreaterThan(3);
  });

  it("on more than m drives gives an error, never wrong bytes", async () => {
    const { world, bodies, blob } = await written({ close: true });
    let errors = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const random = createSeededRandom(seed);
      const damaged = rotten(world, random, { drives: 3 + random.below(4), changes: 10 + random.below(60) });
      const set = await openTestSet(damaged.drives, { profile, settings }).catch((error: unknown) => {
        if (!isHoldfastError(error, "LOG_DAMAGED")) throw error;
        return undefined;
      });
      if (set === undefined) continue;
      for (const [name, body] of bodies) {
        const bytes = await read(set, name).catch((error: unknown) => {
          if (!isHoldfastError(error, "OBJECT_DAMAGED")) throw error;
          errors++;
          return undefined;
        });
        if (bytes !== undefined) expect(Buffer.compare(bytes, body), `seed ${seed}`).toBe(0);
      }
      const bytes = await readBlob(set, blob).catch((error: unknown) => {
        if (!isHoldfastError(error, "OBJECT_DAMAGED")) throw error;
        return undefined;
      });
      if (bytes !== undefined) expect(Buffer.compare(bytes, bodyOf("blob", blobBytes)), `seed ${seed}`).toBe(0);
      await set.close();
    }
    expect(errors).toBeGreaterThan(0);
  });

  it("in the middle of the log is damage only when every copy is bad, and then nothing is cut", async () => {
    const { world, bodies } = await written({ close: false });
    const names = world.drives[0]?.fileNames.filter((name) => name.startsWith("packs/")) ?? [];
    const last = names.at(-1) as string;
    for (let copies = 1; copies <= 6; copies++) {
      const contents = world.clone(1).drives.map((drive) => drive.afterCrash("process kill", () => 0));
      for (const content of contents.slice(0, copies)) {
        const bytes = (content.get(last) as Uint8Array).slice();
        bytes[3] = (bytes[3] as number) ^ 1;
        content.set(last, bytes);
      }
      const damaged = new CrashWorld(contents, 1);
      if (copies < 6) {
        const set = await openTestSet(damaged.drives, { profile, settings });
        await expectBodies(set, bodies);
        await set.close();
      } else {
        expect(await errorOf(openTestSet(damaged.drives, { profile, settings }))).toMatchObject({ code: "LOG_DAMAGED" });
        expect(damaged.drives.every((drive) => drive.fileNames.includes(last))).toBe(true);
      }
    }
    expect(packFileName(1)).toBe(names[0]);
  });
});
