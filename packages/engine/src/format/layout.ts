import { invariant } from "../base/invariant.ts";
import { dataMax, dataMaxWithFourParity, parityMax, setDrivesMax } from "../base/limits.ts";

/** The slot of a drive that gets the records but no shard. */
export const noSlot = 255;

/** How a stripe lies on the drives of its set: slot s is on the ((rotation + s) mod count)-th of the drives in `drives`. */
export interface StripeLayout {
  /** k. */
  readonly data: number;
  /** m. */
  readonly parity: number;
  /** Bit d is set when drive d of the set takes part in the stripe; exactly k + m bits. */
  readonly drives: bigint;
  /** 0 ≤ rotation < k + m. */
  readonly rotation: number;
}

/** Sets of drives seen so far, by mask. A store has few; the bound is against a flood of damaged headers. */
const drivesByMask = new Map<bigint, readonly number[]>();
const masksMax = 1024;
let lastMask = 0n;
let lastDrives: readonly number[] = Object.freeze([]);

/** The drives in a mask, ascending. Frozen, and the same array for the same mask while it is remembered. */
export function drivesOfMask(mask: bigint): readonly number[] {
  if (mask === lastMask) return lastDrives;
  let drives = drivesByMask.get(mask);
  if (drives === undefined) {
    if (drivesByMask.size >= masksMax) drivesByMask.clear();
    drives = Object.freeze(readMask(mask));
    drivesByMask.set(mask, drives);
  }
  lastMask = mask;
  lastDrives = drives;
  return drives;
}

/** The mask of some drives, each below 64. */
export function maskOfDrives(drives: Iterable<number>): bigint {
  let mask = 0n;
  for (const drive of drives) {
    invariant(Number.isInteger(drive) && drive >= 0 && drive < setDrivesMax, "a set has at most 64 drives");
    mask |= 1n << BigInt(drive);
  }
  return mask;
}

/** The drives that take part in a stripe, ascending: k + m of them. */
export function participants(layout: StripeLayout): readonly number[] {
  return drivesOfMask(layout.drives);
}

/** The drive that holds a slot, 0 ≤ slot < k + m. */
export function driveOfSlot(layout: StripeLayout, slot: number): number {
  const drives = drivesOfMask(layout.drives);
  const drive = drives[(layout.rotation + slot) % drives.length];
  invariant(drive !== undefined && slot < drives.length, "a slot lies on a drive of its stripe");
  return drive;
}

/** The slot a drive holds, or `noSlot` when it takes no part. */
export function slotOfDrive(layout: StripeLayout, drive: number): number {
  const drives = drivesOfMask(layout.drives);
  const place = drives.indexOf(drive);
  return place < 0 ? noSlot : (place - layout.rotation + drives.length) % drives.length;
}

/** True when two stripes lie the same way. */
export function sameLayout(a: StripeLayout, b: StripeLayout): boolean {
  return a.data === b.data && a.parity === b.parity && a.rotation === b.rotation && a.drives === b.drives;
}

/** True when a layout can be: k and m the code knows, k + m drives, a rotation among them. */
export function isLayout(layout: StripeLayout): boolean {
  const { data, parity, rotation, drives } = layout;
  if (!isShape(data, parity) || !Number.isInteger(rotation) || rotation < 0 || rotation >= data + parity) return false;
  return drives >= 0n && drives < 1n << 64n && drivesOfMask(drives).length === data + parity;
}

/** True for k and m the code knows. */
export function isShape(data: number, parity: number): boolean {
  if (!Number.isInteger(data) || !Number.isInteger(parity) || data < 1 || parity < 0 || parity > parityMax) return false;
  return data <= (parity === parityMax ? dataMaxWithFourParity : dataMax) && data + parity <= setDrivesMax;
}

function readMask(mask: bigint): number[] {
  const drives: number[] = [];
  let low = Number(mask & 0xffffffffn);
  let high = Number((mask >> 32n) & 0xffffffffn);
  for (let drive = 0; drive < 32; drive++, low >>>= 1) if ((low & 1) === 1) drives.push(drive);
  for (let drive = 32; drive < 64; drive++, high >>>= 1) if ((high & 1) === 1) drives.push(drive);
  return drives;
}
