/**
 * Putting another topology in place while the store is in use.
 *
 * Alone in the gate, so every commit under the old mapping has settled. The orders of all sets are brought above each other's first, and
 * durably so: what is made under a key after the change has a greater order than anything that was made under it before, in whichever set,
 * also what was deleted since. So an id of a version never comes back.
 */
import type { ErasureSet } from "../set/erasure-set.ts";
import type { ObjectContext } from "./context.ts";
import { orderFloorKey } from "./keys.ts";
import { packRecord, recordVersion } from "./record-codec.ts";
import type { TopologyState } from "./topology.ts";

/**
 * Changes the sets and the mapping of keys to them. `next.previous` must have every earlier mapping by which a key may still lie: that
 * from before this change, and those whose moving has not ended. Nothing may be left in a set that is no longer among the sets.
 */
export async function changeTopology(context: ObjectContext, next: TopologyState): Promise<void> {
  const { topology } = context;
  await topology.gate.alone(async () => {
    await alignOrders([...new Set([...topology.sets, ...next.sets])]);
    topology.replace(next);
  });
}

async function alignOrders(sets: readonly ErasureSet[]): Promise<void> {
  if (sets.length < 2) return;
  const orders = await Promise.all(sets.map((set) => set.commit({ decide: (tx) => tx.order })));
  const orderAbove = Math.max(...orders);
  const value = packRecord([recordVersion, orderAbove]);
  const behind = sets.filter((_, i) => (orders[i] as number) < orderAbove);
  await Promise.all(behind.map((set) => set.commit({ decide: (tx) => tx.put(orderFloorKey, value) }, { orderAbove })));
}
