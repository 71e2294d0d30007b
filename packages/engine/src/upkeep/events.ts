/** What a store tells about itself while it is open. */
import type { MemberState } from "../set/member.ts";

/** One thing that happened; `timeMs` is the wall clock. */
export type StoreEvent = { readonly timeMs: number } & StoreHappening;

export type StoreHappening =
  /** A drive changed its state. */
  | {
      readonly type: "drive";
      readonly setId: string;
      readonly driveId: string;
      readonly location: string | undefined;
      readonly from: MemberState;
      readonly to: MemberState;
      readonly reason: string | undefined;
    }
  /** Lost shards are being made again. */
  | {
      readonly type: "rebuild";
      readonly setId: string;
      readonly phase: "started" | "finished" | "incomplete";
      readonly repaired: number;
      readonly failed: number;
      readonly bytes: number;
    }
  /** Something on a drive was wrong and has been written again. */
  | { readonly type: "repair"; readonly setId: string; readonly place: string; readonly repaired: boolean }
  /** A scrub has read everything once. */
  | { readonly type: "scrub"; readonly setId: string; readonly faults: number; readonly repaired: number; readonly unrepairable: number }
  /** Space was given back. */
  | {
      readonly type: "compaction";
      readonly setId: string;
      readonly packs: number;
      readonly bytesFreed: number;
      readonly bytesMoved: number;
    }
  /** Multipart uploads nobody went on with were aborted. */
  | { readonly type: "uploads"; readonly aborted: number }
  /** The index of a set was damaged; it is made anew from the packs: at once, or, where that fails, when the store is opened again. */
  | {
      readonly type: "index";
      readonly setId: string;
      readonly phase: "damaged" | "renewed" | "failed";
      readonly reason: string | undefined;
    }
  /** A piece of upkeep failed; it is tried again. */
  | { readonly type: "trouble"; readonly task: string; readonly message: string };

/** Events that `status` still tells. */
const eventsKeptMax = 100;

/** Hands events on to listeners and remembers the last ones. */
export class EventLog {
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #recent: StoreEvent[] = [];
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The last events, the oldest first. */
  get recent(): readonly StoreEvent[] {
    return this.#recent;
  }

  /** Calls `listener` for every event from now on; the answer ends that. What it throws is its own affair. */
  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(happening: StoreHappening): void {
    const event: StoreEvent = { timeMs: this.#nowMs(), ...happening };
    this.#recent.push(event);
    if (this.#recent.length > eventsKeptMax) this.#recent.shift();
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        // A listener's defect must not become the store's, nor be swallowed.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
