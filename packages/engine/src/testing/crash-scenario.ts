import type { CrashClient } from "./crash-client.ts";
import type { CrashLab, CrashShape } from "./crash-lab.ts";
import type { StoreFixture } from "./store-fixture.ts";

/** A short script on a whole store, for `exploreCrashes`. */
export interface CrashScenario extends CrashShape {
  readonly name: string;
  /** Fills the store; it is closed afterwards, unless `unclean`. */
  prepare?(lab: CrashLab): Promise<void>;
  /** Begins with this store instead of a new one. */
  readonly fixture?: StoreFixture;
  /** The preparation ends with a power cut instead of a closed store. */
  readonly unclean?: boolean;
  /** Opens the store, works on it, closes it. */
  run(lab: CrashLab): Promise<void>;
}

/** Sizes of a body that is packed, of one that is a blob, and of a blob of two stripes. */
export const small = 200;
export const large = 900;
export const twoStripes = 150_000;
/** Stores of so many drives. */
export const three = { erasure: { data: 2, parity: 1 } } as const;
export const six = { erasure: { data: 4, parity: 2 } } as const;
export const four = { erasure: { data: 2, parity: 2 }, settings: { survive: 2 } } as const;
export const two = { erasure: { data: 1, parity: 1 } } as const;
/** Packed bodies that fill packs soon. */
export const packing = { settings: { inlineLimit: "32KiB" } } as const;

/** Opens the store and makes its bucket. */
export async function withBucket(lab: CrashLab, options: { versioning?: "enabled" } = {}): Promise<CrashClient> {
  const client = await lab.open();
  await client.createBucket(options);
  return client;
}

/** A bucket with small objects `s1` … and large ones `l1` …. */
export async function withObjects(lab: CrashLab): Promise<void> {
  const client = await withBucket(lab);
  for (let i = 1; i <= 3; i++) {
    await client.put(`s${i}`, lab.body(small + i), { tags: { n: String(i) } });
    await client.put(`l${i}`, lab.body(large + i));
  }
}

/** Id of the newest version of a key's unit. */
export function newestVersion(lab: CrashLab, unit: string): string {
  const [newest = ""] = lab.oracle.get(unit) ?? [];
  return newest.slice(0, newest.indexOf(" "));
}
