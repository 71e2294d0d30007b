/**
 * What is said when packs, or frames of them, are nowhere: more has been lost than the code makes good. An index made without them would know
 * nothing of what was put in them, and of what was deleted in them it would know again.
 */
import { HoldfastError } from "../base/errors.ts";
import type { SetContext } from "./set-context.ts";

/** A pack of the log that is damaged beyond what the drives that are there make good. */
export function damagedPack(pack: number, position: number): HoldfastError {
  return new HoldfastError(
    "LOG_DAMAGED",
    `the log is damaged in pack ${pack} at byte ${position} on every drive that is there; ${remedy}`,
    {
      details: { pack, position, packs: [pack] },
    },
  );
}

/** Packs of which not everything is found: the drives that are away may have it; where none is, it is lost. */
export function lostPacks(context: Pick<SetContext, "members">, packs: readonly number[]): HoldfastError {
  const away = context.members.filter((member) => !member.readable && !member.hasLeft).map((member) => member.id);
  const named = `${packs.length === 1 ? "pack" : "packs"} ${packs.slice(0, namedMax).join(", ")}${packs.length > namedMax ? " …" : ""}`;
  if (away.length > 0) {
    return new HoldfastError(
      "DRIVES_MISSING",
      `${named} cannot be found whole on the drives that are there; bring back ${away.join(", ")}`,
      {
        details: { packs, missing: away },
      },
    );
  }
  return new HoldfastError("LOG_DAMAGED", `${named} cannot be found whole on any drive; ${remedy}`, { details: { packs } });
}

const namedMax = 20;
const remedy = "bring back drives that were taken out, or accept the loss of what is in it with acceptLoss";
