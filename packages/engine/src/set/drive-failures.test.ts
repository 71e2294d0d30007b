import { describe, expect, it } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { createFaultDrive, type FaultDrive } from "../testing/fault-drive.ts";
import { bodyOf, errorOf, expectBodies, keyOf, namesOf, put, read } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { OpenSet } from "./open-set.ts";

const profile = { data: 4, parity: 2 };

async function openFaulty(): Promise<{ inner: Drive[]; drives: FaultDrive[]; set: OpenSet }> {
  const inner = await createSetDrives(6);
  const drives = inner.map((drive, i) => createFaultDrive(drive, { seed: i + 1 }));
  return { inner, drives, set: await openTestSet(drives, { profile }) };
}

async function putSome(set: OpenSet, prefix: string, count: number, bodies: Map<string, Uint8Array>): Promise<void> {
  const names = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  await Promise.all(
    names.map(async (name) => {
      const body = bodyOf(name, 700);
      await put(set, name, body);
      bodies.set(name, body);
    }),
  );
}

describe("a drive that fails while the set is running", () => {
  for (const fault of ["writeDurable packs/*: error DRIVE_IO_ERROR", "writeDurable packs/*: torn 700", "any *: offline"]) {
    it(`is left out, and everything stays readable: ${fault}`, async () => {
      for (let failing = 0; failing < 6; failing++) {
        const { inner, drives, set } = await openFaulty();
        const bodies = new Map<string, Uint8Array>();
        await putSome(set, "before", 10, bodies);
        (drives[failing] as FaultDrive).setFaults(fault);
        for (let round = 0; round < 4; round++) await putSome(set, `after${round}-`, 5, bodies);
        await expectBodies(set, bodies);
        expect(set.status().drives.filter((drive) => drive.state !== "online")).toMatchObject([{ state: "failed" }]);
        await set.close();
        const other = (failing + 1) % 6;
        for (const lost of [[], [failing], [failing, other], [other]]) {
          const again = await openTestSet(
            inner.map((drive, i) => (lost.includes(i) ? undefined : drive)),
            { profile },
          );
          await expectBodies(again, bodies);
          await again.close();
        }
      }
    });
  }

  it("loses the write but not the set when too many fail at once, and the lost write never comes back", async () => {
    for (const fault of ["writeDurable packs/*: error DRIVE_IO_ERROR", "writeDurable packs/*: torn 1000000"]) {
      const { inner, drives, set } = await openFaulty();
      const bodies = new Map<string, Uint8Array>();
      await putSome(set, "a", 10, bodies);
      for (const drive of drives.slice(0, 3)) drive.setFaults(fault);
      const error = await errorOf(put(set, "lost", bodyOf("lost", 3000)));
      expect(error).toMatchObject({ code: "WRITE_QUORUM_LOST", details: { indeterminate: false } });
      // Three drives are enough for 1+2: the set goes on.
      await putSome(set, "b", 10, bodies);
      await expectBodies(set, bodies);
      await set.close();
      for (let reopen = 0; reopen < 2; reopen++) {
        const again = await openTestSet(inner, { profile });
        await expectBodies(again, bodies);
        await again.close();
      }
    }
  });

  it("says so when it cannot tell whether a write has happened, and takes no more; a reopen decides for good", async () => {
    for (const fault of ["writeDurable packs/*: error DRIVE_IO_ERROR", "writeDurable packs/*: torn 1000000"]) {
      const { inner, drives, set } = await openFaulty();
      const bodies = new Map<string, Uint8Array>();
      await putSome(set, "a", 10, bodies);
      for (const drive of drives.slice(0, 4)) drive.setFaults(fault);
      expect(await errorOf(put(set, "doubtful", bodyOf("doubtful", 3000)))).toMatchObject({
        code: "WRITE_QUORUM_LOST",
        details: { indeterminate: true },
      });
      expect(await errorOf(put(set, "later", bodyOf("later", 10)))).toMatchObject({
        code: "WRITE_QUORUM_LOST",
        details: { indeterminate: false },
      });
      expect(await errorOf(set.writeBlob((async function* () {})(), { digests: [] }))).toMatchObject({ code: "WRITE_QUORUM_LOST" });
      expect(set.status().writable).toBe(false);
      await expectBodies(set, bodies);
      await set.close();
      const first = await openTestSet(inner, { profile });
      const names = namesOf(first);
      expect(names).toEqual([...bodies.keys(), ...(names.includes("doubtful") ? ["doubtful"] : [])].sort());
      expect(names.includes("doubtful")).toBe(fault.includes("torn"));
      if (names.includes("doubtful")) expect(Buffer.compare(await read(first, "doubtful"), bodyOf("doubtful", 3000))).toBe(0);
      await first.close();
      const second = await openTestSet(inner, { profile });
      expect(namesOf(second)).toEqual(names);
      await second.close();
    }
  });
});

