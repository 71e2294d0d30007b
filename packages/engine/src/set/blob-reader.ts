/**
 * Reading a blob: any range, stripe by stripe, the next stripe while the caller takes the last one. Every part of at most 64 KiB is checked
 * before it is handed out; what is missing or wrong is reconstructed from the same parts of k other shards.
 */
import { type HoldfastError, throwIfAborted } from "../base/errors.ts";
import { checksumBlockBytes } from "../base/limits.ts";
import { codeKernel } from "../codec/code-kernel.ts";
import type { DriveFile } from "../drive/drive.ts";
import type { BlobPlace } from "../format/blob-location.ts";
import { formatBlobId, shardFileName } from "../format/blob-name.ts";
import { driveOfSlot } from "../format/layout.ts";
import { matchesPart, parsePieceHeader, partRange, samePiece } from "../format/shard-file.ts";
import { type ShardGeometry, shardGeometry } from "../format/shard-geometry.ts";
import type { BlobReader } from "./erasure-set.ts";
import type { Member } from "./member.ts";
import { type ReadCounters, unreadableError } from "./read-packed.ts";
import { readWhole } from "./scan-pack.ts";
import type { SetContext } from "./set-context.ts";

/** Some parts of the pieces of one stripe: [from, to). */
interface Parts {
  readonly from: number;
  readonly to: number;
}

export class LocalBlobReader implements BlobReader {
  readonly sizeBytes: number;
  readonly #context: SetContext;
  readonly #place: BlobPlace;
  readonly #geometry: ShardGeometry;
  readonly #files = new Map<number, Promise<DriveFile | undefined>>();
  readonly #counters: ReadCounters;
  readonly #unpin: () => void;
  /** Aborted with the error to end with when the set is being closed. */
  readonly #closing: AbortSignal;
  #reading = 0;
  #closed = false;

  constructor(context: SetContext, place: BlobPlace, options: { counters: ReadCounters; unpin: () => void; closing: AbortSignal }) {
    this.#context = context;
    this.#place = place;
    this.sizeBytes = place.sizeBytes;
    this.#geometry = shardGeometry({ data: place.layout.data, stripeBytes: place.stripeBytes, sizeBytes: place.sizeBytes });
    this.#counters = options.counters;
    this.#unpin = options.unpin;
    this.#closing = options.closing;
  }

