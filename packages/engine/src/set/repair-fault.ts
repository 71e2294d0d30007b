import { decodeBlobLocation } from "../format/blob-location.ts";
import { formatBlobId } from "../format/blob-name.ts";
import { frameBytes, shardPosition } from "../format/frame.ts";
import type { RepairStep } from "./finding.ts";
import type { OpenSet } from "./open-set.ts";
import type { Pacer } from "./pace.ts";
import { repairBlob } from "./repair-blob.ts";
import { repairPack } from "./repair-pack.ts";
import { committedFrames } from "./scrub-set.ts";
import type { ReadFault } from "./set-context.ts";

/** The frame or blob that a fault is of: two faults with one name are mended by one repair. */
export function nameOfFault(fault: ReadFault): string {
  return fault.kind === "packed"
    ? `pack ${fault.pack} at ${fault.position}`
    : `blob ${formatBlobId(decodeBlobLocation(fault.location).blob)}`;
}

/**
 * Looks at the frame, or the blob, of which a read found something wrong, on every drive that takes repairs, and makes it good. A pack that is
 * still being filled is mended where it is: its committed frames do not move. @throws ABORTED, STORE_CLOSED
 */
export async function* repairFault(
  set: OpenSet,
  fault: ReadFault,
  options: { readonly pacer: Pacer; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<RepairStep, void> {
  if (!set.status().writable) return;
  const { pacer, signal } = options;
  const targets = set.context.members.filter((member) => member.takesRepairs);
  const request = { write: true, crossCheck: false, pacer, signal };
  if (fault.kind === "blob") {
    yield* repairBlob(set, fault.location, { ...request, targets });
    return;
  }
  const { pack, position } = fault;
  const isFilling = pack >= set.activePack;
  const unfinished = isFilling ? await committedFrames(set, pack) : undefined;
  if (isFilling && unfinished === undefined) return;
  yield* repairPack(set, pack, {
    ...request,
    // A drive that lacks frames of the pack being filled gets them in their order, when it is healed.
    targets: targets.filter((member) => !isFilling || (!member.lacking.has(pack) && member.wholeFrom <= pack)),
    unfinished,
    only: ({ header }) => position >= shardPosition(header) && position < header.position + frameBytes(header),
  });
}
