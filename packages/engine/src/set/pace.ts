import { throwIfAborted } from "../base/errors.ts";

/** Keeps work in the background from being in the way of what callers wait for. */
export interface Pacer {
  /**
   * Called between small steps with the bytes read and written since the last one; resolves when the next may begin. Always lets the event
   * loop go round. @throws ABORTED
   */
  spend(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** As fast as it goes, a step at a time. */
export const unhurried: Pacer = {
  async spend(_bytes, signal) {
    throwIfAborted(signal);
    await new Promise((resolve) => setImmediate(resolve));
  },
};
