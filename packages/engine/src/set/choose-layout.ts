import { HoldfastError } from "../base/errors.ts";
import type { StripeLayout } from "../format/layout.ts";
import { maskOfDrives } from "../format/layout.ts";
import type { ErasureProfile } from "./erasure-set.ts";
import type { Member } from "./member.ts";
import { countedDrives, fitProfile, witnessThreshold } from "./quorum.ts";
import type { SetContext } from "./set-context.ts";

/**
 * How the next stripe lies on the drives: the wanted profile over the drives that take it, narrowed when some are away. `turn` (a sequence
 * number) rotates both which drives take part and which of them hold data, so that reads spread evenly.
 * @throws WRITE_QUORUM_LOST, DRIVE_FULL
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
  const profile = fitOrFull(context, () =>
    fitProfile(wanted, { available: holders.length, voters, witnesses, survive: context.settings.survive }),
  );
  const width = profile.data + profile.parity;
  const drives = Array.from({ length: width }, (_, i) => (holders[(turn + i) % holders.length] as Member).ordinal);
  return { data: profile.data, parity: profile.parity, drives: maskOfDrives(drives), rotation: turn % width };
}

/** Where too few drives take a stripe and some of them for lack of space, it is space that is to be had. @throws WRITE_QUORUM_LOST, DRIVE_FULL */
function fitOrFull(context: SetContext, profileOf: () => ErasureProfile): ErasureProfile {
  try {
    return profileOf();
  } catch (cause) {
    const full = context.members.find((member) => member.state === "full");
    if (full === undefined) throw cause;
    throw new HoldfastError("DRIVE_FULL", `drive ${full.drive?.location ?? full.id} is full; delete objects or add drives`, {
      cause,
      details: { drive: full.id, indeterminate: false },
    });
  }
}
