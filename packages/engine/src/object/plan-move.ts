import { HoldfastError } from "../base/errors.ts";
import { operationRecordsMax } from "../base/limits.ts";
import type { ObjectContext } from "./context.ts";
import type { ObjectKey } from "./key-entries.ts";
import type { KeyMove } from "./key-move.ts";

/** Paces nothing: for what somebody waits for. */
export async function noPace(): Promise<void> {}

/** The move of a key to where it is mapped now. Its commits refuse when the topology is changed: then it must be planned anew. */
export function planMove(context: ObjectContext, key: ObjectKey, options: Pick<KeyMove, "pace" | "signal">): KeyMove {
  const { topology, buckets, settings } = context;
  const { generation } = topology;
  return {
    key,
    to: topology.choose(key),
    sources: topology.sourcesOf(key),
    profile: buckets.byId(key.bucketId)?.record.erasure,
    recordsMax: settings.moveRecordsMax ?? operationRecordsMax,
    ...options,
    async commit(set, operation, commitOptions) {
      const passed = topology.gate.enter();
      if (passed !== undefined) await passed;
      try {
        if (topology.generation !== generation) throw new HoldfastError("ABORTED", "the sets were changed while the key was being moved");
        return await set.commit(operation, commitOptions);
      } finally {
        topology.gate.leave();
      }
    },
  };
}
