import { HoldfastError } from "../base/errors.ts";
import type { SetContext } from "./set-context.ts";

/** Free space is asked for again after this long, or after a quarter of what was left has been written. */
const refreshMs = 1000;

/**
 * Keeps a reserve free on every drive, so that deletes, repairs and the log's own bookkeeping never meet a full drive. The figure is
 * refreshed in the background and lowered by what is written meanwhile; a put that would go below the reserve is refused beforehand.
 */
export class SpaceGuard {
  readonly #context: SetContext;
  #lowestFreeBytes = Number.POSITIVE_INFINITY;
  #fullest = "";
  #writtenBytes = 0;
  #asked = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(context: SetContext) {
    this.#context = context;
  }

  /** Asks every drive for its free space. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    this.#asked = this.#context.clock.monotonicMs();
    const writtenBefore = this.#writtenBytes;
    let lowest = Number.POSITIVE_INFINITY;
    for (const member of this.#context.members) {
      if (member.drive === undefined || member.state === "failed") continue;
      const space = await member.drive.space().catch(() => undefined);
      if (space === undefined) continue;
      if (space.freeBytes > this.#context.settings.reserveBytes) member.noteSpace();
      if (space.freeBytes < lowest) {
        lowest = space.freeBytes;
        this.#fullest = member.drive.location;
      }
    }
    this.#lowestFreeBytes = lowest;
    this.#writtenBytes -= writtenBefore;
  }

  /** Takes note of bytes written to each drive. */
  note(bytesPerDrive: number): void {
    this.#writtenBytes += bytesPerDrive;
  }

  /** @throws DRIVE_FULL when a drive of the set is down to its reserve */
  check(): void {
    const { reserveBytes } = this.#context.settings;
    const left = this.#lowestFreeBytes - this.#writtenBytes - reserveBytes;
    const stale = this.#context.clock.monotonicMs() - this.#asked > refreshMs;
    if (stale || this.#writtenBytes > Math.max(0, left) / 4) void this.refresh();
    if (left <= 0) {
      throw new HoldfastError(
        "DRIVE_FULL",
        `drive ${this.#fullest} is full up to its reserve of ${reserveBytes} bytes; delete objects or add drives`,
        {
          details: { drive: this.#fullest, freeBytes: this.#lowestFreeBytes, reserveBytes, indeterminate: false },
        },
      );
    }
  }
}
