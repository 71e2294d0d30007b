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
      expect(found === undefined ? undefined : Buffer.from(found).toString("hex")).toBe(body === undefined ? undefined : Buffer.from(body).toString("hex"));
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
    for await (const entry of store.bucket("versioned").listVersions()) counted.set(entry.key as string, (counted.get(entry.key as string) ?? 0) + 1);
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
});
