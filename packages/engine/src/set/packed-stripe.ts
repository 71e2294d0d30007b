/** Where a packed payload lies in its stripe, and how its bytes are put together from shards: arithmetic only. */
import { roundUp } from "../base/bytes.ts";
import { unitBytes } from "../base/limits.ts";
import { codeKernel } from "../codec/code-kernel.ts";
import { matchesChecksum } from "../codec/xxh3.ts";
import type { PackedLocation } from "../format/packed-location.ts";

/** Bytes of a shard: [start, end). */
export interface ShardRange {
  readonly start: number;
  readonly end: number;
}

/** The first and the last slot a payload touches; it has at least one byte. */
export function touchedSlots(location: PackedLocation): { readonly first: number; readonly last: number } {
  const { offset, length, shardBytes } = location;
  return { first: Math.floor(offset / shardBytes), last: Math.floor((offset + length - 1) / shardBytes) };
}

/** The part of a touched slot's shard that belongs to the payload. */
export function partOfSlot(location: PackedLocation, slot: number): ShardRange {
  const { offset, length, shardBytes } = location;
  const base = slot * shardBytes;
  return { start: Math.max(0, offset - base), end: Math.min(shardBytes, offset + length - base) };
}

/** The aligned range of every shard that is needed to make the touched ones' parts. */
export function alignedRange(location: PackedLocation): ShardRange {
  const { first, last } = touchedSlots(location);
  if (first !== last) return { start: 0, end: location.shardBytes };
  const { start, end } = partOfSlot(location, first);
  return { start: Math.floor(start / unitBytes) * unitBytes, end: roundUp(end, unitBytes) };
}

/**
 * The payload from this range of k or more shards, of which some are taken for lost; undefined when they are too few or the checksum does
 * not match.
 */
export function assemblePayload(
  location: PackedLocation,
  shards: ReadonlyMap<number, Uint8Array>,
  range: ShardRange,
  lost: readonly number[] = [],
): Uint8Array | undefined {
  const { data, parity } = location.layout;
  const usable = Array.from({ length: data + parity }, (_, slot) => (lost.includes(slot) ? undefined : shards.get(slot)));
  if (usable.filter((shard) => shard !== undefined).length < data) return undefined;
  const { first, last } = touchedSlots(location);
  const wanted = new Map<number, Uint8Array>();
  for (let slot = first; slot <= last; slot++) if (usable[slot] === undefined) wanted.set(slot, new Uint8Array(range.end - range.start));
  if (wanted.size > 0) codeKernel().reconstruct(location.layout, usable, wanted);
  const bytes = new Uint8Array(location.length);
  for (let at = 0, slot = first; slot <= last; slot++) {
    const shard = usable[slot] ?? (wanted.get(slot) as Uint8Array);
    const part = partOfSlot(location, slot);
    bytes.set(shard.subarray(part.start - range.start, part.end - range.start), at);
    at += part.end - part.start;
  }
  return matchesChecksum(location.checksum, 0, bytes) ? bytes : undefined;
}
