import type { StripeLayout } from "../format/layout.ts";
import { maskOfDrives } from "../format/layout.ts";
import type { ErasureProfile } from "./erasure-set.ts";
import type { Member } from "./member.ts";
import { countedDrives, fitProfile, witnessThreshold } from "./quorum.ts";
import type { SetContext } from "./set-context.ts";

/**
 * How the next stripe lies on the drives: the wanted profile over the drives that take it, narrowed when some are away. `turn` (a sequence
 * number) rotates both which drives take part and which of them hold data, so that reads spread evenly.
 * @throws WRITE_QUORUM_LOST
 */
export function chooseLayout(
  context: SetContext,
  takers: readonly Member[],
  stripe: { wanted: ErasureProfile; turn: number },
): StripeLayout {
  const { wanted, turn } = stripe;
  const witnesses = witnessThreshold(countedDrives(context.members), context.profile);
  const staying = takers.filter((member) => !member.draining);
  const holders = staying.length >= wanted.data + wanted.parity ? staying : takers;
  const voters = takers.filter((member) => member.votes).length;
  const profile = fitProfile(wanted, { available: holders.length, voters, witnesses, survive: context.settings.survive });
  const width = profile.data + profile.parity;
  const drives = Array.from({ length: width }, (_, i) => (holders[(turn + i) % holders.length] as Member).ordinal);
  return { data: profile.data, parity: profile.parity, drives: maskOfDrives(drives), rotation: turn % width };
}
