import { describe, expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { KiB } from "../base/units.ts";
import { measurePacks } from "../set/measure-packs.ts";
import type { OpenSet } from "../set/open-set.ts";
import { bodyOf, expectBodies, put, remove } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import { needsCompaction, runCompaction } from "./compaction.ts";

const settings = { packBytesMax: 16 * KiB, packRecordsBytesMax: 4 * KiB, batchOperationsMax: 4 };
const limits = { target: 1.5, slackBytes: 48 * KiB };

async function putMany(set: OpenSet, bodies: Map<string, Uint8Array>, count: number, length = 1000): Promise<void> {
  for (let i = 0; i < count; i++) bodies.set(`k${i}`, bodyOf(`k${i}-${bodies.size}-${length}`, length));
  await Promise.all([...bodies].map(([name, body]) => put(set, name, body)));
}

describe("when a set is compacted", () => {
  it("is asked once after opening, and then when enough was written or deleted", async () => {
    const clock = createManualClock();
    const set = await openTestSet(await createSetDrives(3), { profile: { data: 2, parity: 1 }, settings, clock });
    const bodies = new Map<string, Uint8Array>();
    await putMany(set, bodies, 40);
    expect(needsCompaction(set, limits)).toBe(true);
    expect((await runCompaction(set, limits)).victims).toEqual([]);
    expect(needsCompaction(set, limits)).toBe(false);
    await put(set, "k0", bodies.get("k0") as Uint8Array);
    expect(needsCompaction(set, limits)).toBe(false);
    clock.advance(61_000);
    expect(needsCompaction(set, limits)).toBe(true);
    await runCompaction(set, limits);
    clock.advance(61_000);
    expect(needsCompaction(set, limits)).toBe(false);
    while (!needsCompaction(set, limits)) await putMany(set, bodies, 5);
    await runCompaction(set, limits);
    await expectBodies(set, bodies);
    await set.close();
  });

  it("keeps the bound over a long life, a pass at a time", async () => {
    const clock = createManualClock();
    const set = await openTestSet(await createSetDrives(3), { profile: { data: 2, parity: 1 }, settings, clock });
    const bodies = new Map<string, Uint8Array>();
    let passes = 0;
    let worst = 0;
    for (let round = 0; round < 60; round++) {
      await putMany(set, bodies, 10 + (round % 7), 200 + 50 * (round % 11));
      if (round % 3 === 0) {
        const gone = [...bodies.keys()].filter((_, i) => i % 2 === 0);
        for (const name of gone) bodies.delete(name);
        await Promise.all(gone.map((name) => remove(set, name)));
      }
      clock.advance(1000);
      if (needsCompaction(set, limits)) {
        passes++;
        await runCompaction(set, limits);
      }
      const { totalBytes, liveBytes } = await measurePacks(set);
      worst = Math.max(worst, totalBytes - limits.target * liveBytes);
    }
    await expectBodies(set, bodies);
    expect(passes).toBeLessThan(30);
    // Between two looks at most the room is filled, and then at most what is written before the next look.
    expect(worst).toBeLessThan(2 * limits.slackBytes);
    await set.close();
  });

  it("runs one pass at a time", async () => {
    const set = await openTestSet(await createSetDrives(3), { profile: { data: 2, parity: 1 }, settings });
    const first = runCompaction(set, limits);
    expect(needsCompaction(set, limits)).toBe(false);
    expect(runCompaction(set, limits)).toBe(first);
    await first;
    await set.close();
  });
});