const faults = [
  "writeDurable packs/* 3%: error DRIVE_IO_ERROR",
  "writeDurable packs/* 3%: torn 600",
  "writeDurable packs/* 3%: torn 1000000",
  "writeDurable packs/* 5%: error DRIVE_FULL",
  "writeDurable packs/* #4: error DRIVE_FULL",
  "truncate packs/* 40%: error DRIVE_IO_ERROR",
  "replaceFile * 30%: error DRIVE_IO_ERROR",
  "open packs/* 10%: error DRIVE_IO_ERROR",
  "read packs/* 5%: error DRIVE_IO_ERROR",
  "any * #60: offline",
];

/** What a key may hold: the generation acknowledged, and those whose fate is not known. */
interface Possible {
  acked: number;
  readonly doubtful: Set<number>;
}

async function operate(set: OpenSet, key: string, generations: Iterable<number>, possible: Possible): Promise<void> {
  for (const generation of generations) {
    try {
      await put(set, key, bodyOf(`${key}:${generation}`, 900));
      possible.acked = generation;
      possible.doubtful.clear();
    } catch (error) {
      if (!isHoldfastError(error, "WRITE_QUORUM_LOST", "DRIVE_FULL")) throw error;
      if (error.details["indeterminate"] === true) possible.doubtful.add(generation);
      else expect(error.details["indeterminate"]).toBe(false);
    }
  }
}

async function generationIn(set: OpenSet, key: string, generations: readonly number[]): Promise<number> {
  if (set.get(keyOf(key)) === undefined) return 0;
  const body = await read(set, key);
  return generations.find((generation) => Buffer.compare(body, bodyOf(`${key}:${generation}`, 900)) === 0) ?? -1;
}

describe("drives that fail in any way", () => {
  it("never lose an acknowledged write nor bring a refused one back", async () => {
    const generations = Array.from({ length: 12 }, (_, i) => i + 1);
    const keys = ["a", "b", "c", "d"];
    for (let seed = 1; seed <= 200; seed++) {
      const random = createSeededRandom(seed);
      const inner = await createSetDrives(6);
      const drives = inner.map((drive, i) => createFaultDrive(drive, { seed: seed * 8 + i }));
      const set = await openTestSet(drives, { profile, settings: { packBytesMax: 8 * KiB, batchOperationsMax: 2 } });
      for (let count = random.below(6); count > 0; count--)
        drives[random.below(6)]?.setFaults(faults[random.below(faults.length)] as string);
      const possible = new Map(keys.map((key) => [key, { acked: 0, doubtful: new Set<number>() } as Possible]));
      await Promise.all(keys.map((key) => operate(set, key, generations, possible.get(key) as Possible)));
      if (random.below(2) === 0) await set.close();
      const reopened: string[] = [];
      for (let reopen = 0; reopen < 2; reopen++) {
        const again = await openTestSet(inner, { profile });
        const found: number[] = [];
        for (const key of keys) {
          const { acked, doubtful } = possible.get(key) as Possible;
          const generation = await generationIn(again, key, generations);
          expect([acked, ...doubtful], `seed ${seed}, key ${key}`).toContain(generation);
          found.push(generation);
        }
        reopened.push(found.join());
        await again.close();
      }
      expect(reopened[1], `seed ${seed}`).toBe(reopened[0]);
    }
  });
});
