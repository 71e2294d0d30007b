/**
 * Random operations on real stores, compared with a model of what S3 would answer. In between the store is closed and opened again: with
 * drives away, as many as it has parity, with drives back that missed what was written meanwhile, with the drives in another order, and
 * without its index.
 */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createSeededRandom } from "../src/base/random.ts";
import { MiB } from "../src/base/units.ts";
import type { StoreSettings } from "../src/store/settings.ts";
import { checkObjectModel, type ModelSubject } from "../src/testing/object-model-check.ts";
import { looseFiles, makeTemporaryStore } from "../src/testing/temporary-store.ts";

/** `HOLDFAST_MODEL_RUNS` sets the number of sequences for each kind of store; `HOLDFAST_SHRINK=1` looks for the shortest that fails. */
const runs = Number(process.env.HOLDFAST_MODEL_RUNS ?? 8);
const shrink = process.env.HOLDFAST_SHRINK === "1";

/** Small enough that most bodies become blobs and packs are filled. */
const small = { inlineLimit: 512, stripeSize: "64KiB", packSize: "64KiB" } as const;

interface Shape {
  readonly drives: number;
  readonly settings: StoreSettings;
  /** Drives that may be away at once. */
  readonly away: number;
}

async function openSubject({ drives, settings, away }: Shape): Promise<ModelSubject> {
  const place = await makeTemporaryStore(drives);
  const random = createSeededRandom(11);
  const asideOf = (drive: string): string => `${drive}-aside`;
  let gone: string[] = [];
  let store = await place.open({ ...small, ...settings });
  const bringBack = async (): Promise<void> => {
    for (const drive of gone.splice(0)) await rename(asideOf(drive), drive);
  };
  return {
    get store() {
      return store;
    },
    inlineBytes: 512,
    partBytesMin: 5 * MiB,
    async reopen() {
      await store.close();
      await bringBack();
      const shuffled = [...place.drives].sort(() => random.below(2) - 0.5);
      gone = shuffled.slice(0, random.below(away + 1));
      for (const drive of gone) await rename(drive, asideOf(drive));
      if (random.below(4) === 0) for (const drive of shuffled) await rm(join(drive, "index"), { recursive: true, force: true });
      store = await place.open({ ...small, drives: shuffled });
    },
    async close() {
      await store.close();
      await bringBack();
      store = await place.open(small);
      const report = await store.verify();
      expect(report.unrepairable).toBe(0);
      await emptyBucket(store.bucket("model-bucket"));
      await store.close();
      expect(await looseFiles(place.drives)).toEqual([]);
      await place.remove();
    },
  };
}

async function emptyBucket(bucket: ReturnType<ModelSubject["store"]["bucket"]>): Promise<void> {
  for await (const entry of bucket.listVersions()) {
    if (entry.key !== undefined) await bucket.delete(entry.key, { versionId: entry.versionId });
  }
}

it.each<[string, Shape]>([
  ["six drives, 4+2, up to two away", { drives: 6, settings: { erasure: { data: 4, parity: 2 } }, away: 2 }],
  ["three drives, 2+1, one away", { drives: 3, settings: {}, away: 1 }],
  ["seven drives in two sets, 2+1, relaxed", { drives: 7, settings: { erasure: { data: 2, parity: 1 }, durability: "relaxed" }, away: 1 }],
  ["one drive", { drives: 1, settings: {}, away: 0 }],
])("random operations on %s agree with the model", { timeout: 60_000 + runs * 5000 }, async (_, shape) => {
  await checkObjectModel(() => openSubject(shape), { runs, steps: 80, shrink });
});

it("random operations on a store in memory agree with the model", async () => {
  await checkObjectModel(
    async () => {
      const place = await makeTemporaryStore(0);
      const store = await place.open({ memory: true, erasure: { data: 2, parity: 2 }, ...small });
      return { store, inlineBytes: 512, partBytesMin: 5 * MiB, reopen: async () => undefined, close: () => place.remove() };
    },
    { runs: 20, steps: 80 },
  );
});
