/**
 * Reads the frames of a pack from all drives in step. Frames lie at the same position on every drive, so what one drive has lost another
 * one tells: at each position the header with the highest epoch wins, and its length leads to the next.
 *
 * A frame that a later epoch has cut (an older epoch, a sequence at or above the later epoch's first) is not there; nor is one that is out
 * of order (an older epoch or sequence than the frame before it, a sequence that the next pack has): such frames can only lie on a drive
 * that was away when the tail was cut.
 */

import { unitBytes } from "../base/limits.ts";
import { matchesChecksum } from "../codec/xxh3.ts";
import type { DriveFile } from "../drive/drive.ts";
import {
  type FrameHeader,
  frameBytes,
  frameHeaderBytes,
  noSlot,
  parseFrameHeader,
  recordsPosition,
  sameBatch,
  shardPosition,
} from "../format/frame.ts";
import { slotOfDrive } from "../format/layout.ts";
import type { Member } from "./member.ts";
import { ReadAhead } from "./read-ahead.ts";
import type { SetContext } from "./set-context.ts";

/** What of a pack counts. */
export interface ScanBounds {
  /** The newest epoch. */
  readonly epoch: number;
  /** Where the newest epoch begins: what older epochs wrote from there on was cut. */
  readonly firstSequence: number;
  /** The first sequence of the next pack; infinite for the last pack. */
  readonly belowSequence: number;
  /** Where the pack's frames end, when the next pack says so. */
  readonly end?: number | undefined;
}

/** A frame found at a position, and who has it. */
export interface ScannedFrame {
  /** The batch's facts; slot and shard checksum are of one of the holders. */
  readonly header: FrameHeader;
  /** Whole and checked. */
  readonly records: Uint8Array;
  /** The drives with a sound header of this batch there. */
  readonly holders: ReadonlyMap<Member, FrameHeader>;
}

/** An open pack file of one drive. */
interface Copy {
  readonly member: Member;
  readonly file: ReadAhead;
}

export class PackScan {
  readonly pack: number;
  /** Where the next frame is looked for. */
  position = 0;
  #lastSequence = 0;
  #lastEpoch = 0;
  readonly #context: Pick<SetContext, "id">;
  readonly #bounds: ScanBounds;
  readonly #copies: readonly Copy[];

  private constructor(context: Pick<SetContext, "id">, pack: number, bounds: ScanBounds, copies: readonly Copy[]) {
    this.#context = context;
    this.pack = pack;
    this.#bounds = bounds;
    this.#copies = copies;
  }

  /** Opens the pack on every drive that has it. */
  static async open(context: Pick<SetContext, "id" | "members">, pack: number, bounds: ScanBounds): Promise<PackScan> {
    const copies: Copy[] = [];
    for (const member of context.members) {
      if (!member.readable) continue;
      const file = await member.packFile(pack, { create: false }).catch(() => undefined);
      if (file !== undefined) copies.push({ member, file: new ReadAhead(file) });
    }
    return new PackScan(context, pack, bounds, copies);
  }

  /** The frame at the position, moving on past it; undefined where no drive has a sound one: the end of the pack's frames. */
  async next(): Promise<ScannedFrame | undefined> {
    const found = await this.#headersAt(this.position);
    const header = newest([...found.values()]);
    if (header === undefined) return undefined;
    const holders = new Map([...found].filter(([, other]) => sameBatch(other, header)));
    const records = await this.#records(header);
    if (records === undefined) return undefined;
    this.position += frameBytes(header);
    this.#lastSequence = header.sequence;
    this.#lastEpoch = header.epoch;
    return { header, records, holders };
  }

  async #headersAt(position: number): Promise<Map<Member, FrameHeader>> {
    const found = new Map<Member, FrameHeader>();
    await Promise.all(
      this.#copies
        .filter(({ file }) => file.peek(position, frameHeaderBytes) === undefined)
        .map(({ file }) => readUpTo(file, position, frameHeaderBytes)),
    );
    for (const { member, file } of this.#copies) {
      const bytes = file.peek(position, frameHeaderBytes);
      const header = bytes === undefined ? undefined : parseFrameHeader(bytes);
      if (header === undefined || !this.#belongs(header, position)) continue;
      // A pack copied from another drive is sound in itself, and no copy of this drive's: taken for one, its shard would spoil what is computed.
      if (header.slot === slotOfDrive(header.layout, member.ordinal)) found.set(member, header);
    }
    return found;
  }

