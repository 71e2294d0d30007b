import { describe, expect, it } from "vitest";
import { HoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { codeOf, createMemoryObjectStore } from "../testing/memory-object-store.ts";
import { describeMemoryBlob, type MemorySet } from "../testing/memory-set.ts";
import { blobsOf } from "./key-entries.ts";
import { keyTags } from "./keys.ts";
import type { RecodePacked } from "./reprotect.ts";

const big = new Uint8Array(3000).map((_, i) => i % 241);
const wide = { data: 4, parity: 2 };

/** Codes of the blobs that entries name, and how many blobs there are beside those. */
function codes(sets: readonly MemorySet[]): { readonly named: Record<string, number>; readonly strays: number } {
  const named: Record<string, number> = {};
  let count = 0;
  for (const set of sets) {
    set.scan({ start: Uint8Array.of(keyTags.current), end: undefined }, (key, entry) => {
      for (const blob of blobsOf(key, entry().value)) {
        const { data, parity } = describeMemoryBlob(blob);
        named[`${data}+${parity}`] = (named[`${data}+${parity}`] ?? 0) + 1;
        count++;
      }
      return true;
    });
  }
  return { named, strays: sets.reduce((sum, set) => sum + set.liveBlobs + set.looseBlobs, 0) - count };
}

async function fill() {
  const memory = createMemoryObjectStore({ setCount: 2 });
  const bucket = await memory.store.createBucket("things", { versioning: "enabled" });
  for (let i = 0; i < 12; i++) await bucket.put(`k${i % 5}`, big);
  const upload = await bucket.createUpload("parts");
  for (const number of [1, 2, 3]) await upload.uploadPart(number, big);
  await upload.uploadPart(4, "packed");
  await upload.complete();
  const open = await bucket.createUpload("open");
  await open.uploadPart(1, big);
  const other = await memory.store.createBucket("other");
  await other.put("a", big);
  return { ...memory, bucket, open };
}

const recodePacked: RecodePacked = async () => ({ entries: 2, bytes: 20, unreadable: 0 });

describe("coding a bucket another way", () => {
  it("rewrites every version, part and segment of the bucket, and nothing of others", async () => {
    const { store, bucket, sets, open } = await fill();
    const seen: number[] = [];
    const report = await store.upkeep.reprotect("things", wide, {
      recodePacked,
      onProgress: (progress) => seen.push(progress.blobsRewritten),
    });
    expect(report).toEqual({ setsDone: 2, sets: 2, packedRewritten: 4, blobsRewritten: 16, bytesRewritten: 16 * 3000 + 40, unreadable: 0 });
    expect(seen.at(-1)).toBe(16);
    expect(codes(sets)).toEqual({ named: { "4+2": 16, "2+1": 1 }, strays: 0 });
    expect(await bucket.info()).toMatchObject({ erasure: wide });
    expect(await (await bucket.get("parts")).bytes()).toHaveLength(9006);
    for await (const entry of bucket.listVersions()) {
      if (entry.key === undefined) continue;
      const body = await (await bucket.get(entry.key, { versionId: entry.versionId })).bytes();
      expect(Buffer.compare(body.subarray(0, 3000), big)).toBe(0);
    }
    await open.uploadPart(2, big);
    await open.complete();
    await bucket.put("new", big);
    expect(codes(sets)).toEqual({ named: { "4+2": 18, "2+1": 1 }, strays: 0 });
    expect(await store.upkeep.reprotect("things", wide, { recodePacked })).toMatchObject({ blobsRewritten: 0 });
  });

  it("tells the set how packed payloads are to be coded", async () => {
    const { store, sets } = await fill();
    const asked = new Map<string, number>();
    await store.upkeep.reprotect("things", wide, {
      recodePacked: async (set, wanted) => {
        set.scan({ start: Uint8Array.of(0x10), end: undefined }, (key) => {
          const profile = wanted(key);
          const text = profile === undefined ? "the set's" : `${profile.data}+${profile.parity}`;
          asked.set(text, (asked.get(text) ?? 0) + 1);
          return true;
        });
        return { entries: 0, bytes: 0, unreadable: 0 };
      },
    });
    expect(sets).toHaveLength(2);
    expect(Object.fromEntries(asked)).toEqual({ "4+2": 12 + 2 + 2, "the set's": 1 + 3 });
  });

  it("goes on where it was ended", async () => {
    const { store, sets } = await fill();
    const stop = new AbortController();
    let bytes = 0;
    const spend = async (more: number): Promise<void> => {
      bytes += more;
      if (bytes > 30_000) stop.abort();
    };
    expect(await codeOf(store.upkeep.reprotect("things", wide, { recodePacked, signal: stop.signal, pacer: { spend } }))).toBe("ABORTED");
    const half = codes(sets);
    expect([half.strays, (half.named["4+2"] ?? 0) > 0, (half.named["2+1"] ?? 0) > 1]).toEqual([0, true, true]);
    await store.upkeep.reprotect("things", wide, { recodePacked });
    expect(codes(sets)).toEqual({ named: { "4+2": 16, "2+1": 1 }, strays: 0 });
  });

  it("leaves what changes meanwhile alone, and finds it where it has gone", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { store, bucket, sets, open } = await fill();
      const random = createSeededRandom(seed);
      const changes = [
        () => bucket.delete(`k${random.below(5)}`),
        () => bucket.put(`k${random.below(5)}`, big),
        () => bucket.setTags(`k${random.below(5)}`, { a: "b" }).catch(() => undefined),
        () => open.complete().catch(() => undefined),
        async () => {
          const versions = (await bucket.listVersionsPage()).entries;
          const version = versions[random.below(versions.length)];
          if (version?.key !== undefined) await bucket.delete(version.key, { versionId: version.versionId });
        },
      ];
      let left = 40;
      const spend = async (): Promise<void> => {
        if (left-- > 0) await changes[random.below(changes.length)]?.();
      };
      await store.upkeep.reprotect("things", wide, { recodePacked, pacer: { spend } });
      const { named, strays } = codes(sets);
      expect([strays, named["2+1"]]).toEqual([0, 1]);
      expect(sets.map((set) => set.openReaders)).toEqual([0, 0]);
    }
  });

  it("passes what cannot be read", async () => {
    const { store, sets } = await fill();
    const [set] = sets as readonly [MemorySet];
    const openBlob = set.openBlob.bind(set);
    let opened = 0;
    set.openBlob = (blob) => {
      const reader = openBlob(blob);
      if (opened++ > 0) return reader;
      // biome-ignore lint/correctness/useYield: it fails before its first piece.
      const read = async function* (): AsyncGenerator<Uint8Array> {
        throw new HoldfastError("OBJECT_DAMAGED", "too few shards");
      };
      return { ...reader, read };
    };
    const report = await store.upkeep.reprotect("things", wide, { recodePacked });
    expect(report).toMatchObject({ blobsRewritten: 15, unreadable: 1 });
    expect(codes(sets)).toEqual({ named: { "4+2": 15, "2+1": 2 }, strays: 0 });
  });

  it("discards what a failed commit would have named", async () => {
    const { store, sets } = await fill();
    sets[0]?.failNextCommit(new HoldfastError("WRITE_QUORUM_LOST", "too few drives"));
    const all = (): boolean => true;
    expect(await codeOf(store.upkeep.rewriteBlobs(sets[0] as MemorySet, all))).toBe("WRITE_QUORUM_LOST");
    expect(codes(sets).strays).toBe(0);
    const { blobsRewritten } = await store.upkeep.rewriteBlobs(sets[0] as MemorySet, all);
    expect([blobsRewritten, codes(sets).strays]).toEqual([sets[0]?.liveBlobs, 0]);
  });

  it.each([
    [{ data: 6, parity: 1 }, "ARGUMENT_INVALID"],
    [{ data: 0, parity: 1 }, "ARGUMENT_INVALID"],
    [null, "ARGUMENT_INVALID"],
  ])("refuses %j", async (erasure, code) => {
    const { store } = await fill();
    expect(await codeOf(store.upkeep.reprotect("things", erasure as never, { recodePacked }))).toBe(code);
    expect(await codeOf(store.upkeep.reprotect("nothing", wide, { recodePacked }))).toBe("BUCKET_NOT_FOUND");
  });
});
