import { describe, expect, it } from "vitest";
import { codeOf } from "../testing/memory-object-store.ts";
import type { MemorySet } from "../testing/memory-set.ts";
import { failCommit, openMovingWorld } from "../testing/moving-world.ts";

describe("moving the home", () => {
  it("takes buckets and their ids along, over restarts, and can be begun again", async () => {
    const memory = await openMovingWorld();
    const { store, sets, mapping, remap, forget } = memory;
    for (let i = 0; i < 1200; i++) await store.createBucket(`bucket-${i}`);
    await remap(mapping([1]));
    await store.upkeep.moveKeys();
    for (const failing of [1, 0]) {
      for (const after of [0, 1, 2]) {
        const restore = failCommit(sets[failing] as MemorySet, after);
        await store.upkeep.moveHome(sets[1] as MemorySet).catch(() => undefined);
        restore();
        expect(await memory.reopen().buckets()).toHaveLength(1201);
      }
    }
    await store.upkeep.moveHome(sets[1] as (typeof sets)[number]);
    await forget();
    expect(store.upkeep.holdsNothing(sets[0] as (typeof sets)[number])).toBe(true);
    await store.createBucket("another");
    await store.deleteBucket("bucket-0");
    memory.topology = { ...memory.topology, sets: sets.slice(1) };
    await store.upkeep.changeTopology(memory.topology);
    expect(await store.buckets()).toHaveLength(1201);
    expect(await codeOf(store.createBucket("another"))).toBe("BUCKET_EXISTS");
  });
});
