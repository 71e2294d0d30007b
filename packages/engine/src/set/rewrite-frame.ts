import { roundUp } from "../base/bytes.ts";
import { invariant } from "../base/invariant.ts";
import { unitBytes } from "../base/limits.ts";
import { codeKernel } from "../codec/code-kernel.ts";
import { checksum, matchesChecksum } from "../codec/xxh3.ts";
import { frameHeaderBytes, noSlot, shardPosition, writeFrameHeader } from "../format/frame.ts";
import { slotOfDrive } from "../format/layout.ts";
import type { Member } from "./member.ts";
import { readWhole, type ScannedFrame } from "./scan-pack.ts";
import type { SetContext } from "./set-context.ts";

/**
 * Writes a kept frame at the tail once more on every drive that is there, durably: drives that lack it or its shard get it made from the
 * others, and on the rest bytes that may have been only in a page cache reach stable storage.
 */
export async function rewriteFrame(context: SetContext, frame: ScannedFrame): Promise<void> {
  const { header, records } = frame;
  const shards = await allShards(context, frame);
  const padded = new Uint8Array(roundUp(records.byteLength, unitBytes));
  padded.set(records);
  await Promise.all(
    context.members.map(async (member) => {
      if (!member.takesRepairs) return;
      const slot = slotOfDrive(header.layout, member.ordinal);
      const shard = slot === noSlot ? new Uint8Array(0) : (shards[slot] as Uint8Array);
      const headerBytes = new Uint8Array(frameHeaderBytes);
      writeFrameHeader(headerBytes, 0, { ...header, slot, shardChecksum: checksum(shard) });
      try {
        const file = await member.packFile(header.pack, { create: true });
        await file.writeDurable(header.position, [headerBytes, padded, shard]);
      } catch (error) {
        member.noteWriteFailure(error);
      }
    }),
  );
}

/** All k + m shards of a frame of which at least k are whole. */
async function allShards(context: SetContext, frame: ScannedFrame): Promise<Uint8Array[]> {
  const { header, holders } = frame;
  const width = header.layout.data + header.layout.parity;
  if (header.shardBytes === 0) return Array.from({ length: width }, () => new Uint8Array(0));
  const found: (Uint8Array | undefined)[] = new Array(width).fill(undefined);
  await Promise.all(
    context.members.map(async (member) => {
      const slot = slotOfDrive(header.layout, member.ordinal);
      if (slot !== noSlot) found[slot] = await wholeShard(member, frame);
    }),
  );
  invariant(
    found.filter((shard) => shard !== undefined).length >= header.layout.data,
    `a kept frame can be read (${holders.size} holders)`,
  );
  const wanted = new Map<number, Uint8Array>();
  for (let slot = 0; slot < width; slot++) if (found[slot] === undefined) wanted.set(slot, new Uint8Array(header.shardBytes));
  codeKernel().reconstruct(header.layout, found, wanted);
  return found.map((shard, slot) => shard ?? (wanted.get(slot) as Uint8Array));
}

async function wholeShard(member: Member, frame: ScannedFrame): Promise<Uint8Array | undefined> {
  const own = frame.holders.get(member);
  if (own === undefined) return undefined;
  const file = await member.packFile(own.pack, { create: false });
  const shard = await readWhole(file, shardPosition(own), own.shardBytes);
  return shard !== undefined && matchesChecksum(own.shardChecksum, 0, shard) ? shard : undefined;
}
