/**
 * Keys to sets by weighted rendezvous hashing: of all sets the one with the highest score, −weight / log₂ h, where h in (0, 1) is a
 * hash of set and key. A set gets keys in proportion to its weight; a new set takes its share evenly from all others and nothing
 * moves between those. (D. Thaler, C. Ravishankar: "Using Name-Based Mappings to Increase Hit Rates"; the weighted form: J. Resch.)
 *
 * Where a key lives must come out the same on every machine for ever, so nothing here is left to a library's logarithm: h has 52
 * bits from integer operations, and log₂ is computed by repeated squaring. Only +, ×, ÷ and comparison of doubles are used, which
 * IEEE 754 defines to the last bit.
 */
import { utf8 } from "../base/bytes.ts";
import { invariant } from "../base/invariant.ts";
import { finish, murmur3 } from "./key-hash.ts";
import { compareNames } from "./topology.ts";

/** What a set is chosen by: its id, for ever the same, and how much it should get compared with others. */
export interface WeightedSet {
  readonly id: string;
  /** Above zero; any unit. */
  readonly weight: number;
}

const lowSeed = 0x484f4c44;
const highSeed = 0x46415354;

/** A function from keys to sets; equal scores go to the lower id. With one set it does nothing but return it. */
export function createSetChooser<S extends WeightedSet>(sets: readonly S[]): (key: Uint8Array) => S {
  invariant(sets.length > 0, "there is a set to choose");
  const only = sets[0] as S;
  if (sets.length === 1) return () => only;
  for (const { weight } of sets) invariant(Number.isFinite(weight) && weight > 0, "a set's weight is above zero");
  const candidates = [...sets].sort((a, b) => compareNames(a.id, b.id)).map((set) => ({ set, ...hashOf(utf8(set.id)) }));
  return (key) => {
    const { low, high } = hashOf(key);
    let best = only;
    let bestScore = -1;
    for (const candidate of candidates) {
      const score = candidate.set.weight / logOfFraction(low ^ candidate.low, high ^ candidate.high);
      if (score > bestScore) {
        best = candidate.set;
        bestScore = score;
      }
    }
    return best;
  };
}

function hashOf(bytes: Uint8Array): { readonly low: number; readonly high: number } {
  return { low: murmur3(bytes, lowSeed), high: murmur3(bytes, highSeed) };
}

/** Mixes 64 bits, takes 52 of them for h and returns −log₂ h, above zero. */
function logOfFraction(low: number, high: number): number {
  const mixedHigh = finish(high + Math.imul(finish(low), 0x9e3779b1));
  const mixedLow = finish(low + Math.imul(mixedHigh, 0x85ebca77));
  return negativeLog2((mixedHigh * 2 ** 20 + (mixedLow >>> 12) + 0.5) / 2 ** 52);
}

/** −log₂ of a fraction in (0, 1), to 2^-33: the whole part by doubling into [½, 1), then one bit for each squaring. */
export function negativeLog2(fraction: number): number {
  let rest = fraction;
  let whole = 0;
  while (rest < 0.5) {
    rest *= 2;
    whole++;
  }
  let value = 1 / rest;
  let bits = 0;
  for (let bit = 0.5; bit > 2 ** -33; bit /= 2) {
    value *= value;
    if (value >= 2) {
      value /= 2;
      bits += bit;
    }
  }
  // Half of the last bit: a log of zero would be an infinite score.
  return whole + bits + 2 ** -34;
}
