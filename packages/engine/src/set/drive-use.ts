/** Which stripes have a shard on a drive: what is to be written again before the drive can go. */
import { decodeBlobLocation } from "../format/blob-location.ts";
import { maskOfDrives, type StripeLayout } from "../format/layout.ts";
import { decodePackedLocation } from "../format/packed-location.ts";
import type { Batch } from "./batch.ts";
import type { ErasureSet, PackedPayload } from "./erasure-set.ts";
import { liveBlobRange } from "./index-entry.ts";
import type { OpenSet } from "./open-set.ts";
import { type Pacer, unhurried } from "./pace.ts";
import { firstKey, visitSlice } from "./visit-slice.ts";

/** True when one of a stripe's shards, data or parity, lies on the drive of this number. */
export function isOnDrive(layout: StripeLayout, ordinal: number): boolean {
  return (layout.drives & maskOfDrives([ordinal])) !== 0n;
}

/** True when an entry has a packed payload, or names a live blob, with a shard on the drive. */
function usesDrive(entry: { key: Uint8Array; value: Uint8Array; payload: PackedPayload | undefined }, ordinal: number): boolean {
  if (entry.payload !== undefined) {
    const { layout, length } = decodePackedLocation(entry.payload);
    if (length > 0 && isOnDrive(layout, ordinal)) return true;
  }
  return entry.key[0] === liveBlobRange.start[0] && isOnDrive(decodeBlobLocation(entry.value).layout, ordinal);
}

/** Entries of the set with something on the drive. @throws ABORTED */
export async function countOnDrive(
  set: ErasureSet,
  ordinal: number,
  { pacer = unhurried, signal }: { pacer?: Pacer | undefined; signal?: AbortSignal | undefined } = {},
): Promise<number> {
  let count = 0;
  for (let next: Uint8Array | undefined = firstKey; next !== undefined; ) {
    next = visitSlice(set, next, (key, { value, payload }) => {
      if (usesDrive({ key, value, payload }, ordinal)) count++;
    });
    await pacer.spend(0, signal);
  }
  return count;
}

/** Sees whether anything is committed that has a shard on the drive. Close it. */
export class DriveUseWatch {
  readonly #set: OpenSet;
  readonly #listener: (batch: Batch) => void;
  hasSeen = false;

  constructor(set: OpenSet, ordinal: number) {
    this.#set = set;
    this.#listener = ({ changes }) => {
      for (const { key, entry } of changes) {
        if (entry !== undefined && usesDrive({ key, value: entry.value, payload: entry.payload }, ordinal)) this.hasSeen = true;
      }
    };
    set.context.hooks.onCommitted.add(this.#listener);
  }

  close(): void {
    this.#set.context.hooks.onCommitted.delete(this.#listener);
  }
}
