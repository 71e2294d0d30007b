import { describe, expect, it } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import type { ErasureProfile } from "./erasure-set.ts";
import { AckTally, fitProfile, judgeTail, openThreshold, shardThreshold, witnessThreshold } from "./quorum.ts";

/** Every n ≤ 6 with every k + m ≤ n, m ≤ 4, and every survive ≤ m. */
function* shapes(): Generator<{ drives: number; profile: ErasureProfile; survive: number }> {
  for (let drives = 1; drives <= 6; drives++) {
    for (let data = 1; data <= drives; data++) {
      for (let parity = 0; parity <= Math.min(4, drives - data); parity++) {
        for (let survive = 0; survive <= parity; survive++) yield { drives, profile: { data, parity }, survive };
      }
    }
  }
}

function fitted(wanted: ErasureProfile, drives: Parameters<typeof fitProfile>[1]): ErasureProfile | undefined {
  try {
    return fitProfile(wanted, drives);
  } catch (error) {
    if (!isHoldfastError(error, "WRITE_QUORUM_LOST")) throw error;
    expect(error.details["indeterminate"]).toBe(false);
    return undefined;
  }
}

describe("the profile a write gets", () => {
  it("is the wanted one where that fits, else one that keeps the promise, else none", () => {
    for (const { drives, profile, survive } of shapes()) {
      const witnesses = witnessThreshold(drives, profile);
      for (let available = 0; available <= drives; available++) {
        const fit = fitted(profile, { available, voters: available, witnesses, survive });
        if (available >= profile.data + profile.parity && available >= witnesses) expect(fit).toEqual(profile);
        if (fit === undefined) {
          // Refused only where it must be: too few witnesses, or no room for one data shard and the losses to survive.
          expect(available < witnesses || available < 1 + Math.min(survive, profile.parity)).toBe(true);
          continue;
        }
        expect(fit.data).toBeGreaterThanOrEqual(1);
        expect(fit.data).toBeLessThanOrEqual(profile.data);
        expect(fit.parity).toBeLessThanOrEqual(profile.parity);
        expect(fit.data + fit.parity).toBeLessThanOrEqual(available);
        expect(shardThreshold(fit, survive)).toBeLessThanOrEqual(available);
        expect(shardThreshold(fit, survive) - fit.data).toBe(Math.min(survive, profile.parity));
      }
    }
  });
});

it("gets no profile when too many of the drives do not vote", () => {
  const drives = { available: 6, witnesses: 3, survive: 1 };
  expect(fitted({ data: 4, parity: 2 }, { ...drives, voters: 3 })).toEqual({ data: 4, parity: 2 });
  expect(fitted({ data: 4, parity: 2 }, { ...drives, voters: 2 })).toBeUndefined();
});

describe("witnesses", () => {
  it("are so many that any drives that open a set include one, and no more", () => {
    for (const { drives, profile } of shapes()) {
      const witnesses = witnessThreshold(drives, profile);
      const opening = openThreshold(drives, profile);
      expect(witnesses + opening).toBe(drives + 1);
      // m losses never keep a set from being opened, nor from being written where that can be had at all.
      expect(drives - profile.parity).toBeGreaterThanOrEqual(opening);
      if (drives > 2 * profile.parity) expect(drives - profile.parity).toBeGreaterThanOrEqual(witnesses);
    }
  });
});

/** What one drive says of a batch: nothing, as it is not there; nothing; records; records and, where it has a slot, the shard. */
type Copy = "absent" | "none" | "records" | "whole";

/** Every assignment of the copies to n drives. */
function* assignments(drives: number): Generator<Copy[]> {
  const copies: Copy[] = ["absent", "none", "records", "whole"];
  for (let code = 0; code < copies.length ** drives; code++) {
    yield Array.from({ length: drives }, (_, i) => copies[Math.floor(code / copies.length ** i) % copies.length] as Copy);
  }
}

/** Slots lie on the first k + m drives; the rest get records only. */
function judge(shape: { drives: number; profile: ErasureProfile; survive: number }, copies: readonly Copy[]): ReturnType<typeof judgeTail> {
  const { drives, profile, survive } = shape;
  const width = profile.data + profile.parity;
  const count = (from: readonly Copy[], wanted: readonly Copy[]): number => from.filter((copy) => wanted.includes(copy)).length;
  const slots = copies.slice(0, width);
  return judgeTail(
    {
      validShards: count(slots, ["whole"]),
      absentShards: count(slots, ["absent"]),
      validRecords: count(copies, ["records", "whole"]),
      absentDrives: count(copies, ["absent"]),
    },
    { shards: profile.data, shardThreshold: shardThreshold(profile, survive), witnessThreshold: witnessThreshold(drives, profile) },
  );
}

