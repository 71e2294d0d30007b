import { describe, expect, it } from "vitest";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { createFaultDrive } from "../testing/fault-drive.ts";
import { bodyOf, errorOf, expectBodies, inPieces, put, putBlob, readBlob, remove } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { ErasureSet } from "./erasure-set.ts";

const profile = { data: 4, parity: 2 };
const settings = { packBytesMax: 16 * KiB, batchOperationsMax: 4 };

function without(drives: readonly Drive[], ...lost: number[]): (Drive | undefined)[] {
  return drives.map((drive, i) => (lost.includes(i) ? undefined : drive));
}

async function putAll(set: ErasureSet, bodies: Map<string, Uint8Array>, prefix: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  for (const name of names) bodies.set(name, bodyOf(name, 1500));
  await Promise.all(names.map((name) => put(set, name, bodies.get(name) as Uint8Array)));
}

describe("a set with drives missing", () => {
  it("writes narrower, and reads it back with the same drives, with all, and with others missing", async () => {
    for (const lost of [[0], [5], [1, 4], [0, 1]]) {
      const drives = await createSetDrives(6);
      const bodies = new Map<string, Uint8Array>();
      const first = await openTestSet(drives, { profile, settings });
      await putAll(first, bodies, "all", 20);
      await first.close();
      const degraded = await openTestSet(without(drives, ...lost), { profile, settings });
      await putAll(degraded, bodies, "some", 20);
      const big = bodyOf("big", 300_000);
      const blob = await putBlob(degraded, "big", big);
      expect(Buffer.compare(await readBlob(degraded, blob), big)).toBe(0);
      await remove(degraded, "all0");
      bodies.delete("all0");
      await remove(degraded, "big");
      await expectBodies(degraded, bodies);
      await degraded.close();
      const others = [0, 1, 2, 3, 4, 5].filter((i) => !lost.includes(i)).slice(0, 2);
      for (const absent of [lost, [], others, others.slice(1)]) {
        const again = await openTestSet(without(drives, ...absent), { profile, settings });
        await expectBodies(again, bodies);
        expect(Buffer.compare(await readBlob(again, blob), big)).toBe(0);
        await again.close();
      }
    }
  });

  it("brings nothing back that was overwritten or deleted while a drive was away", async () => {
    const drives = await createSetDrives(6);
    const bodies = new Map<string, Uint8Array>();
    for (let round = 0; round < 8; round++) {
      const away = round % 6;
      const set = await openTestSet(without(drives, away, (away + round) % 6), { profile, settings });
      await expectBodies(set, bodies);
      await putAll(set, bodies, "kept", 5);
      for (const name of [...bodies.keys()].filter((_, i) => i % 3 === round % 3)) {
        await remove(set, name);
        bodies.delete(name);
      }
      // Half of the sessions end without a word.
      if (round % 2 === 0) await set.close();
    }
    for (let away = 0; away < 6; away++) {
      const set = await openTestSet(without(drives, away), { profile, settings });
      await expectBodies(set, bodies);
      await set.close();
    }
  });

  it("is not opened with fewer than k drives, and says which are missing", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    await put(set, "a", bodyOf("a", 10));
    await set.close();
    const error = await errorOf(openTestSet(without(drives, 1, 2, 5), { profile, settings }));
    expect(error).toMatchObject({ code: "DRIVES_MISSING", details: { present: 3, needed: 4 } });
  });

  it("can only be read when too few drives take writes", async () => {
    const inner = await createSetDrives(6);
    const set = await openTestSet(inner, { profile, settings });
    await put(set, "a", bodyOf("a", 1000));
    // Not closed: the tail has to be judged without being able to write down the judgement.
    const drives = inner.map((drive, i) => createFaultDrive(drive, { faults: i < 4 ? ["replaceFile *: error DRIVE_UNWRITABLE"] : [] }));
    const readOnly = await openTestSet(drives, { profile, settings });
    expect(readOnly.status()).toMatchObject({ writable: false });
    await expectBodies(readOnly, new Map([["a", bodyOf("a", 1000)]]));
    expect(await errorOf(put(readOnly, "b", bodyOf("b", 10)))).toMatchObject({
      code: "WRITE_QUORUM_LOST",
      details: { indeterminate: false },
    });
    expect(await errorOf(readOnly.writeBlob(inPieces(bodyOf("b", 10)), { digests: [] }))).toMatchObject({ code: "WRITE_QUORUM_LOST" });
    await readOnly.close();
    const again = await openTestSet(inner, { profile, settings });
    await expectBodies(again, new Map([["a", bodyOf("a", 1000)]]));
    await again.close();
  });

  it("writes nothing with too few drives for the promise: 2+2 over two drives", async () => {
    const drives = await createSetDrives(4);
    const narrow = { data: 2, parity: 2 };
    const set = await openTestSet(drives, { profile: narrow });
    await put(set, "a", bodyOf("a", 1000));
    await set.close();
    const half = await openTestSet(without(drives, 0, 3), { profile: narrow });
    await expectBodies(half, new Map([["a", bodyOf("a", 1000)]]));
    expect(await errorOf(put(half, "b", bodyOf("b", 10)))).toMatchObject({ code: "WRITE_QUORUM_LOST", details: { indeterminate: false } });
    await half.close();
  });
});

describe("a batch at the tail that only missing drives can decide on", () => {
  it("stops the opening and names the drives; with one of them back it is decided, and stays so", async () => {
    const inner = await createSetDrives(6);
    const bodies = new Map([["first", bodyOf("first", 2000)]]);
    const drives = inner.map((drive, i) =>
      createFaultDrive(drive, { faults: i === 5 ? ["writeDurable packs/* #2: delay 1000000000"] : [] }),
    );
    const set = await openTestSet(drives, { profile, settings });
    await put(set, "first", bodyOf("first", 2000));
    // Drive 5 never gets the second batch; the others acknowledge it, and then everything stops.
    await put(set, "second", bodyOf("second", 2000));
    bodies.set("second", bodyOf("second", 2000));
    const error = await errorOf(openTestSet(without(inner, 1, 2), { profile, settings }));
    const ids = set.status().drives.map((drive) => drive.id);
    expect(error).toMatchObject({ code: "TAIL_UNDECIDED", details: { absentDrives: [ids[1], ids[2]] } });
    const back = await openTestSet(without(inner, 1), { profile, settings });
    await expectBodies(back, bodies);
    await back.close();
    const again = await openTestSet(without(inner, 0, 3), { profile, settings });
    await expectBodies(again, bodies);
    await again.close();
  });
});
