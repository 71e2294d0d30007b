import type { DriveHealth } from "./drive-health.ts";
import type { ReadFaults } from "./read-faults.ts";

/** What reads have met since the set was opened. */
export interface ReadCounters {
  /** Payloads and stripes read as they are. */
  healthy: number;
  /** Payloads and stripes that had to be reconstructed, for whatever reason. */
  degraded: number;
  /** Payloads and stripes for which other drives were asked because one took too long, whoever was first in the end. */
  hedged: number;
}

/** What the reads of one set share. */
export interface ReadTools {
  readonly counters: ReadCounters;
  readonly health: DriveHealth;
  readonly faults: ReadFaults;
}
