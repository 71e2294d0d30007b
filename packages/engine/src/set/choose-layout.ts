import type { StripeLayout } from "../format/layout.ts";
import { maskOfDrives } from "../format/layout.ts";
import type { ErasureProfile } from "./erasure-set.ts";
import type { Member } from "./member.ts";
import { fitProfile, witnessThreshold } from "./quorum.ts";
import type { SetContext } from "./set-context.ts";

/**
 * How the next stripe lies on the drives: the wanted profile over the drives that can be written, narrowed when drives are away. `turn`
 * (a sequence number) rotates both which drives take part and which of them hold data, so that reads spread evenly.
 * @throws WRITE_QUORUM_LOST
 */
export function chooseLayout(context: SetContext, wanted: ErasureProfile, turn: number): StripeLayout {
  const { members, settings } = context;
  const writable = members.filter((member) => member.writable);
  const witnesses = witnessThreshold(members.length, context.profile);
  const profile = fitProfile(wanted, { available: writable.length, witnesses, survive: settings.survive });
  const width = profile.data + profile.parity;
  const drives = Array.from({ length: width }, (_, i) => (writable[(turn + i) % writable.length] as Member).ordinal);
  return { data: profile.data, parity: profile.parity, drives: maskOfDrives(drives), rotation: turn % width };
}
