import type { PackUse, SetUse } from "./measure-packs.ts";

export interface CompactionGoal {
  /** Packs take at most this many times their live bytes … */
  readonly target: number;
  /** … and so many bytes more. */
  readonly slackBytes: number;
  /** Live bytes on each drive that one pass may write again: space for them has to be there. */
  readonly moveBytesMax: number;
}

/** Bytes on each drive that packs may take. */
export function allowedBytes(liveBytes: number, goal: Pick<CompactionGoal, "target" | "slackBytes">): number {
  return liveBytes * goal.target + goal.slackBytes;
}

/** A pass goes on a little beyond what it has to reach, so that the next one is not due at once. */
const beyond = 0.8;

/** A pack that gives back less than this part of itself is not worth writing again by itself. */
const gainMin = 0.05;

/**
 * The packs to give up: the emptiest first until what is left is allowed. Deletes that must be carried on cost as live bytes do; where they keep
 * the bound from being met, the oldest packs go too, because a delete is needed only while an older pack is left.
 * `deletesIn` gives the bytes of a pack's deletes, were they carried.
 */
export async function planCompaction(use: SetUse, goal: CompactionGoal, deletesIn: (pack: number) => Promise<number>): Promise<PackUse[]> {
  if (use.totalBytes <= allowedBytes(use.liveBytes, goal)) return [];
  const wanted = allowedBytes(use.liveBytes, { target: 1 + (goal.target - 1) * beyond, slackBytes: goal.slackBytes * beyond });
  const packs = use.packs.filter((pack) => pack.bytes > 0);
  const plan = new Plan(packs, use.totalBytes, goal.moveBytesMax);
  for (const pack of [...packs].sort((a, b) => a.liveBytes / a.bytes - b.liveBytes / b.bytes)) {
    if (plan.projectedBytes() <= wanted) break;
    const deletesBytes = await deletesIn(pack.pack);
    if (plan.gainOf(pack, deletesBytes) >= gainMin * pack.bytes) plan.add(pack, deletesBytes);
  }
  for (const pack of packs) {
    if (plan.projectedBytes() <= wanted) break;
    if (!plan.victims.has(pack)) plan.add(pack, await deletesIn(pack.pack));
  }
  return packs.filter((pack) => plan.victims.has(pack));
}

class Plan {
  readonly victims = new Map<PackUse, number>();
  readonly #packs: readonly PackUse[];
  readonly #totalBytes: number;
  readonly #moveBytesMax: number;
  #moveBytes = 0;

  constructor(packs: readonly PackUse[], totalBytes: number, moveBytesMax: number) {
    this.#packs = packs;
    this.#totalBytes = totalBytes;
    this.#moveBytesMax = moveBytesMax;
  }

  /** Bytes given back by giving a pack up as well. */
  gainOf(pack: PackUse, deletesBytes: number): number {
    return pack.bytes - pack.liveBytes - (pack.pack > this.#lowest(pack) ? deletesBytes : 0);
  }

  /** Takes a pack unless too much would have to be written again; one that costs nothing always fits. */
  add(pack: PackUse, deletesBytes: number): void {
    const moveBytes = pack.liveBytes + deletesBytes;
    if (moveBytes > 0 && this.#moveBytes + moveBytes > this.#moveBytesMax) return;
    this.#moveBytes += moveBytes;
    this.victims.set(pack, deletesBytes);
  }

  /** What all packs take on each drive when these victims have been given up. */
  projectedBytes(): number {
    const lowest = this.#lowest();
    let bytes = this.#totalBytes;
    for (const [{ pack, bytes: freed, liveBytes }, deletesBytes] of this.victims) {
      bytes += liveBytes - freed + (pack > lowest ? deletesBytes : 0);
    }
    return bytes;
  }

  /** The lowest pack that stays, were `besides` given up as well. */
  #lowest(besides?: PackUse): number {
    return this.#packs.find((pack) => pack !== besides && !this.victims.has(pack))?.pack ?? Number.POSITIVE_INFINITY;
  }
}
