/**
 * Reading a packed payload. Healthy: one read on the drive that holds it (two where it crosses a shard's edge), checked by the payload's
 * own checksum. Degraded: the same aligned range of k other shards. Where the result still does not match, whole shards are read and
 * checked one by one against their frames' headers, so that a drive with wrong bytes is told from one with right ones.
 */

import { roundUp } from "../base/bytes.ts";
import { HoldfastError } from "../base/errors.ts";
import { unitBytes } from "../base/limits.ts";
import { codeKernel } from "../codec/code-kernel.ts";
import { matchesChecksum } from "../codec/xxh3.ts";
import type { DriveFile } from "../drive/drive.ts";
import { type FrameHeader, frameHeaderBytes, parseFrameHeader, sameBatch, shardPosition } from "../format/frame.ts";
import { driveOfSlot, type StripeLayout } from "../format/layout.ts";
import { decodePackedLocation, type PackedLocation } from "../format/packed-location.ts";
import type { Member } from "./member.ts";
import { readWhole } from "./scan-pack.ts";
import type { SetContext } from "./set-context.ts";

/** What reads have met since the set was opened. */
export interface ReadCounters {
  /** Payloads and stripes read as they are. */
  healthy: number;
  /** Payloads and stripes that had to be reconstructed. */
  degraded: number;
}

type Shards = (Uint8Array | undefined)[];

export async function readPackedPayload(context: SetContext, payload: Uint8Array, counters: ReadCounters): Promise<Uint8Array> {
  const location = decodePackedLocation(payload);
  if (location.length === 0) return new Uint8Array(0);
  const healthy = await readHealthy(context, location);
  if (healthy !== undefined) {
    counters.healthy++;
    return healthy;
  }
  counters.degraded++;
  const bytes = (await readDegraded(context, location)) ?? (await readSuspicious(context, location));
  if (bytes !== undefined) return bytes;
  throw unreadable(context, location);
}

/** The slots a payload touches. */
function touchedSlots(location: PackedLocation): { first: number; last: number } {
  const { offset, length, shardBytes } = location;
  return { first: Math.floor(offset / shardBytes), last: Math.floor((offset + length - 1) / shardBytes) };
}

/** Straight from the data shards; undefined when a read fails or the checksum does not match. */
async function readHealthy(context: SetContext, location: PackedLocation): Promise<Uint8Array | undefined> {
  const { first, last } = touchedSlots(location);
  const bytes = new Uint8Array(location.length);
  let at = 0;
  const reads: Promise<boolean>[] = [];
  for (let slot = first; slot <= last; slot++) {
    const start = slot === first ? location.offset - slot * location.shardBytes : 0;
    const end = Math.min(location.shardBytes, location.offset + location.length - slot * location.shardBytes);
    reads.push(readInto(context, location, slot, start, bytes.subarray(at, at + end - start)));
    at += end - start;
  }
  const complete = reads.length === 1 ? await reads[0] : (await Promise.all(reads)).every((done) => done);
  if (complete !== true) return undefined;
  if (matchesChecksum(location.checksum, 0, bytes)) return bytes;
  for (let slot = first; slot <= last; slot++) memberOf(context, location, slot).readFaults++;
  return undefined;
}

function memberOf(context: SetContext, location: PackedLocation, slot: number): Member {
  return context.members[driveOfSlot(location.layout, slot)] as Member;
}

async function readInto(context: SetContext, location: PackedLocation, slot: number, start: number, into: Uint8Array): Promise<boolean> {
  const member = memberOf(context, location, slot);
  if (!member.readable) return false;
  try {
    const read = await member.withPack(location.pack, { create: false }, (file) => file.read(location.shardPosition + start, into));
    return read === into.byteLength;
  } catch {
    member.readFaults++;
    return false;
  }
}

/** The aligned range of the shards a payload touches. */
function alignedRange(location: PackedLocation): { start: number; end: number } {
  const { first, last } = touchedSlots(location);
  if (first !== last) return { start: 0, end: location.shardBytes };
  const start = location.offset - first * location.shardBytes;
  return { start: Math.floor(start / unitBytes) * unitBytes, end: roundUp(start + location.length, unitBytes) };
}

