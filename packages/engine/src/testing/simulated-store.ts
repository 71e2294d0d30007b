import type { Clock } from "../base/clock.ts";
import { HoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import type { Drive } from "../drive/drive.ts";
import { openStore, type Store } from "../engine.ts";
import type { StoreSettings } from "../store/settings.ts";
import { createSimulatedClock } from "./simulated-clock.ts";

/** Settings of stores in simulations: small bodies become blobs, packs are soon full, nothing runs in threads. */
const simulatedSettings = {
  threads: 0,
  inlineLimit: 512,
  stripeSize: "64KiB",
  packSize: "64KiB",
  memoryBudget: "16MiB",
  reserve: 0,
  // Simulations call for it when they want it.
  upkeep: false,
} as const satisfies StoreSettings;

export interface SimulatedOptions {
  readonly erasure: { readonly data: number; readonly parity: number };
  readonly settings?: StoreSettings;
  readonly seed?: number;
  readonly clock?: Clock;
}

/** Opens a whole store on simulated drives, or makes one when they are empty; an undefined drive is missing. */
export function openSimulatedStore(drives: readonly (Drive | undefined)[], options: SimulatedOptions): Promise<Store> {
  const settings: StoreSettings = { ...simulatedSettings, memory: true, erasure: options.erasure, ...options.settings };
  return openStore(settings, {
    clock: options.clock ?? createSimulatedClock(),
    random: createSeededRandom(options.seed ?? 1),
    wrapDrive: (_, path) => {
      const drive = drives[Number(path.slice(path.indexOf(":") + 1))];
      if (drive === undefined) throw new HoldfastError("DRIVE_NOT_FOUND", `${path} is not there`);
      return drive;
    },
  });
}
