import { expect, it } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { createMemoryObjectStore } from "../testing/memory-object-store.ts";
import { checkObjectModel } from "../testing/object-model-check.ts";

it.each([1, 3])("random operations over %d memory sets agree with the model and leave no blob behind", async (setCount) => {
  const memories: ReturnType<typeof createMemoryObjectStore>[] = [];
  await checkObjectModel(
    async () => {
      const memory = createMemoryObjectStore({ setCount, settings: { inlineBytes: 512, partBytesMin: 1024 } });
      memories.push(memory);
      let { store } = memory;
      return {
        get store() {
          return store;
        },
        inlineBytes: 512,
        partBytesMin: 1024,
        async reopen() {
          store = memory.reopen();
        },
        async close() {
          const bucket = store.bucket("model-bucket");
          for await (const entry of bucket.listVersions()) {
            if (entry.key !== undefined) await bucket.delete(entry.key, { versionId: entry.versionId });
          }
          for (const set of memory.sets) expect([set.liveBlobs, set.looseBlobs, set.openReaders]).toEqual([0, 0, 0]);
          expect(memory.sets.reduce((sum, set) => sum + set.size, 0)).toBe(2); // the bucket and the counter of bucket ids
        },
      };
    },
    { runs: 150, steps: 60 },
  );
});

it.each([2, 5, undefined])(
  "random operations agree with the model while keys move between sets, %s records at a time",
  async (moveRecordsMax) => {
    let opened = 0;
    await checkObjectModel(
      async () => {
        const memory = createMemoryObjectStore({ setCount: 3, settings: { inlineBytes: 512, partBytesMin: 1024, moveRecordsMax } });
        const random = createSeededRandom(++opened);
        let { store } = memory;
        let moving: Promise<unknown> = Promise.resolve();
        let stop = new AbortController();
        const halt = async (): Promise<void> => {
          stop.abort();
          await moving;
          stop = new AbortController();
        };
        const move = (): void => {
          const { signal } = stop;
          const spend = async (): Promise<void> => {
            for (let turns = random.below(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
          };
          moving = store.upkeep.moveKeys({ signal, pacer: { spend } }).catch((error: unknown) => {
            if (!isHoldfastError(error, "ABORTED")) throw error;
          });
        };
        const remap = async (): Promise<void> => {
          const { chooseSet, previous } = memory.topology;
          const numbers = [[0, 1, 2], [0, 1], [1, 2], [0]][random.below(4)] as number[];
          memory.topology = {
            ...memory.topology,
            chooseSet: memory.mapping(numbers, random.below(100)),
            previous: [chooseSet, ...previous],
          };
          await store.upkeep.changeTopology(memory.topology);
        };
        const actions = [
          async () => move(),
          async () => move(),
          remap,
          remap,
          async () => {
            await halt();
            store = memory.reopen();
          },
          async () => {
            await store.upkeep.moveHome(memory.sets[random.below(3)] as (typeof memory.sets)[number]);
          },
          async () => {
            await moving;
            await store.upkeep.moveKeys();
            memory.topology = { ...memory.topology, previous: [] };
            await store.upkeep.changeTopology(memory.topology);
          },
        ];
        return {
          get store() {
            return store;
          },
          inlineBytes: 512,
          partBytesMin: 1024,
          reopen: () => (actions[random.below(actions.length)] as (typeof actions)[number])(),
          async close() {
            await halt();
            await store.upkeep.moveKeys();
            const bucket = store.bucket("model-bucket");
            for await (const entry of bucket.listVersions()) {
              if (entry.key !== undefined) await bucket.delete(entry.key, { versionId: entry.versionId });
            }
            for (const set of memory.sets) expect([set.liveBlobs, set.looseBlobs, set.openReaders]).toEqual([0, 0, 0]);
            await store.deleteBucket("model-bucket");
            expect(memory.sets.filter((set) => !store.upkeep.holdsNothing(set))).toEqual([store.upkeep.homeSet]);
          },
        };
      },
      { runs: 70, steps: 80 },
    );
  },
);