  #belongs(header: FrameHeader, position: number): boolean {
    if (header.setId !== this.#context.id || header.pack !== this.pack || header.position !== position) return false;
    const wasCut = header.epoch < this.#bounds.epoch && header.sequence >= this.#bounds.firstSequence;
    const inOrder = header.epoch >= this.#lastEpoch && header.sequence > this.#lastSequence;
    return !wasCut && inOrder && header.sequence < this.#bounds.belowSequence;
  }

  /** The records are the same bytes everywhere: any drive's will do that match, also those of one whose own header is damaged. */
  async #records(header: FrameHeader): Promise<Uint8Array | undefined> {
    for (const { file } of this.#copies) {
      const records = await readWhole(file, recordsPosition(header), header.recordsBytes);
      if (records !== undefined && matchesChecksum(header.recordsChecksum, 0, records)) return records;
    }
    return undefined;
  }

  /** True when the member's copy of the frame is whole: header, records and, where it has a slot, shard. */
  async isWhole(frame: ScannedFrame, member: Member): Promise<{ records: boolean; shard: boolean }> {
    const header = frame.holders.get(member);
    const copy = this.#copies.find((candidate) => candidate.member === member);
    if (header === undefined || copy === undefined) return { records: false, shard: false };
    const records = await readWhole(copy.file, recordsPosition(header), header.recordsBytes);
    if (records === undefined || !matchesChecksum(header.recordsChecksum, 0, records)) return { records: false, shard: false };
    if (header.slot === noSlot) return { records: true, shard: false };
    const shard = await readWhole(copy.file, shardPosition(header), header.shardBytes);
    return { records: true, shard: shard !== undefined && matchesChecksum(header.shardChecksum, 0, shard) };
  }

  /**
   * Looks past the position for any sound later frame on any drive. At a torn tail there is none, because a drive gets a frame only when
   * the one before it is durable there; where there is one, what lies at the position is not a tail but damage. A header at the position
   * itself says nothing: of a torn frame it may be all that was kept. A footer tells of later frames too, of which nothing else may be left.
   */
  async hasLaterFrame(): Promise<boolean> {
    return (await this.#look(true)) !== undefined;
  }

  /** Goes on behind damage, at the next frame that any drive has; false where there is none. */
  async skipDamage(): Promise<boolean> {
    const position = await this.#look(false);
    if (position === undefined) return false;
    this.position = position;
    return true;
  }

  /** The least position of a later frame; with `traces` also of one that only a footer tells of. */
  async #look(traces: boolean): Promise<number | undefined> {
    let least: number | undefined;
    for (const { file } of this.#copies) {
      const found = await this.#lookIn(file, traces);
      if (found !== undefined && (least === undefined || found < least)) least = found;
    }
    return least;
  }

  async #lookIn(file: ReadAhead, traces: boolean): Promise<number | undefined> {
    const windowBytes = 1024 * 1024;
    const size = await file.size();
    for (let start = this.position + unitBytes; start < size; start += windowBytes) {
      const bytes = await readUpTo(file, start, windowBytes);
      for (let at = 0; bytes !== undefined && at + frameHeaderBytes <= bytes.byteLength; at += unitBytes) {
        const header = parseFrameHeader(bytes, at);
        if (header === undefined) continue;
        if (this.#belongs(header, start + at)) return start + at;
        if (traces && header.position >= this.position && this.#belongs(header, header.position)) return header.position;
      }
    }
    return undefined;
  }
}

function newest(headers: readonly FrameHeader[]): FrameHeader | undefined {
  let best: FrameHeader | undefined;
  for (const header of headers) if (best === undefined || header.epoch > best.epoch) best = header;
  return best;
}

/** Up to `length` bytes from `position`; undefined when they cannot be read. */
async function readUpTo(file: Pick<DriveFile, "read">, position: number, length: number): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(length);
  try {
    return bytes.subarray(0, await file.read(position, bytes));
  } catch {
    return undefined;
  }
}

/** Exactly `length` bytes from `position`; undefined when they cannot be read or the file ends before. */
export async function readWhole(file: Pick<DriveFile, "read">, position: number, length: number): Promise<Uint8Array | undefined> {
  const bytes = await readUpTo(file, position, length);
  return bytes?.byteLength === length ? bytes : undefined;
}
