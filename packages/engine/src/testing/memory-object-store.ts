import { createManualClock } from "../base/clock.ts";
import { createSeededRandom } from "../base/random.ts";
import { computeDigest, type DigestName, loadDigests } from "../codec/digest.ts";
import type { ObjectSettings } from "../object/context.ts";
import { createObjectStore, type ObjectStore } from "../object/object-store.ts";
import type { ChooseSet, TopologyState } from "../object/topology.ts";
import { createMemorySet, describeMemoryBlob, type MemorySet } from "./memory-set.ts";

await loadDigests();

/** An object store over memory sets, and what a test needs to look behind it. */
export interface MemoryObjectStore {
  readonly store: ObjectStore;
  readonly sets: readonly MemorySet[];
  readonly home: MemorySet;
  readonly clock: ReturnType<typeof createManualClock>;
  /** What a store keeps about its topology over a restart. */
  topology: TopologyState;
  /** A mapping of keys to some of the sets, by their numbers; another one for each salt. */
  mapping(setNumbers: readonly number[], salt?: number): ChooseSet;
  /** The same sets under a fresh object store, as after reopening. */
  reopen(): ObjectStore;
}

/** Makes an object store over `setCount` memory sets, with a small inline limit so that blobs are common. */
export function createMemoryObjectStore(
  options: { readonly setCount?: number; readonly settings?: Partial<ObjectSettings> } = {},
): MemoryObjectStore {
  const clock = createManualClock();
  const random = createSeededRandom(7);
  const digest = (name: string, bytes: Uint8Array): Uint8Array => computeDigest(name as DigestName, bytes);
  const sets = Array.from({ length: options.setCount ?? 1 }, () =>
    createMemorySet({ clock, random, computeDigest: digest, driveCount: 6 }),
  );
  const home = sets[0] as MemorySet;
  const mapping: MemoryObjectStore["mapping"] = (setNumbers, salt = 0) => {
    return (bucketId, keyBytes) => {
      const sum = keyBytes.reduce((total, byte) => (total * 31 + byte) % 65_521, bucketId + salt);
      return sets[setNumbers[sum % setNumbers.length] as number] as MemorySet;
    };
  };
  const settings: ObjectSettings = { inlineBytes: 1024, etag: "md5", partBytesMin: 2048, ...options.settings };
  const parts = { describeBlob: describeMemoryBlob, clock, random, computeDigest: digest, settings };
  const memory = {
    sets,
    home,
    clock,
    mapping,
    topology: { sets, chooseSet: mapping(sets.map((_, number) => number)), previous: [] } as TopologyState,
    reopen: () => createObjectStore({ ...memory.topology, homeSet: home, ...parts }),
  };
  return Object.assign(memory, { store: memory.reopen() });
}

/** The code of the error a promise rejects with; fails when it resolves or rejects with anything else. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error("it resolved"),
    (reason: unknown) => reason,
  );
  const code = (error as { code?: unknown }).code;
  if (typeof code !== "string" || (error as Error).name !== "HoldfastError") throw error;
  return code;
}
