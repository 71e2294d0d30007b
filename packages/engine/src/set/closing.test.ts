import { describe, expect, it } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import { KiB } from "../base/units.ts";
import { createMemoryDrive } from "../drive/memory-drive.ts";
import { createFaultDrive } from "../testing/fault-drive.ts";
import { bodyOf, errorOf, expectBodies, namesOf, put, putBlob, read, readBlob } from "../testing/set-operations.ts";
import { createSetDrives, initSetDrive, openTestSet } from "../testing/test-set.ts";

const profile = { data: 4, parity: 2 };

describe("closing a set", () => {
  it("finishes or refuses every operation under way, and what it has finished is there", async () => {
    for (let turns = 0; turns < 12; turns++) {
      const drives = await createSetDrives(6);
      const set = await openTestSet(drives, { profile, settings: { batchOperationsMax: 3, packBytesMax: 16 * KiB } });
      const done = new Map<string, Uint8Array>();
      const writes = Array.from({ length: 60 }, async (_, i) => {
        const name = `n${String(i).padStart(2, "0")}`;
        for (let wait = i % 7; wait > 0; wait--) await new Promise((resolve) => setImmediate(resolve));
        try {
          await put(set, name, bodyOf(name, 1000));
          done.set(name, bodyOf(name, 1000));
        } catch (error) {
          if (!isHoldfastError(error, "STORE_CLOSED")) throw error;
        }
      });
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      const closing = set.close();
      expect(set.close()).toBe(closing);
      await closing;
      await Promise.all(writes);
      const again = await openTestSet(drives, { profile });
      await expectBodies(again, done);
      expect(again.status().epoch).toBe(2);
      await again.close();
    }
  });

  it("refuses everything afterwards", async () => {
    const set = await openTestSet(await createSetDrives(6), { profile });
    await put(set, "a", bodyOf("a", 100));
    const payload = set.get(new Uint8Array(Buffer.from("Ka")))?.payload;
    const blob = await putBlob(set, "b", bodyOf("b", 100));
    await set.close();
    const closed = { code: "STORE_CLOSED" };
    expect(await errorOf(put(set, "c", bodyOf("c", 1)))).toMatchObject(closed);
    expect(await errorOf(set.readPacked(payload as NonNullable<typeof payload>))).toMatchObject(closed);
    expect(await errorOf(set.writeBlob((async function* () {})(), { digests: [] }))).toMatchObject(closed);
    for (const call of [() => set.get(new Uint8Array(1)), () => set.openBlob(blob), () => namesOf(set)])
      expect(call).toThrow(expect.objectContaining(closed));
  });

  it("lets reads of packed payloads finish, and ends those of blobs with STORE_CLOSED rather than as damage", async () => {
    const inner = await createSetDrives(6);
    const drives = inner.map((drive) => createFaultDrive(drive, { faults: ["read *: delay 2"] }));
    const set = await openTestSet(drives, { profile });
    const body = bodyOf("big", 600_000);
    await put(set, "a", bodyOf("a", 1000));
    const blob = await putBlob(set, "big", body);
    const packed = read(set, "a");
    const reader = set.openBlob(blob);
    const reading = (async () => {
      const pieces: Uint8Array[] = [];
      for await (const piece of reader.read({ start: 0, end: body.byteLength })) {
        pieces.push(piece);
        if (pieces.length === 1) {
          await set.close();
          await Promise.all(drives.map((drive) => drive.close()));
        }
      }
    })();
    expect(Buffer.compare(await packed, bodyOf("a", 1000))).toBe(0);
    expect(await errorOf(reading)).toMatchObject({ code: "STORE_CLOSED" });
    reader.close();
  });
});

describe("open files of packs", () => {
  it("are closed and opened again as needed, while reads and writes are under way", async () => {
    const drives = await Promise.all(
      Array.from({ length: 3 }, async (_, i) => {
        const drive = createMemoryDrive({ name: `memory:${i}` });
        await initSetDrive(drive);
        return drive;
      }),
    );
    const narrow = { data: 2, parity: 1 };
    // More packs than a drive keeps open.
    const set = await openTestSet(drives, { profile: narrow, settings: { packBytesMax: 1 * KiB, batchOperationsMax: 1 } });
    const bodies = new Map<string, Uint8Array>();
    for (let i = 0; i < 100; i++) {
      bodies.set(`n${i}`, bodyOf(`n${i}`, 1500));
      await put(set, `n${i}`, bodyOf(`n${i}`, 1500));
    }
    expect(set.status().pack).toBeGreaterThan(90);
    const names = [...bodies.keys()];
    await Promise.all([
      ...Array.from({ length: 600 }, async (_, i) => {
        const name = names[(i * 37) % names.length] as string;
        expect(Buffer.compare(await read(set, name), bodies.get(name) as Uint8Array)).toBe(0);
      }),
      ...Array.from({ length: 20 }, (_, i) => put(set, `later${i}`, bodyOf(`later${i}`, 1500))),
    ]);
    expect(set.status().drives.every((drive) => drive.state === "online" && drive.readFaults === 0)).toBe(true);
    await set.close();
    const again = await openTestSet(drives, { profile: narrow });
    for (let i = 0; i < 20; i++) bodies.set(`later${i}`, bodyOf(`later${i}`, 1500));
    await expectBodies(again, bodies);
    await again.close();
  });

  it("that a reader has found missing are made by the writer all the same", async () => {
    const inner = await createSetDrives(6);
    const drives = inner.map((drive) => createFaultDrive(drive));
    const first = await openTestSet([...drives.slice(0, 5), undefined], { profile });
    await put(first, "a", bodyOf("a", 3000));
    await first.close();
    // Drive 5 is back and lacks the pack that goes on being filled.
    const set = await openTestSet(drives, { profile });
    drives[5]?.setFaults("open packs/* #1: delay 20");
    const member = set.context.members[5];
    const looking = errorOf(member?.packFile(1, { create: false }) as Promise<unknown>);
    await put(set, "b", bodyOf("b", 3000));
    expect(await looking).toMatchObject({ code: "FILE_NOT_FOUND" });
    await member?.drain();
    expect(set.status().drives.map((drive) => drive.state)).not.toContain("failed");
    expect(Buffer.compare(await read(set, "b"), bodyOf("b", 3000))).toBe(0);
    await set.close();
  });

  it("of blobs are closed with their reader", async () => {
    const inner = await createSetDrives(6);
    const set = await openTestSet(inner, { profile });
    const blob = await putBlob(set, "a", bodyOf("a", 400_000));
    for (let i = 0; i < 20; i++) {
      const reader = set.openBlob(blob);
      for await (const piece of reader.read({ start: i, end: 300_000 })) {
        expect(piece.byteLength).toBeGreaterThan(0);
        break;
      }
      reader.close();
    }
    expect(Buffer.compare(await readBlob(set, blob), bodyOf("a", 400_000))).toBe(0);
    await set.close();
  });
});
