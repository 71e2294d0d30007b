import { HoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { dataMax, dataMaxWithFourParity, parityMax } from "../base/limits.ts";

/** k data and m parity shards. */
export interface Profile {
  readonly data: number;
  readonly parity: number;
}

/** The largest set that is formed by default: wider ones save little space and make every rebuild read more drives. */
const defaultSetDrivesMax = 16;

/**
 * Parity by number of drives; the rest is data:
 *
 * | drives | profile | stands losses of | stored for one byte |
 * |---|---|---|---|
 * | 1 | 1+0 | none | 1.00 |
 * | 2, 3 | 1+1, 2+1 | one | 2.00, 1.50 |
 * | 4 to 8 | 2+2 … 6+2 | two | 2.00 … 1.33 |
 * | 9 to 11 | 6+3 … 8+3 | three | 1.50 … 1.38 |
 * | 12 to 16 | 8+4 … 12+4 | four | 1.50 … 1.33 |
 *
 * More drives make several sets of equal width. Why: docs/decisions/0003-default-profiles.md.
 */
export function defaultProfile(driveCount: number): Profile {
  invariant(Number.isSafeInteger(driveCount) && driveCount >= 1, "a store has at least one drive");
  const sets = Math.ceil(driveCount / defaultSetDrivesMax);
  const width = Math.floor(driveCount / sets);
  const parity = width === 1 ? 0 : width <= 3 ? 1 : width <= 8 ? 2 : width <= 11 ? 3 : 4;
  return { data: width - parity, parity };
}

/** Returns the profile when the code can do it and the drives are enough. @throws SETTINGS_INVALID naming the field, its value and the fix */
export function validateProfile(profile: Profile, driveCount: number): Profile {
  const { data, parity } = profile;
  if (!Number.isSafeInteger(parity) || parity < 0 || parity > parityMax) {
    throw invalid("erasure.parity", parity, `write a whole number from 0 to ${parityMax}`);
  }
  const most = parity === parityMax ? dataMaxWithFourParity : dataMax;
  if (!Number.isSafeInteger(data) || data < 1 || data > most) {
    throw invalid(
      "erasure.data",
      data,
      `write a whole number from 1 to ${most}${parity === parityMax ? ` (with ${parity} parity shards)` : ""}`,
    );
  }
  if (data + parity > driveCount) {
    throw invalid(
      "erasure",
      `${data}+${parity}`,
      `it needs ${data + parity} drives and there ${driveCount === 1 ? "is 1" : `are ${driveCount}`}; add drives or ask for fewer shards`,
    );
  }
  return profile;
}

function invalid(field: string, value: unknown, fix: string): HoldfastError {
  return new HoldfastError("SETTINGS_INVALID", `${field}: ${String(value)} can't be used: ${fix}`, { details: { field, value } });
}
