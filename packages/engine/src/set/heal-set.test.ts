import { describe, expect, it } from "vitest";
import { toHex } from "../base/bytes.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import { checksum } from "../codec/xxh3.ts";
import type { Drive } from "../drive/drive.ts";
import { createMemoryDrive, type MemoryDrive } from "../drive/memory-drive.ts";
import { createFaultDrive } from "../testing/fault-drive.ts";
import { heal } from "../testing/heal.ts";
import { bodyOf, put, putBlob, read, readBlob, remove, removeBlob } from "../testing/set-operations.ts";
import { createSetDrives, initSetDrive, openTestSet } from "../testing/test-set.ts";
import type { BlobLocation } from "./erasure-set.ts";
import { healSet } from "./heal-set.ts";
import type { OpenSet } from "./open-set.ts";
import { unhurried } from "./pace.ts";

const profile = { data: 4, parity: 2 };
const settings = { packBytesMax: 4 * KiB, batchOperationsMax: 4, stripeBytes: 16 * KiB };

/** What a set should hold. */
class Content {
  readonly bodies = new Map<string, Uint8Array>();
  readonly blobs = new Map<string, { body: Uint8Array; location: BlobLocation }>();

  async fill(set: OpenSet, tag: string, rounds = 6): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const names = Array.from({ length: 4 }, (_, i) => `${tag}${round}-${i}`);
      await Promise.all(names.map((name, i) => this.put(set, name, 700 * i + 100 * round)));
    }
    await this.putBlob(set, `${tag}-blob0`, 50_000);
    await this.putBlob(set, `${tag}-blob1`, 3);
  }

  async put(set: OpenSet, name: string, length: number): Promise<void> {
    await put(set, name, bodyOf(name, length));
    this.bodies.set(name, bodyOf(name, length));
  }

  async remove(set: OpenSet, name: string): Promise<void> {
    await remove(set, name);
    this.bodies.delete(name);
  }

  async putBlob(set: OpenSet, name: string, length: number): Promise<void> {
    const location = await putBlob(set, `~${name}`, bodyOf(name, length));
    this.blobs.set(name, { body: bodyOf(name, length), location });
  }

  async removeBlob(set: OpenSet, name: string): Promise<void> {
    await removeBlob(set, `~${name}`);
    this.blobs.delete(name);
  }

  async check(set: OpenSet): Promise<void> {
    for (const [name, body] of this.bodies) expect(Buffer.compare(await read(set, name), body), name).toBe(0);
    for (const [name, { body, location }] of this.blobs) expect(Buffer.compare(await readBlob(set, location), body), name).toBe(0);
  }

  /** Everything can be read with any m drives away. */
  async checkAllLosses(drives: readonly Drive[], shape: typeof profile): Promise<void> {
    const width = drives.length;
    for (let mask = 0; mask < 2 ** width; mask++) {
      const away = [...drives.keys()].filter((ordinal) => (mask & (1 << ordinal)) !== 0);
      if (away.length !== shape.parity) continue;
      const copies = await Promise.all(drives.map((drive, ordinal) => (away.includes(ordinal) ? undefined : copyOf(drive))));
      const set = await openTestSet(copies, { profile: shape, settings });
      await this.check(set);
      await set.close();
    }
  }
}

const folders = ["packs", "blobs/00000001", "blobs/00000002"];

async function filesOf(drive: Drive): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const folder of folders) {
    for (const name of await drive.list(folder)) files.set(`${folder}/${name}`, Buffer.from(await drive.readFile(`${folder}/${name}`)));
  }
  return files;
}

/** Names and checksums: arrays of this size take long to compare one by one. */
async function sumsOf(drive: Drive): Promise<string[]> {
  return [...(await filesOf(drive))].map(([name, bytes]) => `${name} ${bytes.byteLength} ${toHex(checksum(bytes))}`).sort();
}

async function copyOf(drive: Drive): Promise<MemoryDrive> {
  const copy = createMemoryDrive({ name: drive.location });
  for (const name of await drive.list("")) await copy.replaceFile(name, await drive.readFile(name));
  for (const [name, bytes] of await filesOf(drive)) await copy.replaceFile(name, bytes);
  return copy;
}

