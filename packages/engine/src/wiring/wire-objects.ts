/**
 * The object room over the sets of an open store: which set keeps which key follows from the label.
 */
import type { Clock } from "../base/clock.ts";
import { invariant } from "../base/invariant.ts";
import type { Random } from "../base/random.ts";
import { computeDigest } from "../codec/digest.ts";
import type { SetWeight } from "../format/label.ts";
import { createObjectStore, type ObjectStore } from "../object/object-store.ts";
import type { ChooseSet, TopologyState } from "../object/topology.ts";
import { createSetChooser } from "../placement/choose-set.ts";
import type { OpenSet } from "../set/open-set.ts";
import type { ResolvedSettings } from "../store/settings.ts";
import type { StoreTopology } from "../store/topology.ts";

export function wireObjects(
  sets: readonly OpenSet[],
  topology: StoreTopology,
  parts: { clock: Clock; random: Random; settings: ResolvedSettings; checkOpen: () => void },
): ObjectStore {
  const { clock, random, settings, checkOpen } = parts;
  return createObjectStore({
    clock,
    random,
    checkOpen,
    ...topologyState(sets, topology),
    homeSet: sets[0] as OpenSet,
    computeDigest,
    settings: { inlineBytes: settings.inlineBytes, etag: settings.etag },
  });
}

/** What the object room is to know of the store's shape. */
export function topologyState(sets: readonly OpenSet[], topology: StoreTopology): TopologyState {
  const previous = topology.movingFrom === undefined ? [] : [chooserOf(sets, topology.movingFrom)];
  return { sets: [...sets], chooseSet: chooserOf(sets, topology.weights), previous };
}

function chooserOf(sets: readonly OpenSet[], weights: readonly SetWeight[]): ChooseSet {
  const weighted = weights.map(({ setId, weight }) => {
    const set = sets.find((candidate) => candidate.id === setId);
    invariant(set !== undefined, "a set that keys are mapped to is open");
    return { id: set.id, weight, set };
  });
  const choose = createSetChooser(weighted);
  const bucketAndKey = new Uint8Array(4 + 1024);
  const view = new DataView(bucketAndKey.buffer);
  return (bucketId, keyBytes) => {
    view.setUint32(0, bucketId);
    bucketAndKey.set(keyBytes, 4);
    return choose(bucketAndKey.subarray(0, 4 + keyBytes.byteLength)).set;
  };
}
