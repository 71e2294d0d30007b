/** Memory sets whose keys are mapped anew while they are in use. */
import { HoldfastError } from "../base/errors.ts";
import type { Bucket } from "../object/bucket.ts";
import type { ObjectSettings } from "../object/context.ts";
import type { ChooseSet } from "../object/topology.ts";
import { createMemoryObjectStore, type MemoryObjectStore } from "./memory-object-store.ts";
import type { MemorySet } from "./memory-set.ts";

export interface MovingWorld extends MemoryObjectStore {
  readonly bucket: Bucket;
  /** Maps keys anew, as an owner does: durable first. */
  remap(chooseSet: ChooseSet): Promise<void>;
  /** Forgets the earlier mappings. */
  forget(): Promise<void>;
}

/** A bucket over three sets, with everything in the first. */
export async function openMovingWorld(settings: Partial<ObjectSettings> = {}): Promise<MovingWorld> {
  const memory = createMemoryObjectStore({ setCount: 3, settings });
  memory.topology = { ...memory.topology, chooseSet: memory.mapping([0]) };
  const store = memory.reopen();
  const bucket = await store.createBucket("things");
  const change = async (chooseSet: ChooseSet, previous: readonly ChooseSet[]): Promise<void> => {
    memory.topology = { ...memory.topology, chooseSet, previous };
    await store.upkeep.changeTopology(memory.topology);
  };
  return Object.assign(memory, {
    store,
    bucket,
    remap: (chooseSet: ChooseSet) => change(chooseSet, [memory.topology.chooseSet, ...memory.topology.previous]),
    forget: () => change(memory.topology.chooseSet, []),
  });
}

/** Makes one of the next commits of a set fail: the one after so many. Answers how to end that. */
export function failCommit(set: MemorySet, after: number): () => void {
  const commit = set.commit.bind(set);
  let commits = 0;
  set.commit = (operation, options) => {
    if (commits++ !== after) return commit(operation, options);
    return Promise.reject(new HoldfastError("WRITE_QUORUM_LOST", "too few drives"));
  };
  return () => {
    set.commit = commit;
  };
}
