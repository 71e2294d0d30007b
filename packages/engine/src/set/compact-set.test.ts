import { describe, expect, it } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { packsFolder, parsePackFileName } from "../format/pack-name.ts";
import { packOf } from "../format/packed-location.ts";
import { createMemoryIndex } from "../index/memory-index.ts";
import {
  bodyOf,
  errorOf,
  expectBodies,
  keyOf,
  namesOf,
  put,
  putBlob,
  read,
  readBlob,
  remove,
  removeBlob,
} from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import { compactSet } from "./compact-set.ts";
import type { SetEntry } from "./erasure-set.ts";
import { measurePacks } from "./measure-packs.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-set.ts";

const profile = { data: 2, parity: 1 };
const settings = { packBytesMax: 16 * KiB, packRecordsBytesMax: 4 * KiB, batchOperationsMax: 4 };
const tight = { target: 1.5, slackBytes: 4 * KiB };

async function packsOn(drive: Drive): Promise<number[]> {
  return (await drive.list(packsFolder)).map((name) => parsePackFileName(name) as number);
}

function open(drives: readonly (Drive | undefined)[], more: Parameters<typeof openTestSet>[1]["settings"] = {}): Promise<OpenSet> {
  return openTestSet(drives, { profile, settings: { ...settings, ...more } });
}

/** Closes the set and opens it with an index made anew. */
async function reopen(set: OpenSet, drives: readonly (Drive | undefined)[]): Promise<OpenSet> {
  await set.close();
  return open(drives);
}

async function putAll(set: OpenSet, bodies: Map<string, Uint8Array>, names: readonly string[], length = 1000): Promise<void> {
  for (const name of names) bodies.set(name, bodyOf(`${name}${bodies.size}`, length));
  await Promise.all(names.map((name) => put(set, name, bodies.get(name) as Uint8Array)));
}

async function removeAll(set: OpenSet, bodies: Map<string, Uint8Array>, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => remove(set, name)));
  for (const name of names) bodies.delete(name);
}

const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

function copy(set: OpenSet, from: string, to: string): Promise<void> {
  return set.commit({
    decide: (transaction) => {
      const entry = transaction.get(keyOf(from)) as SetEntry;
      transaction.put(keyOf(to), entry.value, entry.payload);
    },
  });
}

/** The packs that entries lie in, by their payloads. */
function packsInUse(set: OpenSet): Set<number> {
  const packs = new Set<number>();
  set.scan({ start: utf8("K"), end: undefined }, (_, entry) => {
    const { payload } = entry();
    if (payload !== undefined) packs.add(packOf(payload));
    return true;
  });
  return packs;
}

async function expectBounded(set: OpenSet): Promise<void> {
  const { totalBytes, liveBytes } = await measurePacks(set);
  expect(totalBytes).toBeLessThanOrEqual(tight.target * liveBytes + tight.slackBytes);
}