  async *read(range: { readonly start: number; readonly end: number }, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const start = Math.max(0, range.start);
    const end = Math.min(this.sizeBytes, range.end);
    if (start >= end) return;
    const { stripeBytes } = this.#place;
    const lastStripe = Math.floor((end - 1) / stripeBytes);
    const readStripe = (stripe: number): Promise<Uint8Array[]> =>
      this.#readStripe(stripe, Math.max(0, start - stripe * stripeBytes), Math.min(stripeBytes, end - stripe * stripeBytes));
    this.#reading++;
    let ahead: Promise<Uint8Array[]> | undefined;
    try {
      let stripe = Math.floor(start / stripeBytes);
      ahead = readStripe(stripe);
      ahead.catch(() => undefined);
      while (ahead !== undefined) {
        throwIfAborted(signal);
        this.#closing.throwIfAborted();
        const pieces: Uint8Array[] = await ahead;
        stripe++;
        ahead = stripe <= lastStripe ? readStripe(stripe) : undefined;
        ahead?.catch(() => undefined);
        for (const piece of pieces) yield piece;
      }
    } finally {
      // The files are not closed under a read.
      await ahead?.catch(() => undefined);
      this.#reading--;
      if (this.#closed) this.#release();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#reading === 0) this.#release();
  }

  #release(): void {
    if (this.#reading > 0) return;
    for (const file of this.#files.values()) void file.then((open) => open?.close()).catch(() => undefined);
    this.#files.clear();
    this.#unpin();
  }

  /** The bytes [start, end) of a stripe as views, one for each data shard touched. */
  async #readStripe(stripe: number, start: number, end: number): Promise<Uint8Array[]> {
    const pieceBytes = this.#geometry.pieceBytes(stripe);
    const first = Math.floor(start / pieceBytes);
    const last = Math.floor((end - 1) / pieceBytes);
    const wanted = Array.from({ length: last - first + 1 }, (_, i) => {
      const slot = first + i;
      const from = Math.max(0, start - slot * pieceBytes);
      const to = Math.min(pieceBytes, end - slot * pieceBytes);
      return { slot, from, to, parts: { from: Math.floor(from / checksumBlockBytes), to: Math.ceil(to / checksumBlockBytes) } };
    });
    const found = await Promise.all(wanted.map((piece) => this.#readParts(piece.slot, stripe, piece.parts)));
    const lost = wanted.filter((_, i) => found[i] === undefined);
    if (lost.length === 0) {
      this.#counters.healthy++;
      return wanted.map((piece, i) => within(found[i] as Uint8Array, piece.parts, piece));
    }
    this.#counters.degraded++;
    const parts = { from: Math.min(...lost.map((piece) => piece.parts.from)), to: Math.max(...lost.map((piece) => piece.parts.to)) };
    const rebuilt = await this.#reconstruct(
      stripe,
      lost.map((piece) => piece.slot),
      parts,
    );
    return wanted.map((piece, i) =>
      within(found[i] ?? (rebuilt.get(piece.slot) as Uint8Array), found[i] === undefined ? parts : piece.parts, piece),
    );
  }

  async #reconstruct(stripe: number, lost: readonly number[], parts: Parts): Promise<Map<number, Uint8Array>> {
    const { data, parity } = this.#place.layout;
    const candidates = Array.from({ length: data + parity }, (_, slot) => slot).filter((slot) => !lost.includes(slot));
    const shards: (Uint8Array | undefined)[] = new Array(data + parity).fill(undefined);
    let have = 0;
    while (have < data && candidates.length > 0) {
      const batch = candidates.splice(0, data - have);
      const read = await Promise.all(batch.map((slot) => this.#readParts(slot, stripe, parts)));
      batch.forEach((slot, i) => {
        shards[slot] = read[i];
        if (read[i] !== undefined) have++;
      });
    }
    if (have < data) throw this.#unreadable(stripe);
    const pieceBytes = this.#geometry.pieceBytes(stripe);
    const length = Math.min(pieceBytes, parts.to * checksumBlockBytes) - parts.from * checksumBlockBytes;
    const wanted = new Map(lost.map((slot) => [slot, new Uint8Array(length)]));
    codeKernel().reconstruct(this.#place.layout, shards, wanted);
    return wanted;
  }

  /** Parts of one shard's piece, checked; undefined when they cannot be had from its drive. */
  async #readParts(slot: number, stripe: number, parts: Parts): Promise<Uint8Array | undefined> {
    const file = await this.#file(slot);
    if (file === undefined) return undefined;
    const pieceBytes = this.#geometry.pieceBytes(stripe);
    const headerBytes = this.#geometry.pieceHeaderBytes(stripe);
    const position = this.#geometry.position(stripe);
    const start = parts.from * checksumBlockBytes;
    const end = Math.min(pieceBytes, parts.to * checksumBlockBytes);
    const whole = parts.from === 0 ? await readWhole(file, position, headerBytes + end) : undefined;
    const header = whole?.subarray(0, headerBytes) ?? (await readWhole(file, position, headerBytes));
    const bytes = whole?.subarray(headerBytes) ?? (await readWhole(file, position + headerBytes + start, end - start));
    if (header !== undefined && bytes !== undefined && this.#matches(header, bytes, { slot, stripe, pieceBytes, parts })) return bytes;
    this.#member(slot).readFaults++;
    return undefined;
  }

  #matches(header: Uint8Array, bytes: Uint8Array, piece: { slot: number; stripe: number; pieceBytes: number; parts: Parts }): boolean {
    const { slot, stripe, pieceBytes, parts } = piece;
    const parsed = parsePieceHeader(header);
    const expected = { blob: this.#place.blob, slot, stripe, pieceBytes, dataBytes: this.#geometry.dataBytes(stripe) };
    if (parsed === undefined || !samePiece(parsed, expected)) return false;
    const base = parts.from * checksumBlockBytes;
    for (let part = parts.from; part < parts.to; part++) {
      const { start, end } = partRange(pieceBytes, part);
      if (!matchesPart(header, 0, part, bytes.subarray(start - base, end - base))) return false;
    }
    return true;
  }

  #member(slot: number): Member {
    return this.#context.members[driveOfSlot(this.#place.layout, slot)] as Member;
  }

  #file(slot: number): Promise<DriveFile | undefined> {
    let file = this.#files.get(slot);
    if (file === undefined) {
      const member = this.#member(slot);
      const opened = member.drive?.open(shardFileName(this.#place.blob), { create: false }) ?? Promise.resolve(undefined);
      file = opened.catch(() => {
        member.readFaults++;
        return undefined;
      });
      this.#files.set(slot, file);
    }
    return file;
  }

  #unreadable(stripe: number): HoldfastError {
    // Whoever closes the set closes its drives: what they refuse then is no damage.
    this.#closing.throwIfAborted();
    const { blob, layout } = this.#place;
    const holders = Array.from({ length: layout.data + layout.parity }, (_, slot) => this.#member(slot));
    return unreadableError({ holders, layout, what: { blob: formatBlobId(blob), stripe } });
  }
}

/** The part of some parts' bytes that was asked for. */
function within(bytes: Uint8Array, parts: Parts, piece: { from: number; to: number }): Uint8Array {
  const base = parts.from * checksumBlockBytes;
  return bytes.subarray(piece.from - base, piece.to - base);
}