/** Reconstructs the touched shards' range from the others, taking the touched ones one by one, then all, for lost. */
async function readDegraded(context: SetContext, location: PackedLocation): Promise<Uint8Array | undefined> {
  const range = alignedRange(location);
  const shards = await readShards(context, location, range);
  const { first, last } = touchedSlots(location);
  const touched = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  for (const lost of [[], ...touched.map((slot) => [slot]), touched]) {
    const trial = shards.map((shard, slot) => (lost.includes(slot) ? undefined : shard));
    const bytes = assemble(location, trial, range);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

async function readShards(context: SetContext, location: PackedLocation, range: { start: number; end: number }): Promise<Shards> {
  const width = location.layout.data + location.layout.parity;
  return Promise.all(
    Array.from({ length: width }, async (_, slot) => {
      const bytes = new Uint8Array(range.end - range.start);
      return (await readInto(context, location, slot, range.start, bytes)) ? bytes : undefined;
    }),
  );
}

/** The payload from k or more shards' ranges; undefined when they are too few or the checksum does not match. */
function assemble(location: PackedLocation, shards: Shards, range: { start: number; end: number }): Uint8Array | undefined {
  if (shards.filter((shard) => shard !== undefined).length < location.layout.data) return undefined;
  const { first, last } = touchedSlots(location);
  const wanted = new Map<number, Uint8Array>();
  for (let slot = first; slot <= last; slot++) if (shards[slot] === undefined) wanted.set(slot, new Uint8Array(range.end - range.start));
  if (wanted.size > 0) codeKernel().reconstruct(location.layout, shards, wanted);
  const bytes = new Uint8Array(location.length);
  let at = 0;
  for (let slot = first; slot <= last; slot++) {
    const shard = shards[slot] ?? (wanted.get(slot) as Uint8Array);
    const start = slot === first ? location.offset - slot * location.shardBytes : 0;
    const end = Math.min(location.shardBytes, location.offset + location.length - slot * location.shardBytes);
    bytes.set(shard.subarray(start - range.start, end - range.start), at);
    at += end - start;
  }
  return matchesChecksum(location.checksum, 0, bytes) ? bytes : undefined;
}

/**
 * Reads whole shards, keeps those their own frame headers vouch for, and reconstructs from those of one batch: a drive that was away when
 * the tail of the log was cut may have a sound frame of another batch there.
 */
async function readSuspicious(context: SetContext, location: PackedLocation): Promise<Uint8Array | undefined> {
  const width = location.layout.data + location.layout.parity;
  const vouched = await Promise.all(Array.from({ length: width }, (_, slot) => readVouchedShard(context, location, slot)));
  for (const sample of vouched) {
    if (sample === undefined) continue;
    const shards = vouched.map((other) => (other !== undefined && sameBatch(other.header, sample.header) ? other.shard : undefined));
    const bytes = assemble(location, shards, { start: 0, end: location.shardBytes });
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

/** A shard whose frame header agrees with its bytes. */
async function readVouchedShard(
  context: SetContext,
  location: PackedLocation,
  slot: number,
): Promise<{ header: FrameHeader; shard: Uint8Array } | undefined> {
  const member = memberOf(context, location, slot);
  if (!member.readable) return undefined;
  try {
    const file = await member.packFile(location.pack, { create: false });
    const shard = await readWhole(file, location.shardPosition, location.shardBytes);
    const header = shard === undefined ? undefined : await findHeader(context, location, file);
    if (shard !== undefined && header?.slot === slot && matchesChecksum(header.shardChecksum, 0, shard)) return { header, shard };
  } catch {
    // a drive that cannot be read has nothing to offer here
  }
  member.readFaults++;
  return undefined;
}

/**
 * The header of the frame whose shard starts at the location. It lies somewhere before the shard: records of unknown length are between,
 * so it is looked for backwards at multiples of 128 bytes.
 */
async function findHeader(context: SetContext, location: PackedLocation, file: DriveFile): Promise<FrameHeader | undefined> {
  const windowBytes = 64 * 1024;
  for (let end = location.shardPosition; end > 0; end -= windowBytes) {
    const start = Math.max(0, end - windowBytes);
    const bytes = await readWhole(file, start, end - start);
    if (bytes === undefined) return undefined;
    for (let at = bytes.byteLength - frameHeaderBytes; at >= 0; at -= unitBytes) {
      const header = parseFrameHeader(bytes, at);
      if (header === undefined || header.setId !== context.id || header.pack !== location.pack || header.position !== start + at) continue;
      return shardPosition(header) === location.shardPosition ? header : undefined;
    }
  }
  return undefined;
}

function unreadable(context: SetContext, location: PackedLocation): HoldfastError {
  const { data, parity } = location.layout;
  const holders = Array.from({ length: data + parity }, (_, slot) => memberOf(context, location, slot));
  return unreadableError({ holders, layout: location.layout, what: { pack: location.pack, position: location.shardPosition } });
}

/** Why k shards could not be read: while drives are missing, they may have what is needed; with all of them there it is damage. */
export function unreadableError(facts: {
  holders: readonly Member[];
  layout: StripeLayout;
  what: Readonly<Record<string, unknown>>;
}): HoldfastError {
  const { data, parity } = facts.layout;
  const missing = facts.holders.filter((member) => !member.readable).map((member) => member.id);
  const details = { ...facts.what, data, parity, missingDrives: missing };
  if (missing.length > 0) {
    return new HoldfastError(
      "DRIVES_MISSING",
      `too few of the ${data + parity} shards of this object can be read; bring back drives ${missing.join(", ")}`,
      { details },
    );
  }
  return new HoldfastError("OBJECT_DAMAGED", "the object is damaged on more drives than its parity covers; restore it from a copy", {
    details,
  });
}
