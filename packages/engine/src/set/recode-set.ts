import { participants } from "../format/layout.ts";
import type { ErasureProfile } from "./erasure-set.ts";
import type { OpenSet } from "./open-set.ts";
import { type Fate, type FoundEntry, type RelogOptions, type RelogProgress, relog } from "./relog.ts";

/** How the payloads of a key are to be coded; the set's own profile when undefined. */
export type WantedProfile = (key: Uint8Array) => ErasureProfile | undefined;

/**
 * Whether a packed payload lies as it should: coded as wanted, as far as enough drives are there for it, and on no drive that is being
 * emptied, as far as enough others are there.
 */
function layoutFate(set: OpenSet, wanted: WantedProfile): (entry: FoundEntry) => Fate {
  const { members, profile } = set.context;
  const staying = members.filter((member) => member.writable && !member.draining).length;
  const emptied = new Set(members.filter((member) => member.draining).map((member) => member.ordinal));
  return ({ key, payload }) => {
    if (payload === undefined || payload.length === 0) return "stays";
    const { data, parity } = wanted(key) ?? profile;
    if (staying < data + parity) return "stays";
    const { layout } = payload;
    const isWanted = layout.data === data && layout.parity === parity;
    return isWanted && !participants(layout).some((ordinal) => emptied.has(ordinal)) ? "stays" : "payload";
  };
}

/**
 * Writes packed payloads again that do not lie as they should: what was coded over fewer drives while some were away, what lies on a drive that
 * is being emptied, what a bucket wants coded another way now. The old copies are garbage for compaction.
 * @throws as `relog` does
 */
export function recodeSet(
  set: OpenSet,
  wanted: WantedProfile,
  options: Omit<RelogOptions, "fateOf" | "profileOf"> & { readonly start?: Uint8Array | undefined },
): Promise<RelogProgress> {
  const profileOf = ({ key }: FoundEntry): ErasureProfile => wanted(key) ?? set.context.profile;
  return relog(set, { ...options, fateOf: layoutFate(set, wanted), profileOf });
}
