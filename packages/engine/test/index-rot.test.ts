/**
 * An index file that its drive spoils, within m faults: while the store is closed, after a crash, and while it is open. Every answer is right, or is
 * `INDEX_DAMAGED` until the index has been made anew; and once the store was opened again everything is right.
 */
import { closeSync, copyFileSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isHoldfastError } from "../src/base/errors.ts";
import { createSeededRandom, type Random } from "../src/base/random.ts";
import { KiB } from "../src/base/units.ts";
import type { RecoveryProgress, Store } from "../src/engine.ts";
import { tally } from "../src/testing/tally.ts";
import { makeTemporaryStore, patterned, type TemporaryStore } from "../src/testing/temporary-store.ts";
import type { StoreEvent } from "../src/upkeep/events.ts";

const settings = { packSize: "64KiB", upkeep: false, threads: 0, erasure: { data: 1, parity: 1 } } as const;
const trials = Number(process.env.HOLDFAST_INDEX_ROT ?? 12);
let place: TemporaryStore;
beforeEach(async () => {
  place = await makeTemporaryStore(2);
});
afterEach(() => place.remove());

/** What a store must answer. */
interface Expected {
  readonly bodies: Map<string, Uint8Array>;
  readonly versions: Map<string, number>;
}

async function make(): Promise<Expected> {
  const store = await place.open(settings);
  const bodies = new Map<string, Uint8Array>();
  const versions = new Map<string, number>();
  const plain = await store.createBucket("plain");
  for (let i = 0; i < 400; i += 40) {
    await plain.putMany(Array.from({ length: 40 }, (_, j) => ({ key: `k${(i + j) % 300}`, body: patterned(300 + i, i + j) })));
    for (let j = 0; j < 40; j++) bodies.set(`k${(i + j) % 300}`, patterned(300 + i, i + j));
  }
  for (let i = 0; i < 300; i += 9) {
    await plain.delete(`k${i}`);
    bodies.delete(`k${i}`);
  }
  await plain.put("large", patterned(400 * KiB, 7));
  bodies.set("large", patterned(400 * KiB, 7));
  const versioned = await store.createBucket("versioned", { versioning: "enabled" });
  for (let i = 0; i < 60; i++) {
    await versioned.put(`v${i % 12}`, patterned(100 + i, i));
    versions.set(`v${i % 12}`, (versions.get(`v${i % 12}`) ?? 0) + 1);
  }
  await store.close();
  return { bodies, versions };
}

/** Asks for everything there is and for some that is not: how many answers were `INDEX_DAMAGED`. @throws when one is wrong */
async function ask(store: Store, { bodies, versions }: Expected): Promise<number> {
  let damaged = 0;
  const right = async (check: () => Promise<void>): Promise<void> => {
    try {
      await check();
    } catch (error) {
      if (!isHoldfastError(error, "INDEX_DAMAGED")) throw error;
      damaged++;
    }
  };
  const plain = store.bucket("plain");
  for (let i = 0; i < 300; i += 7) {
    const body = bodies.get(`k${i}`);
    await right(async () => {
      const found = await plain.get(`k${i}`).then(
        (object) => object.bytes(),
        (error: unknown) => {
          if (isHoldfastError(error, "OBJECT_NOT_FOUND")) return undefined;
          throw error;
        },
      );
      expect(found === undefined ? undefined : Buffer.from(found).toString("hex")).toBe(
        body === undefined ? undefined : Buffer.from(body).toString("hex"),
      );
    });
  }
  await right(async () => expect((await plain.head("large")).size).toBe(400 * KiB));
  await right(async () => {
    const listed: string[] = [];
    for await (const entry of plain.list()) listed.push(entry.key as string);
    expect(listed.sort()).toEqual([...bodies.keys()].sort());
  });
  await right(async () => {
    const counted = new Map<string, number>();
    for await (const entry of store.bucket("versioned").listVersions())
      counted.set(entry.key as string, (counted.get(entry.key as string) ?? 0) + 1);
    expect(counted).toEqual(versions);
  });
  return damaged;
}

function indexFile(): string {
  return join(place.drive(1), "index", "index.lmdb");
}

