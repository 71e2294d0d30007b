import { expect, it } from "vitest";
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
