/** Something on a drive that is not as it should be. */
export interface CheckFinding {
  /** Where: `pack 3 at byte 1024`, `pack 3 footer`, `blob 00000001-00000002`, `blob 00000001-00000002 stripe 4` or `index`. */
  readonly place: string;
  /** The drive's id, or `set` for what concerns all of them. */
  readonly drive: string;
  readonly problem: "missing" | "damaged" | "parity differs";
  /** True when the other drives still have enough to make it again. */
  readonly repairable: boolean;
  /** True when it has been made again and is durable. */
  readonly repaired: boolean;
}

/** What one step of a repair or a check has read, written and found. */
export interface RepairStep {
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly findings: readonly CheckFinding[];
}
