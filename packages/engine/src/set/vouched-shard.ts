import { unitBytes } from "../base/limits.ts";
import { matchesChecksum } from "../codec/xxh3.ts";
import type { DriveFile } from "../drive/drive.ts";
import { type FrameHeader, frameHeaderBytes, parseFrameHeader, shardPosition } from "../format/frame.ts";
import type { PackedLocation } from "../format/packed-location.ts";
import type { Member } from "./member.ts";
import { readExactly } from "./read-exactly.ts";
import type { SetContext } from "./set-context.ts";

/** A whole shard whose frame header agrees with its bytes. */
export interface VouchedShard {
  readonly header: FrameHeader;
  readonly shard: Uint8Array;
}

/** The shard of a slot as its drive has it; undefined where its frame header does not vouch for it. @throws what the drive throws */
export async function readVouchedShard(
  context: Pick<SetContext, "id">,
  location: PackedLocation,
  slot: number,
  member: Member,
): Promise<VouchedShard | undefined> {
  return member.withPack(location.pack, { create: false }, async (file) => {
    const shard = await readExactly(file, location.shardPosition, location.shardBytes);
    const header = shard === undefined ? undefined : await findHeader(context, location, file);
    const isSound = shard !== undefined && header?.slot === slot && matchesChecksum(header.shardChecksum, 0, shard);
    return isSound ? { header, shard } : undefined;
  });
}

/**
 * The header of the frame whose shard starts at the location. It lies somewhere before the shard: records of unknown length are between,
 * so it is looked for backwards at multiples of 128 bytes.
 */
async function findHeader(context: Pick<SetContext, "id">, location: PackedLocation, file: DriveFile): Promise<FrameHeader | undefined> {
  const windowBytes = 64 * 1024;
  for (let end = location.shardPosition; end > 0; end -= windowBytes) {
    const start = Math.max(0, end - windowBytes);
    const bytes = await readExactly(file, start, end - start);
    if (bytes === undefined) return undefined;
    for (let at = bytes.byteLength - frameHeaderBytes; at >= 0; at -= unitBytes) {
      const header = parseFrameHeader(bytes, at);
      if (header === undefined || header.setId !== context.id || header.pack !== location.pack || header.position !== start + at) continue;
      return shardPosition(header) === location.shardPosition ? header : undefined;
    }
  }
  return undefined;
}
