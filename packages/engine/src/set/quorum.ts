/**
 * The only place that counts drives. Everything here is arithmetic on one batch or blob: k data shards, m parity shards, `survive`
 * (how many further drive losses an acknowledged write must stand at the moment of its acknowledgement), n drives in the set.
 *
 * Two conditions make a batch acknowledged: k + survive of its shards are durable, so that it can be read after `survive` losses; and so
 * many drives hold its records (`witnessThreshold`) that any drives the set is opened with (`openThreshold`) include one that knows of it.
 */
import { HoldfastError } from "../base/errors.ts";
import type { ErasureProfile } from "./erasure-set.ts";

/** Shards that must be durable before the answer: k + survive, and never more than there are. */
export function shardThreshold(profile: ErasureProfile, survive: number): number {
  return profile.data + Math.min(survive, profile.parity);
}

/**
 * Drives that must be there to open a set: never so many that m losses prevent it; otherwise at least k, and at least m + 1, which leaves
 * enough of a set wider than its profile to write with m drives away.
 */
export function openThreshold(driveCount: number, setProfile: ErasureProfile): number {
  return Math.min(driveCount - setProfile.parity, Math.max(setProfile.data, setProfile.parity + 1));
}

/** The drives of a set that count: all places but those whose drive has left for good. */
export function countedDrives(members: readonly { readonly hasLeft: boolean }[]): number {
  let count = 0;
  for (const member of members) if (!member.hasLeft) count++;
  return count;
}

/** Drives that must know of something so that those a set is opened with include one of them. */
export function witnessThreshold(driveCount: number, setProfile: ErasureProfile): number {
  return driveCount - openThreshold(driveCount, setProfile) + 1;
}

/**
 * The profile a write gets while only `available` of the set's drives can take it, `voters` of them as witnesses: the wanted one where they suffice; otherwise fewer
 * data shards and as much parity as was wanted (4+2 with two drives gone becomes 2+2).
 * @throws WRITE_QUORUM_LOST when what is there cannot keep both conditions
 */
export function fitProfile(
  wanted: ErasureProfile,
  drives: { available: number; voters: number; witnesses: number; survive: number },
): ErasureProfile {
  const { available, voters, witnesses, survive } = drives;
  if (voters >= witnesses) {
    if (available >= wanted.data + wanted.parity) return wanted;
    const data = Math.max(1, available - wanted.parity);
    const parity = Math.min(wanted.parity, available - data);
    if (available >= 1 && parity >= Math.min(survive, wanted.parity)) return { data, parity };
  }
  throw new HoldfastError(
    "WRITE_QUORUM_LOST",
    `only ${available} drives of the set can be written: too few to code ${wanted.data}+${wanted.parity} so that the loss of ${survive} more is survived; bring drives back`,
    { details: { available, voters, witnesses, data: wanted.data, parity: wanted.parity, survive, indeterminate: false } },
  );
}

/** What is known of a batch at the tail: whole frames and absent drives, among the drives with a slot and among all of the set. */
export interface TailEvidence {
  /** Slots whose frame, shard included, is whole. */
  readonly validShards: number;
  /** Slots on drives that are not there. */
  readonly absentShards: number;
  /** Drives whose frame has whole records, with or without a slot. */
  readonly validRecords: number;
  /** Drives of the set that are not there. */
  readonly absentDrives: number;
}

/** What recovery does with a batch at the tail of the log. */
export type TailVerdict = "keep" | "cut" | "undecided";

/**
 * Judges a batch found at the tail. When it can be read it is kept: it may have been acknowledged, and keeping it is always allowed. When
 * not even all absent drives together with what is there could have met both conditions, it was never acknowledged: it is cut.
 */
export function judgeTail(
  evidence: TailEvidence,
  needed: { shards: number; shardThreshold: number; witnessThreshold: number },
): TailVerdict {
  if (evidence.validShards >= needed.shards) return "keep";
  const shardsPossible = evidence.validShards + evidence.absentShards >= needed.shardThreshold;
  const witnessesPossible = evidence.validRecords + evidence.absentDrives >= needed.witnessThreshold;
  return shardsPossible && witnessesPossible ? "undecided" : "cut";
}

/** Counts the drives of one batch: settles once, as soon as the outcome is certain. */
export class AckTally {
  readonly #shards: { durable: number; waiting: number; readonly threshold: number };
  readonly #witnesses: { durable: number; waiting: number; readonly threshold: number };
  readonly #settle: (acked: boolean) => void;
  /** Resolves true when both conditions are met, false when one can no longer be. */
  readonly outcome: Promise<boolean>;

  constructor(expected: { shards: number; shardThreshold: number; witnesses: number; witnessThreshold: number }) {
    this.#shards = { durable: 0, waiting: expected.shards, threshold: expected.shardThreshold };
    this.#witnesses = { durable: 0, waiting: expected.witnesses, threshold: expected.witnessThreshold };
    let settle: (acked: boolean) => void = () => undefined;
    this.outcome = new Promise((resolve) => {
      settle = resolve;
    });
    this.#settle = settle;
    this.#check();
  }

  /** One more frame is durable, or will not be. */
  note(frame: { durable: boolean; hasShard: boolean; votes: boolean }): void {
    for (const count of [frame.hasShard ? this.#shards : undefined, frame.votes ? this.#witnesses : undefined]) {
      if (count === undefined) continue;
      count.waiting--;
      if (frame.durable) count.durable++;
    }
    this.#check();
  }

  #check(): void {
    const counts = [this.#shards, this.#witnesses];
    if (counts.every((count) => count.durable >= count.threshold)) this.#settle(true);
    else if (counts.some((count) => count.durable + count.waiting < count.threshold)) this.#settle(false);
  }
}
