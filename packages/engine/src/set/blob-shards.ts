import { isHoldfastError } from "../base/errors.ts";
import { checksumBlockBytes } from "../base/limits.ts";
import type { DriveFile } from "../drive/drive.ts";
import type { BlobPlace } from "../format/blob-location.ts";
import { formatBlobId, shardFileName } from "../format/blob-name.ts";
import { driveOfSlot } from "../format/layout.ts";
import { matchesPart, parsePieceHeader, partRange, samePiece } from "../format/shard-file.ts";
import { type ShardGeometry, shardGeometry } from "../format/shard-geometry.ts";
import type { BlobLocation } from "./erasure-set.ts";
import type { Member } from "./member.ts";
import { readExactly } from "./read-exactly.ts";
import type { ReadTools } from "./read-tools.ts";
import type { SetContext } from "./set-context.ts";
import { unreadableError } from "./unreadable-error.ts";

/** Some 64 KiB parts of the pieces of one stripe: [from, to). */
export interface Parts {
  readonly from: number;
  readonly to: number;
}

/** The shard files of one blob as they are read: opened when first needed, every part checked, what is wrong with them noted. */
export class BlobShards {
  readonly place: BlobPlace;
  readonly geometry: ShardGeometry;
  readonly reads: ReadTools;
  readonly #context: SetContext;
  readonly #location: BlobLocation;
  readonly #files = new Map<number, Promise<DriveFile | undefined>>();
  /** Drives that have been asked and have not said what they hold. */
  readonly #silent = new Set<Member>();
  /** Drives that could not even look for the file. */
  readonly #unopened = new Set<Member>();
  /** Something was met that is not as it should be, can be repaired, and was not told of yet. */
  #isFaulty = false;

  constructor(context: SetContext, place: BlobPlace, location: BlobLocation, reads: ReadTools) {
    this.#context = context;
    this.place = place;
    this.#location = location;
    this.reads = reads;
    this.geometry = shardGeometry({ data: place.layout.data, stripeBytes: place.stripeBytes, sizeBytes: place.sizeBytes });
  }

  member(slot: number): Member {
    return this.#context.members[driveOfSlot(this.place.layout, slot)] as Member;
  }

  /** Parts of one shard's piece, checked; undefined when they cannot be had from its drive. Never rejects. */
  async readParts(slot: number, stripe: number, parts: Parts): Promise<Uint8Array | undefined> {
    const member = this.member(slot);
    this.#silent.add(member);
    const file = await this.#file(slot, member);
    if (file === undefined) {
      if (!this.#unopened.has(member)) this.#silent.delete(member);
      return undefined;
    }
    const startMs = this.reads.health.nowMs();
    try {
      const bytes = await this.#readChecked(file, slot, stripe, parts);
      this.reads.health.noteRead(member, startMs);
      this.#silent.delete(member);
      if (bytes === undefined) this.#noteFault(member);
      return bytes;
    } catch (error) {
      this.#noteError(member, error);
      return undefined;
    }
  }

  /** Undefined when what is there is not what it should be. */
  async #readChecked(file: DriveFile, slot: number, stripe: number, parts: Parts): Promise<Uint8Array | undefined> {
    const pieceBytes = this.geometry.pieceBytes(stripe);
    const headerBytes = this.geometry.pieceHeaderBytes(stripe);
    const position = this.geometry.position(stripe);
    const start = parts.from * checksumBlockBytes;
    const end = Math.min(pieceBytes, parts.to * checksumBlockBytes);
    const whole = parts.from === 0 ? await readExactly(file, position, headerBytes + end) : undefined;
    const header = whole?.subarray(0, headerBytes) ?? (await readExactly(file, position, headerBytes));
    const bytes = whole?.subarray(headerBytes) ?? (await readExactly(file, position + headerBytes + start, end - start));
    if (header === undefined || bytes === undefined || !this.#matches(header, bytes, { slot, stripe, pieceBytes, parts })) return undefined;
    return bytes;
  }

  #matches(header: Uint8Array, bytes: Uint8Array, piece: { slot: number; stripe: number; pieceBytes: number; parts: Parts }): boolean {
    const { slot, stripe, pieceBytes, parts } = piece;
    const parsed = parsePieceHeader(header);
    const expected = { blob: this.place.blob, slot, stripe, pieceBytes, dataBytes: this.geometry.dataBytes(stripe) };
    if (parsed === undefined || !samePiece(parsed, expected)) return false;
    const base = parts.from * checksumBlockBytes;
    for (let part = parts.from; part < parts.to; part++) {
      const { start, end } = partRange(pieceBytes, part);
      if (!matchesPart(header, 0, part, bytes.subarray(start - base, end - base))) return false;
    }
    return true;
  }

  #file(slot: number, member: Member): Promise<DriveFile | undefined> {
    let file = this.#files.get(slot);
    if (file === undefined) {
      const opened = member.drive?.open(shardFileName(this.place.blob), { create: false }) ?? Promise.resolve(undefined);
      file = opened.catch((error: unknown) => {
        if (!isAnswer(error)) this.#unopened.add(member);
        this.#noteError(member, error);
        return undefined;
      });
      this.#files.set(slot, file);
    }
    return file;
  }

  #noteError(member: Member, error: unknown): void {
    this.reads.health.noteError(member, error);
    if (isAnswer(error)) {
      this.#silent.delete(member);
      this.#noteFault(member);
    } else if (member.readable && !isHoldfastError(error, "STORE_CLOSED", "DRIVES_MISSING")) member.readFaults++;
  }

  /** A drive that is away, or is being filled, is no fault; one that failed cannot be repaired. */
  #noteFault(member: Member): void {
    if (!member.readable || member.fresh || member.state === "rebuilding") return;
    if (member.lackingBlobs.has(formatBlobId(this.place.blob))) return;
    member.readFaults++;
    if (member.state !== "failed") this.#isFaulty = true;
  }

  /** Tells of what was found wrong and has been got around. */
  tellFaults(): void {
    if (this.#isFaulty) this.reads.faults.tell({ kind: "blob", location: this.#location });
    this.#isFaulty = false;
  }

  unreadable(stripe: number): Error {
    const { blob, layout } = this.place;
    const holders = Array.from({ length: layout.data + layout.parity }, (_, slot) => this.member(slot));
    return unreadableError({ holders, silent: this.#silent, layout, what: { blob: formatBlobId(blob), stripe } });
  }

  /** Closes what is open, once nothing reads. What a drive has not opened yet is closed when it is. */
  close(): void {
    for (const file of this.#files.values()) void file.then((open) => open?.close()).catch(() => undefined);
    this.#files.clear();
  }
}

/** True for errors that say something of the file, not only of its drive. */
function isAnswer(error: unknown): boolean {
  return isHoldfastError(error, "FILE_NOT_FOUND", "DRIVE_IO_ERROR");
}