function spoil(at: number, bytes: Uint8Array): void {
  const file = openSync(indexFile(), "r+");
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

function pageAt(random: Random): number {
  return 4096 * random.below(statSync(indexFile()).size / 4096);
}

const spoilers: Record<string, (random: Random) => void> = {
  "a few bits": (random) => {
    const bytes = readFileSync(indexFile());
    for (let left = 1 + random.below(8); left > 0; left--) {
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    }
    writeFileSync(indexFile(), bytes);
  },
  "the head of a page": (random) => spoil(pageAt(random) + random.below(32), random.bytes(1 + random.below(16))),
  "a page of zeros": (random) => spoil(pageAt(random), new Uint8Array(4096)),
  "pages in each other's place": (random) => {
    const bytes = readFileSync(indexFile());
    const [a, b] = [pageAt(random), pageAt(random)];
    spoil(a, bytes.subarray(b, b + 4096));
    spoil(b, bytes.subarray(a, a + 4096));
  },
  "no end": (random) => truncateSync(indexFile(), random.below(statSync(indexFile()).size)),
};

describe.each(Object.entries(spoilers))("a closed index with %s", (_, spoilFile) => {
  it("is made anew, and everything is there", { timeout: 120_000 }, async () => {
    const expected = await make();
    for (let seed = 1; seed <= trials; seed++) {
      const before = readFileSync(indexFile());
      spoilFile(createSeededRandom(seed));
      const isSame = Buffer.compare(before, readFileSync(indexFile())) === 0;
      const steps: RecoveryProgress[] = [];
      const events: StoreEvent[] = [];
      const store = await place.open(settings, { onRecovery: (progress) => steps.push(progress), onEvent: (event) => events.push(event) });
      expect(await ask(store, expected), `seed ${seed}`).toBe(0);
      await store.close();
      if (isSame) continue;
      expect(steps.length, `seed ${seed}`).toBeGreaterThan(3);
      expect(steps.at(-1)).toMatchObject({ packsDone: steps.length, packs: steps.length });
      expect(events.filter(({ type }) => type === "index")).toMatchObject([{ phase: "damaged" }, { phase: "renewed" }]);
    }
    tally("spoilt indexes", trials);
  });

  it("is made anew after a crash of the process too", { timeout: 120_000 }, async () => {
    const expected = await make();
    for (let seed = 1; seed <= trials; seed++) {
      spoilFile(createSeededRandom(seed * 77));
      leaveOpen();
      const store = await place.open(settings);
      expect(await ask(store, expected), `seed ${seed}`).toBe(0);
      await store.close();
    }
    tally("spoilt indexes", trials);
  });
});

/** Makes the index look as if the process had died with it open. */
function leaveOpen(): void {
  const path = join(place.drive(1), "index", "checkpoint.json");
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, "utf8")) as object), closed: undefined }));
}

/** Spoils the value of every entry, current or not, whose key holds this text. */
function spoilValuesOf(text: string): number {
  const bytes = readFileSync(indexFile());
  let found = 0;
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
    spoil(at + text.length + 24, Uint8Array.of((bytes[at + text.length + 24] as number) ^ 0x10));
    found++;
  }
  return found;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("an index that is spoilt while the store is open", () => {
  const key = "a-key-that-stands-out";

  it("fails reads until it has been made anew, and keeps every write", async () => {
    const expected = await make();
    const events: StoreEvent[] = [];
    const store = await place.open(settings, { onEvent: (event) => events.push(event) });
    const plain = store.bucket("plain");
    await plain.put(key, "here");
    expected.bodies.set(key, Buffer.from("here"));
    await until(() => readFileSync(indexFile()).includes(key));
    expect(spoilValuesOf(key)).toBeGreaterThan(0);
    const writes = Array.from({ length: 30 }, (_, i) => plain.put(`k${i}`, patterned(50, i)).catch((error: unknown) => error));
    await expect(plain.get(key)).rejects.toMatchObject({ code: "INDEX_DAMAGED", kind: "data" });
    const outcomes = await Promise.all(writes);
    for (const [i, outcome] of outcomes.entries()) {
      if (isHoldfastError(outcome)) expect(outcome.code).toBe("INDEX_DAMAGED");
      else expected.bodies.set(`k${i}`, patterned(50, i));
    }
    await until(() => events.some((event) => event.type === "index" && event.phase === "renewed"));
    expect(events.filter(({ type }) => type === "index")).toMatchObject([{ phase: "damaged" }, { phase: "renewed" }]);
    expect(await (await plain.get(key)).text()).toBe("here");
    await plain.put("after", "it");
    expected.bodies.set("after", Buffer.from("it"));
    expect(await ask(store, expected)).toBe(0);
    await store.close();
    let replayed = 0;
    const again = await place.open(settings, { onRecovery: () => replayed++ });
    expect(replayed).toBe(0);
    expect(await ask(again, expected)).toBe(0);
    expect((await again.verify()).faults).toBe(0);
    await again.close();
  });

  it("is made anew by the next opening when the store is closed at once", async () => {
    const expected = await make();
    const store = await place.open(settings);
    await store.bucket("plain").put(key, "here");
    expected.bodies.set(key, Buffer.from("here"));
    await until(() => readFileSync(indexFile()).includes(key));
    spoilValuesOf(key);
    await expect(store.bucket("plain").get(key)).rejects.toMatchObject({ code: "INDEX_DAMAGED" });
    await store.close();
    const again = await place.open(settings);
    expect(await ask(again, expected)).toBe(0);
    await again.close();
  });
});

describe("a closed index", () => {
  it("of an older state, with or without its checkpoint, is not taken for the last one", async () => {
    const expected = await make();
    const folder = join(place.drive(1), "index");
    for (const name of ["index.lmdb", "checkpoint.json"]) copyFileSync(join(folder, name), join(place.folder, name));
    const store = await place.open(settings);
    await store.bucket("plain").put("newer", "one");
    await store.bucket("plain").delete("k1");
    expected.bodies.set("newer", Buffer.from("one"));
    expected.bodies.delete("k1");
    await store.close();
    for (const names of [["index.lmdb"], ["index.lmdb", "checkpoint.json"]]) {
      for (const name of names) copyFileSync(join(place.folder, name), join(folder, name));
      const again = await place.open(settings);
      expect(await ask(again, expected)).toBe(0);
      await again.close();
    }
  });
});
