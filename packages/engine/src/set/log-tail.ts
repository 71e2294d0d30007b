import { roundUp } from "../base/bytes.ts";
import { invariant } from "../base/invariant.ts";
import { unitBytes } from "../base/limits.ts";
import type { FooterEntry } from "../format/footer.ts";
import { frameHeaderBytes } from "../format/frame.ts";
import type { PackEnd } from "./batch-records.ts";

/** Where the log of a set ends, and what the footer of its last pack will hold. Plain state, changed only by the committer. */
export interface LogTail {
  epoch: number;
  /** First sequence of this epoch: frames of older epochs at or above it were cut. */
  firstSequence: number;
  /** Sequence the next batch gets. Sequences grow; a batch that was never written leaves a gap. */
  nextSequence: number;
  /** The last sequence that is committed, 0 when there is none. */
  committedSequence: number;
  /** The pack being filled. */
  pack: number;
  /** Where the next frame starts in it. */
  position: number;
  /** Where the pack before it ends, when that is known. */
  before: PackEnd | undefined;
  /** The committed frames of this pack, without their shards. */
  footer: FooterEntry[];
  /** Bytes of `footer` when encoded. */
  footerBytes: number;
}

/** Bytes a batch adds to its pack's footer. */
export function footerEntryBytes(recordsBytes: number): number {
  return frameHeaderBytes + roundUp(recordsBytes, unitBytes);
}

/** Takes a committed frame into the footer. */
export function addToFooter(tail: LogTail, entry: FooterEntry): void {
  invariant(entry.header.pack === tail.pack, "a committed frame belongs to the pack being filled");
  tail.footer.push(entry);
  tail.footerBytes += footerEntryBytes(entry.header.recordsBytes);
}

/** Goes on in a new pack, when nothing is in flight. */
export function startNextPack(tail: LogTail): void {
  const before = { pack: tail.pack, position: tail.position };
  Object.assign(tail, { pack: tail.pack + 1, position: 0, before, footer: [], footerBytes: 0 } satisfies Partial<LogTail>);
}

/** True when a frame of this size has to start a new pack. */
export function needsNewPack(
  tail: LogTail,
  frame: { frameBytes: number; recordsBytes: number },
  limits: { packBytesMax: number; packRecordsBytesMax: number },
): boolean {
  if (tail.position === 0) return false;
  return (
    tail.position + frame.frameBytes > limits.packBytesMax ||
    tail.footerBytes + footerEntryBytes(frame.recordsBytes) > limits.packRecordsBytesMax
  );
}