/** Takes a drive away and puts an empty one in its place. */
async function replace(set: OpenSet, ordinal: number, drive: Drive): Promise<void> {
  set.detach(ordinal, { state: "offline", reason: "it is lost" });
  await set.context.members[ordinal]?.left();
  await set.attach(ordinal, { id: idOf(set, ordinal), drive, fresh: true });
}

function idOf(set: OpenSet, ordinal: number): NonNullable<OpenSet["context"]["members"][number]>["id"] {
  return (set.context.members[ordinal] as NonNullable<OpenSet["context"]["members"][number]>).id;
}

function statesOf(set: OpenSet): string[] {
  return set.status().drives.map((drive) => drive.state);
}

describe("healing a set", () => {
  it.each([profile, { data: 2, parity: 1 }])(
    "makes every pattern of replaced drives of $data+$parity whole, byte by byte",
    async (shape) => {
      const width = shape.data + shape.parity;
      const drives: Drive[] = await createSetDrives(width);
      const set = await openTestSet(drives, { profile: shape, settings });
      const content = new Content();
      await content.fill(set, "a");
      await set.rotatePack();
      const before = await Promise.all(drives.map((drive) => sumsOf(drive)));
      for (let mask = 1; mask < 2 ** width; mask++) {
        const lost = Array.from({ length: width }, (_, ordinal) => ordinal).filter((ordinal) => (mask & (1 << ordinal)) !== 0);
        if (lost.length > shape.parity) continue;
        for (const ordinal of lost) {
          drives[ordinal] = createMemoryDrive({ name: `memory:new${ordinal}` });
          await replace(set, ordinal, drives[ordinal] as Drive);
          expect(set.status().drives[ordinal]).toMatchObject({ state: "rebuilding", votes: false, whole: false });
        }
        expect((await heal(set)).healed).toEqual(lost);
        for (const ordinal of lost) expect(set.status().drives[ordinal]).toMatchObject({ state: "online", votes: true, whole: true });
        expect(await Promise.all(drives.map((drive) => sumsOf(drive))), `lost ${lost.join()}`).toEqual(before);
      }
      await content.put(set, "later", 3000);
      await content.check(set);
      await set.close();
      await content.checkAllLosses(drives, shape);
    },
  );

  it("makes good what a drive missed while it was away, in this session or an earlier one", async () => {
    const drives = await createSetDrives(6);
    const content = new Content();
    const first = await openTestSet(drives, { profile, settings });
    await content.fill(first, "a");
    first.detach(4, { state: "offline", reason: "unplugged" });
    await content.fill(first, "b");
    await content.removeBlob(first, "a-blob0");
    await content.remove(first, "a0-1");
    await first.attach(4, { id: idOf(first, 4), drive: drives[4] as Drive, fresh: false });
    await content.put(first, "c", 2000);
    expect((await heal(first)).healed).toEqual([4]);
    expect(await drives[4]?.list("blobs/00000001")).not.toContain("00000000.shard");
    await first.close();
    await content.checkAllLosses(drives, profile);

    const second = await openTestSet([undefined, ...drives.slice(1)], { profile, settings });
    await content.fill(second, "d");
    await content.removeBlob(second, "b-blob0");
    await second.close();
    const third = await openTestSet(drives, { profile, settings });
    expect(third.status().drives[0]).toMatchObject({ state: "rebuilding", votes: true, whole: false });
    await content.put(third, "e", 1000);
    expect((await heal(third)).healed).toEqual([0]);
    expect(statesOf(third)).toEqual(Array.from({ length: 6 }, () => "online"));
    await third.close();
    await content.checkAllLosses(drives, profile);
    const fourth = await openTestSet(drives, { profile, settings });
    expect(fourth.status().drives.every((drive) => drive.whole)).toBe(true);
    await fourth.close();
  });

  it("catches up with writes, overwrites and deletes that go on meanwhile", async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = createSeededRandom(seed);
      const drives: Drive[] = await createSetDrives(6);
      const set = await openTestSet(drives, { profile, settings });
      const content = new Content();
      await content.fill(set, "a");
      drives[2] = createMemoryDrive({ name: "memory:new" });
      await replace(set, 2, drives[2]);
      let healing = true;
      const writing = (async () => {
        for (let i = 0; healing || i < 20; i++) {
          const name = `a${random.below(6)}-${random.below(4)}`;
          if (random.below(3) === 0) await content.remove(set, name);
          else await content.put(set, name, random.below(4000));
          if (random.below(4) === 0) await content.putBlob(set, `w${i}`, random.below(60_000));
          const [some] = content.blobs.keys();
          if (some !== undefined && random.below(6) === 0) await content.removeBlob(set, some);
        }
      })();
      const outcome = await heal(set);
      healing = false;
      await writing;
      expect(outcome.healed, `seed ${seed}`).toEqual([2]);
      await heal(set);
      await content.check(set);
      await set.close();
      await content.checkAllLosses(drives, profile);
    }
  });

  it("finishes with the others when a drive fails while it is healed, and with that one when it is there again", async () => {
    const drives: Drive[] = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    const content = new Content();
    await content.fill(set, "a");
    const inner = createMemoryDrive({ name: "memory:failing" });
    drives[3] = createMemoryDrive({ name: "memory:new" });
    await replace(set, 1, createFaultDrive(inner, { faults: ["sync packs/* #3: error DRIVE_IO_ERROR"] }));
    await replace(set, 3, drives[3]);
    expect(await heal(set)).toEqual({ healed: [3], left: [] });
    expect(set.status().drives[1]).toMatchObject({ state: "failed", whole: false });
    set.detach(1, { state: "offline", reason: "replugged" });
    await set.context.members[1]?.left();
    await set.attach(1, { id: idOf(set, 1), drive: inner, fresh: true });
    drives[1] = inner;
    expect((await heal(set)).healed).toEqual([1]);
    await set.close();
    await content.checkAllLosses(drives, profile);
  });

  it("makes what a full drive has missed once it has room again", async () => {
    const drives: Drive[] = await createSetDrives(6);
    const faulty = createFaultDrive(drives[5] as Drive);
    const set = await openTestSet([...drives.slice(0, 5), faulty], { profile, settings });
    const content = new Content();
    await content.fill(set, "a");
    faulty.setFaults("writeDurable packs/* #1+: error DRIVE_FULL", "append blobs/* #1+: error DRIVE_FULL");
    await content.fill(set, "b", 3);
    expect(statesOf(set)[5]).toBe("full");
    expect((await heal(set)).healed).toEqual([]);
    faulty.setFaults();
    set.context.members[5]?.noteSpace();
    expect(statesOf(set)[5]).toBe("rebuilding");
    expect((await heal(set)).healed).toEqual([5]);
    await set.close();
    await content.checkAllLosses(drives, profile);
  });

  it("makes the shard of a blob that a drive lost on the way", async () => {
    const drives: Drive[] = await createSetDrives(6);
    const faulty = createFaultDrive(drives[0] as Drive, { faults: ["finish blobs/* #1: error DRIVE_FULL"] });
    const set = await openTestSet([faulty, ...drives.slice(1)], { profile, settings });
    const content = new Content();
    await content.putBlob(set, "x", 40_000);
    const [member] = set.context.members;
    expect([...(member?.lackingBlobs.keys() ?? [])]).toEqual(["00000001-00000000"]);
    member?.noteSpace();
    expect(member?.state).toBe("rebuilding");
    expect((await heal(set)).healed).toEqual([0]);
    await set.close();
    await content.checkAllLosses(drives, profile);
  });

  it("heals first what most drives lack, the oldest pack before the newest; tells how far it is", async () => {
    const drives: Drive[] = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    const content = new Content();
    await content.fill(set, "a");
    set.detach(0, { state: "offline", reason: "unplugged" });
    await content.fill(set, "b");
    const made: string[] = [];
    const spy = createFaultDrive(createMemoryDrive({ name: "memory:new" }), { faults: ["writeDurable packs/*: delay 0"] });
    await set.attach(0, { id: idOf(set, 0), drive: drives[0] as Drive, fresh: false });
    await replace(set, 1, spy);
    let last = { doneBytes: 0, totalBytes: 0 };
    for await (const { progress } of healSet(set, { pacer: unhurried })) {
      expect(progress.doneBytes).toBeGreaterThanOrEqual(last.doneBytes);
      last = progress;
    }
    expect(last.doneBytes).toBe(last.totalBytes);
    for (const line of spy.fired) made.push(/packs\/(\w+)\.pack/.exec(line)?.[1] ?? "");
    const order = made.map((pack) => Number.parseInt(pack, 16));
    // What drive 0 missed is lacking twice: it comes before what only drive 1 lacks.
    const firstOfA = order.indexOf(1);
    expect(firstOfA).toBeGreaterThan(0);
    expect(order.slice(0, firstOfA)).toEqual([...order.slice(0, firstOfA)].sort((a, b) => a - b));
    expect(order.slice(firstOfA)).toEqual([...order.slice(firstOfA)].sort((a, b) => a - b));
    await set.close();
  });

  it("goes on with the rest when something cannot be made, says so, and does not call the drive whole", async () => {
    const drives: Drive[] = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    const content = new Content();
    await content.fill(set, "a");
    await set.rotatePack();
    for (const ordinal of [1, 2]) {
      const file = await (drives[ordinal] as Drive).open("packs/00000001.pack", { create: false });
      await file.write(0, [bodyOf("x", 8000)]);
      await file.close();
    }
    drives[0] = createMemoryDrive({ name: "memory:new" });
    await replace(set, 0, drives[0]);
    const problems: string[] = [];
    const steps = healSet(set, { pacer: unhurried });
    for (let step = await steps.next(); ; step = await steps.next()) {
      if (step.done === true) {
        expect(step.value).toEqual({ healed: [], left: [0] });
        break;
      }
      problems.push(...step.value.problems.map(({ place }) => place));
    }
    expect(problems).toContain("pack 1 at byte 0");
    expect(set.status().drives[0]).toMatchObject({ state: "rebuilding", votes: false, whole: false });
    expect((await (drives[0] as Drive).list("packs")).length).toBeGreaterThan(2);
    await set.close();
  });

  it("can be broken off by its signal, and goes on where it was", async () => {
    const drives: Drive[] = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    const content = new Content();
    await content.fill(set, "a");
    drives[0] = createMemoryDrive({ name: "memory:new" });
    await replace(set, 0, drives[0]);
    let rounds = 0;
    for (let isWhole = false; !isWhole; rounds++) {
      const abort = new AbortController();
      let steps = 0;
      try {
        for await (const _ of healSet(set, { pacer: unhurried, signal: abort.signal })) if (++steps === 3 + rounds) abort.abort();
        isWhole = set.status().drives[0]?.whole === true;
      } catch (error) {
        expect(error).toMatchObject({ code: "ABORTED" });
      }
      expect(rounds).toBeLessThan(100);
    }
    expect(rounds).toBeGreaterThan(3);
    await content.check(set);
    await set.close();
    await content.checkAllLosses(drives, profile);
  });

  it("does not take what another drive was given for this one's", async () => {
    const drives: Drive[] = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    const content = new Content();
    await content.fill(set, "a");
    await replace(set, 0, createMemoryDrive({ name: "memory:lost again" }));
    drives[0] = createMemoryDrive({ name: "memory:new" });
    await initSetDrive(drives[0]);
    let steps = 0;
    for await (const _ of healSet(set, { pacer: unhurried })) if (++steps === 4) await replace(set, 0, drives[0]);
    await heal(set);
    expect(set.status().drives[0]).toMatchObject({ state: "online", whole: true });
    await set.close();
    await content.checkAllLosses(drives, profile);
  });
});
