import { describe, expect, it } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { createSeededRandom } from "../base/random.ts";
import type { Drive } from "../drive/drive.ts";
import { createMemoryIndex } from "../index/memory-index.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { ErasureSet, PackedPayload } from "./erasure-set.ts";
import { appliedKey, encodeApplied, encodeEntry } from "./index-entry.ts";

const profile = { data: 4, parity: 2 };
const key = (name: string): Uint8Array => utf8(`K${name}`);
const random = createSeededRandom(42);

function put(set: ErasureSet, name: string, body: Uint8Array): Promise<void> {
  return set.commit({ payloads: [body], decide: (transaction) => transaction.put(key(name), utf8(`value of ${name}`), 0) });
}

async function read(set: ErasureSet, name: string): Promise<Uint8Array> {
  const entry = set.get(key(name));
  return set.readPacked(entry?.payload as PackedPayload);
}

async function fill(set: ErasureSet, count: number): Promise<Map<string, Uint8Array>> {
  const bodies = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) bodies.set(`object-${i}`, random.bytes(random.below(5000)));
  await Promise.all([...bodies].map(([name, body]) => put(set, name, body)));
  return bodies;
}

async function expectAll(set: ErasureSet, bodies: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [name, body] of bodies) expect(Buffer.compare(await read(set, name), body), name).toBe(0);
}

describe("an erasure set", () => {
  it("reads back what it has committed, also after it was closed and opened with an empty index", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const bodies = await fill(set, 300);
    await expectAll(set, bodies);
    const order = set.get(key("object-7"))?.order;
    await set.close();
    const again = await openTestSet(drives, { profile });
    await expectAll(again, bodies);
    expect(again.get(key("object-7"))?.order).toBe(order);
    expect(again.status().reads.degraded).toBe(0);
    await again.close();
  });

  it("reads everything with any two of six drives gone", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const bodies = await fill(set, 60);
    await set.close();
    for (let a = 0; a < 6; a++) {
      for (let b = a + 1; b < 6; b++) {
        const left: (Drive | undefined)[] = drives.map((drive, i) => (i === a || i === b ? undefined : drive));
        const degraded = await openTestSet(left, { profile, settings: { durability: "relaxed" } });
        await expectAll(degraded, bodies);
        await degraded.close();
      }
    }
  });

  it("seals packs and rebuilds its index from their footers", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings: { packBytesMax: 64 * 1024 } });
    const bodies = new Map<string, Uint8Array>();
    for (let round = 0; round < 10; round++) for (const [name, body] of await fill(set, 40)) bodies.set(name, body);
    expect(set.status().pack).toBeGreaterThan(3);
    await set.close();
    const again = await openTestSet(drives, { profile });
    await expectAll(again, bodies);
    await again.close();
  });

  it("makes its index again when that has seen more than the log holds", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const bodies = await fill(set, 20);
    await set.close();
    const index = createMemoryIndex();
    index.write([
      { key: appliedKey, value: encodeApplied(1_000_000) },
      { key: key("never put"), value: encodeEntry({ order: 1, value: utf8("ghost"), payload: undefined }) },
    ]);
    const again = await openTestSet(drives, { profile, index });
    await expectAll(again, bodies);
    expect(again.get(key("never put"))).toBeUndefined();
    await again.close();
  });

  it("decides in order: of many conditional puts of one key exactly one wins", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        set.commit({
          decide: (transaction) => {
            if (transaction.get(key("one")) !== undefined) return false;
            transaction.put(key("one"), utf8(String(i)));
            return true;
          },
        }),
      ),
    );
    expect(outcomes.filter((won) => won)).toHaveLength(1);
    await set.close();
  });

  it("lets an operation take over a payload that was put in the same batch", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const body = random.bytes(1000);
    const first = put(set, "a", body);
    const second = set.commit({
      decide: (transaction) => {
        const entry = transaction.get(key("a"));
        transaction.put(key("b"), utf8("taken over"), entry?.payload);
      },
    });
    const third = set.commit({
      decide: (transaction) => {
        const payload = transaction.get(key("a"))?.payload as PackedPayload;
        transaction.put(key("c"), payload.slice());
      },
    });
    await Promise.all([first, second, third]);
    const embedded = set.get(key("c"))?.value as PackedPayload;
    expect(Buffer.compare(await set.readPacked(embedded), body)).toBe(0);
    await set.close();
    const again = await openTestSet(drives, { profile });
    expect(Buffer.compare(await read(again, "b"), body)).toBe(0);
    await again.close();
  });

  it("writes and reads blobs, whole and in ranges, healthy and degraded", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const body = random.bytes(700_001);
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < body.byteLength; at += 50_000) yield body.subarray(at, at + 50_000);
    };
    const written = await set.writeBlob(source(), { digests: ["md5"] });
    expect(written.sizeBytes).toBe(body.byteLength);
    await set.commit({
      decide: (transaction) => {
        transaction.addBlob(written.blob);
        transaction.put(key("big"), written.blob);
      },
    });
    await set.close();
    const ranges = [
      [0, body.byteLength],
      [5, 6],
      [131_000, 132_000],
      [99_999, 555_555],
      [700_000, 700_001],
    ] as const;
    for (const lost of [[], [0], [1, 4], [2, 3]]) {
      const again = await openTestSet(
        drives.map((drive, i) => ((lost as number[]).includes(i) ? undefined : drive)),
        { profile },
      );
      const reader = again.openBlob(again.get(key("big"))?.value as typeof written.blob);
      for (const [start, end] of ranges) {
        const pieces: Uint8Array[] = [];
        for await (const piece of reader.read({ start, end })) pieces.push(piece);
        expect(Buffer.compare(Buffer.concat(pieces), body.subarray(start, end))).toBe(0);
      }
      reader.close();
      await again.close();
    }
  });
});