describe("compaction", () => {
  it("gives the space of overwritten objects back, and keeps every byte of the others", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    const set = await open(drives);
    for (let round = 0; round < 10; round++) await putAll(set, bodies, numbered("a", 20));
    await putAll(set, bodies, numbered("b", 20));
    const report = await compactSet(set, tight);
    expect(report.victims.length).toBeGreaterThan(3);
    expect(report.bytesFreed).toBeGreaterThan(0);
    await expectBounded(set);
    await expectBodies(set, bodies);
    for (const drive of drives) {
      const left = await packsOn(drive);
      expect(left.filter((pack) => report.victims.includes(pack))).toEqual([]);
      for (const pack of packsInUse(set)) expect(left).toContain(pack);
    }
    expect((await compactSet(set, tight)).victims).toEqual([]);
    const again = await reopen(set, drives);
    await expectBodies(again, bodies);
    await again.close();
  });

  it("gives everything back when everything is deleted", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    const set = await open(drives);
    await putAll(set, bodies, numbered("a", 200));
    await removeAll(set, bodies, numbered("a", 200));
    await compactSet(set, { target: 1.5, slackBytes: 1024 });
    expect((await measurePacks(set)).totalBytes).toBeLessThan(2000);
    const again = await reopen(set, drives);
    expect(namesOf(again)).toEqual([]);
    await again.close();
  });

  it("keeps payloads that copies took over, and goes on sharing them", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    const set = await open(drives);
    await putAll(set, bodies, ["original"], 5000);
    await putAll(set, bodies, numbered("x", 40));
    for (const name of numbered("copy", 10)) {
      await copy(set, "original", name);
      bodies.set(name, bodies.get("original") as Uint8Array);
    }
    await removeAll(set, bodies, ["original", ...numbered("x", 40)]);
    await putAll(set, bodies, numbered("y", 3));
    await compactSet(set, { target: 1.01, slackBytes: 0 });
    await expectBodies(set, bodies);
    const places = new Set(numbered("copy", 10).map((name) => String((set.get(keyOf(name)) as SetEntry).payload)));
    expect(places.size).toBe(1);
    const again = await reopen(set, drives);
    await expectBodies(again, bodies);
    await again.close();
  });

  it("moves what is copied out of a victim while it runs", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    const set = await open(drives);
    await putAll(set, bodies, numbered("m", 60));
    await removeAll(
      set,
      bodies,
      numbered("m", 60).filter((_, i) => i % 4 !== 0),
    );
    const left = [...bodies.keys()];
    let copies = 0;
    const report = await compactSet(set, {
      ...tight,
      pacer: {
        async spend() {
          if (copies >= 40) return;
          const from = left[copies % left.length] as string;
          const to = `${copies % 2 === 0 ? "a" : "z"}copy${copies++}`;
          bodies.set(to, bodies.get(from) as Uint8Array);
          await copy(set, from, to);
        },
      },
    });
    expect(report.victims.length).toBeGreaterThan(0);
    for (const pack of packsInUse(set)) expect(report.victims).not.toContain(pack);
    await expectBodies(set, bodies);
    const again = await reopen(set, drives);
    await expectBodies(again, bodies);
    await again.close();
  });

  it("leaves alone what is put, overwritten and deleted while it runs", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    const set = await open(drives);
    await putAll(set, bodies, numbered("base", 20));
    await putAll(set, bodies, numbered("c", 60));
    await removeAll(
      set,
      bodies,
      numbered("c", 60).filter((_, i) => i % 4 !== 0),
    );
    const gone = numbered("c", 60).filter((_, i) => i % 4 !== 0);
    const kept = [...bodies.keys()];
    let turn = 0;
    const report = await compactSet(set, {
      ...tight,
      pacer: {
        async spend(bytes) {
          // Some of what was read and is about to be written again has just changed.
          if (bytes === 0 || turn++ >= 10) return;
          await removeAll(
            set,
            bodies,
            kept.filter((_, i) => i % 3 === turn % 3),
          );
          await putAll(
            set,
            bodies,
            kept.filter((_, i) => i % 3 === (turn + 1) % 3),
            700,
          );
          await putAll(set, bodies, [gone[turn % gone.length] as string], 300);
        },
      },
    });
    expect(report.victims.length).toBeGreaterThan(0);
    await expectBodies(set, bodies);
    const again = await reopen(set, drives);
    await expectBodies(again, bodies);
    await again.close();
  });

  it("puts no key that was put meanwhile out of the way when it writes deletes again", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    const set = await open(drives);
    await putAll(set, bodies, ["again", ...numbered("base", 60)]);
    await putAll(set, bodies, numbered("fill", 30));
    await removeAll(set, bodies, ["again", ...numbered("fill", 30)]);
    await putAll(set, bodies, numbered("more", 3));
    // Put in the turn in which the delete that is carried is decided, right before it.
    let carried = 0;
    const { commit } = set;
    set.commit = (operation, options) => {
      if (options?.usesReserve === undefined && operation.payloads === undefined) {
        void put(set, "again", new Uint8Array(10));
        carried++;
      }
      return commit.call(set, operation, options) as never;
    };
    await compactSet(set, { target: 1.3, slackBytes: 1 * KiB });
    set.commit = commit;
    expect(carried).toBe(1);
    bodies.set("again", new Uint8Array(10));
    await expectBodies(set, bodies);
    await set.close();
  });

  it("leaves an end of the log to be found when nothing is left", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    const killed = await open(drives);
    await putAll(killed, bodies, numbered("a", 100));
    await removeAll(killed, bodies, numbered("a", 100));
    expect((await compactSet(killed, { target: 1.5, slackBytes: 0 })).victims.length).toBeGreaterThan(3);
    // Never closed: the end has to be found in the packs, or the log would begin again among the packs given up.
    let set = await open(drives);
    expect(namesOf(set)).toEqual([]);
    await putAll(set, bodies, ["b"]);
    set = await reopen(set, drives);
    await expectBodies(set, bodies);
    await set.close();
  });

  it("carries deletes while an older pack may hold what they delete, and drops them with it", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    let set = await open(drives);
    // The first pack stays full of live objects and of one that is deleted later.
    await putAll(set, bodies, [...numbered("live", 25), "zombie"]);
    await putAll(set, bodies, numbered("fill", 40));
    await removeAll(set, bodies, ["zombie", ...numbered("fill", 40)]);
    for (let round = 0; round < 4; round++) {
      await putAll(set, bodies, numbered("churn", 40));
      await removeAll(set, bodies, numbered("churn", 40));
      await compactSet(set, tight);
      await expectBounded(set);
      set = await reopen(set, drives);
      await expectBodies(set, bodies);
    }
    await removeAll(set, bodies, numbered("live", 25));
    await compactSet(set, { target: 1.5, slackBytes: 1 * KiB });
    set = await reopen(set, drives);
    expect(namesOf(set)).toEqual([]);
    expect((await measurePacks(set)).totalBytes).toBeLessThan(2 * KiB);
    await set.close();
  });

  it("meets the bound when deletes are all that is left, by giving up the oldest packs as well", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    let set = await open(drives);
    await putAll(set, bodies, numbered("live", 20));
    for (let round = 0; round < 12; round++) {
      const names = numbered(`unique-name-of-something-short-lived-${round}-`, 60);
      await putAll(set, bodies, names, 10);
      await removeAll(set, bodies, names);
      await compactSet(set, tight);
      await expectBounded(set);
    }
    set = await reopen(set, drives);
    await expectBodies(set, bodies);
    await set.close();
  });

  it("lets readers go on while packs go", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    const set = await open(drives);
    await putAll(set, bodies, numbered("r", 80));
    await removeAll(
      set,
      bodies,
      numbered("r", 80).filter((_, i) => i % 3 !== 0),
    );
    const names = [...bodies.keys()];
    let isRunning = true;
    let reads = 0;
    const reader = async (seed: number): Promise<void> => {
      const random = createSeededRandom(seed);
      while (isRunning) {
        const name = names[random.below(names.length)] as string;
        const bytes = await read(set, name);
        expect(Buffer.compare(bytes, bodies.get(name) as Uint8Array)).toBe(0);
        reads++;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const readers = [1, 2, 3, 4].map(reader);
    const report = await compactSet(set, tight);
    isRunning = false;
    await Promise.all(readers);
    expect(report.victims.length).toBeGreaterThan(0);
    expect(reads).toBeGreaterThan(10);
    await set.close();
  });

  it("tells a drive that was away what to forget", async () => {
    for (const away of [0, 2]) {
      const drives = await createSetDrives(3);
      const without = drives.map((drive, i) => (i === away ? undefined : drive));
      const bodies = new Map<string, Uint8Array>();
      let set = await open(drives);
      await putAll(set, bodies, numbered("old", 60));
      await set.close();
      set = await open(without);
      await removeAll(set, bodies, numbered("old", 55));
      const { victims } = await compactSet(set, tight);
      expect(victims.length).toBeGreaterThan(0);
      await set.close();
      // With the drive that still has the deleted objects, and without each other one; always with an empty index.
      for (const other of [0, 1, 2].filter((i) => i !== away)) {
        const copies = drives.map((drive, i) => (i === other ? undefined : drive));
        set = await open(copies);
        expect(namesOf(set)).toEqual([...bodies.keys()].sort());
        await set.close();
      }
      set = await open(drives);
      await expectBodies(set, bodies);
      await set.close();
      expect((await packsOn(drives[away] as Drive)).filter((pack) => victims.includes(pack))).toEqual([]);
    }
  });

  it("tells a drive that comes back to a running set what to forget", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    let set = await open(drives);
    await putAll(set, bodies, numbered("old", 60));
    const blob = await putBlob(set, "blob", bodyOf("blob", 50_000));
    expect((await readBlob(set, blob)).byteLength).toBe(50_000);
    const { id } = set.context.members[1] as Member;
    set.detach(1, { state: "offline", reason: "pulled" });
    await removeAll(set, bodies, numbered("old", 55));
    await removeBlob(set, "blob");
    const { victims } = await compactSet(set, tight);
    expect(victims.length).toBeGreaterThan(0);
    expect((await packsOn(drives[1] as Drive)).filter((pack) => victims.includes(pack)).length).toBeGreaterThan(0);
    await set.attach(1, { id, drive: drives[1] as Drive, fresh: false });
    await set.close();
    expect((await packsOn(drives[1] as Drive)).filter((pack) => victims.includes(pack))).toEqual([]);
    expect(await drives[1]?.list("blobs/00000001")).toEqual([]);
    set = await open([undefined, drives[1], drives[2]]);
    expect(namesOf(set)).toEqual([...bodies.keys()].sort());
    await set.close();
  });

  it("remembers blobs given up while a drive was away, also when their records are moved and the index is lost", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    let set = await open(drives);
    await putBlob(set, "blob", bodyOf("blob", 50_000));
    await putAll(set, bodies, numbered("base", 10));
    await set.close();
    set = await open([undefined, drives[1], drives[2]]);
    await putAll(set, bodies, numbered("a", 40));
    await removeBlob(set, "blob");
    await removeAll(set, bodies, numbered("a", 40));
    const given = set.status().pack;
    expect((await compactSet(set, { target: 1.1, slackBytes: 0 })).victims).toContain(given);
    expect((await drives[0]?.list("blobs/00000001"))?.length).toBe(1);
    set = await reopen(set, drives);
    await expectBodies(set, bodies);
    await set.close();
    for (const drive of drives) expect(await drive.list("blobs/00000001")).toEqual([]);
  });

  it("gives up nothing when too few drives are left to say so, and finishes later", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    let set = await open(drives);
    await putAll(set, bodies, numbered("a", 60));
    await removeAll(set, bodies, numbered("a", 50));
    const lose = {
      async spend() {
        for (const ordinal of [0, 1]) set.detach(ordinal, { state: "offline", reason: "pulled" });
      },
    };
    expect(await errorOf(compactSet(set, { ...tight, pacer: lose }))).toMatchObject({ code: "WRITE_QUORUM_LOST" });
    await set.close();
    set = await open(drives);
    await expectBodies(set, bodies);
    expect((await compactSet(set, tight)).victims.length).toBeGreaterThan(0);
    await expectBodies(set, bodies);
    await set.close();
  });

  it("can be ended anywhere and goes on later", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    let set = await open(drives);
    await putAll(set, bodies, numbered("a", 100));
    await removeAll(
      set,
      bodies,
      numbered("a", 100).filter((_, i) => i % 5 !== 0),
    );
    for (let steps = 0; steps < 6; steps++) {
      const ending = new AbortController();
      let left = steps;
      const pacer = {
        async spend(_: number, signal?: AbortSignal) {
          if (left-- === 0) ending.abort();
          signal?.throwIfAborted();
        },
      };
      await compactSet(set, { ...tight, pacer, signal: ending.signal }).catch(() => undefined);
      await expectBodies(set, bodies);
      set = await reopen(set, drives);
      await expectBodies(set, bodies);
    }
    await compactSet(set, tight);
    await expectBounded(set);
    await set.close();
  });

  it("frees a full store: moving may use the reserve", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    const set = await open(drives);
    await putAll(set, bodies, numbered("a", 60));
    await removeAll(
      set,
      bodies,
      numbered("a", 60).filter((_, i) => i % 2 === 0),
    );
    await set.close();
    const full = await open(drives, { reserveBytes: Number.MAX_SAFE_INTEGER });
    expect(await errorOf(put(full, "more", bodyOf("more", 10)))).toMatchObject({ code: "DRIVE_FULL" });
    expect((await compactSet(full, tight)).victims.length).toBeGreaterThan(0);
    await expectBodies(full, bodies);
    await full.close();
  });

  it("makes an index anew that is older than what was given up", async () => {
    const drives = await createSetDrives(3);
    const bodies = new Map<string, Uint8Array>();
    let set = await open(drives);
    await putAll(set, bodies, numbered("a", 60));
    const old = createMemoryIndex();
    set.context.index.scan({ start: new Uint8Array(0), end: undefined }, (key, value) => {
      old.write([{ key, value }]);
      return true;
    });
    await removeAll(set, bodies, numbered("a", 60));
    await putAll(set, bodies, numbered("b", 5));
    expect((await compactSet(set, { target: 1.01, slackBytes: 0 })).victims.length).toBeGreaterThan(0);
    await set.close();
    set = await openTestSet(drives, { profile, settings, index: old });
    await expectBodies(set, bodies);
    await set.close();
  });
});
