/**
 * Bringing data to the code and the drives it should have: what was coded over fewer drives while some were away is written again in full width
 * when they are back. That there is no such data is noted in the set's index, so that a store need not look through everything it has at every
 * opening; an index that was made anew does not say so.
 */
import { isHoldfastError } from "../base/errors.ts";
import { upkeepKey } from "../set/index-entry.ts";
import type { OpenSet } from "../set/open-set.ts";
import type { Pacer } from "../set/pace.ts";
import { recodeSet, type WantedProfile } from "../set/recode-set.ts";

const markKey = upkeepKey("recode");
const nothingNarrow = 0;
const maybeNarrow = 1;

/** What of a set is to be written again, and by whom. */
export interface RecodeOptions {
  readonly wanted: WantedProfile;
  /** Writes blobs again that do not lie as they should. */
  readonly rewriteBlobs: (set: OpenSet, options: { readonly pacer: Pacer; readonly signal: AbortSignal }) => Promise<unknown>;
  readonly pacer: Pacer;
  readonly signal: AbortSignal;
}

/** Takes note that something may be, or have been, coded over fewer drives than it should. Never throws: it is called while drives fail. */
export function noteNarrow(set: OpenSet): void {
  try {
    set.context.index.write([{ key: markKey, value: Uint8Array.of(maybeNarrow) }]);
  } catch (error) {
    // An index that takes no writes is made anew, and then says nothing, which counts as this note does.
    if (!isHoldfastError(error)) throw error;
  }
}

/** True when there may be something to code again, and every drive is there to do it. */
export function needsRecode(set: OpenSet): boolean {
  const { members, index } = set.context;
  const isReady = members.every(
    (member) => member.hasLeft || (member.isWhole && (member.state === "online" || member.state === "suspect")),
  );
  return isReady && set.status().writable && index.get(markKey)?.[0] !== nothingNarrow;
}

/** Writes again what does not lie as it should. @throws ABORTED, STORE_CLOSED, WRITE_QUORUM_LOST, DRIVE_FULL: begin again later */
export async function recode(set: OpenSet, { wanted, rewriteBlobs, pacer, signal }: RecodeOptions): Promise<void> {
  const { unreadable } = await recodeSet(set, wanted, { pacer, signal });
  await rewriteBlobs(set, { pacer, signal });
  // A drive that went away meanwhile has noted that there is more.
  if (unreadable === 0 && needsRecode(set)) set.context.index.write([{ key: markKey, value: Uint8Array.of(nothingNarrow) }]);
}