describe("the judgement of a batch at the tail", () => {
  it("never cuts what may have been acknowledged, never keeps what cannot be read, never doubts without need", () => {
    for (const shape of shapes()) {
      const { drives, profile, survive } = shape;
      if (drives > 5 && survive !== 1) continue;
      const width = profile.data + profile.parity;
      for (const copies of assignments(drives)) {
        const verdict = judge(shape, copies);
        // At best every absent drive has the batch whole. It was acknowledged if then both conditions hold.
        const best = copies.map((copy) => (copy === "absent" ? "whole" : copy));
        const shards = best.slice(0, width).filter((copy) => copy === "whole").length;
        const witnesses = best.filter((copy) => copy !== "none").length;
        const mayBeAcked = shards >= shardThreshold(profile, survive) && witnesses >= witnessThreshold(drives, profile);
        const readable = copies.slice(0, width).filter((copy) => copy === "whole").length >= profile.data;
        expect(verdict).toBe(readable ? "keep" : mayBeAcked ? "undecided" : "cut");
      }
    }
  });

  it("keeps every acknowledged batch, whichever `survive` drives are lost afterwards", () => {
    for (const shape of shapes()) {
      const { drives, profile, survive } = shape;
      const width = profile.data + profile.parity;
      for (let mask = 0; mask < 2 ** drives; mask++) {
        const has = Array.from({ length: drives }, (_, i) => (mask & (1 << i)) !== 0);
        const shards = has.slice(0, width).filter((there) => there).length;
        const witnesses = has.filter((there) => there).length;
        if (shards < shardThreshold(profile, survive) || witnesses < witnessThreshold(drives, profile)) continue;
        for (let lost = 0; lost < 2 ** drives; lost++) {
          const copies = has.map((there, i) => ((lost & (1 << i)) !== 0 ? "absent" : there ? "whole" : "none") as Copy);
          const lostDrives = copies.filter((copy) => copy === "absent").length;
          const verdict = judge(shape, copies);
          if (lostDrives <= survive) expect(verdict).toBe("keep");
          expect(verdict).not.toBe("cut");
        }
      }
    }
  });
});

describe("counting acknowledgements", () => {
  it("settles as soon as the outcome is certain, whatever the order", async () => {
    const frames = Array.from({ length: 6 }, (_, i) => ({ hasShard: i < 4, votes: true }));
    for (let mask = 0; mask < 64; mask++) {
      const tally = new AckTally({ shards: 4, shardThreshold: 3, witnesses: 6, witnessThreshold: 4 });
      let outcome: boolean | undefined;
      void tally.outcome.then((acked) => {
        outcome = acked;
      });
      let shards = 0;
      let witnesses = 0;
      for (const [i, frame] of frames.entries()) {
        const durable = (mask & (1 << i)) !== 0;
        tally.note({ durable, ...frame });
        if (durable) witnesses++;
        if (durable && frame.hasShard) shards++;
        const left = 5 - i;
        const shardsLeft = Math.max(0, 3 - i);
        const certain = shards >= 3 && witnesses >= 4 ? true : shards + shardsLeft < 3 || witnesses + left < 4 ? false : undefined;
        await Promise.resolve();
        expect(outcome).toBe(certain);
      }
      expect(outcome).toBeDefined();
    }
  });

  it("does not count a drive that does not vote as a witness", async () => {
    const tally = new AckTally({ shards: 3, shardThreshold: 2, witnesses: 2, witnessThreshold: 2 });
    tally.note({ durable: true, hasShard: true, votes: true });
    tally.note({ durable: true, hasShard: true, votes: false });
    let settled = false;
    void tally.outcome.then(() => {
      settled = true;
    });
    await Promise.resolve();
    expect(settled).toBe(false);
    tally.note({ durable: true, hasShard: true, votes: true });
    expect(await tally.outcome).toBe(true);
  });

  it("is lost from the start where too few drives are asked", async () => {
    expect(await new AckTally({ shards: 2, shardThreshold: 3, witnesses: 6, witnessThreshold: 3 }).outcome).toBe(false);
    expect(await new AckTally({ shards: 4, shardThreshold: 3, witnesses: 2, witnessThreshold: 3 }).outcome).toBe(false);
  });
});
