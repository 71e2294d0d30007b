/**
 * The footer of a sealed pack: a body with the header and the padded records of every frame, in order, then a trailer of 128 bytes at
 * the very end of the file. A rebuild of the index reads footers and never the payloads between. Drawn in docs/formats/pack.md.
 *
 * A pack without a sound trailer at its end is not sealed: its frames are read one by one. The body says nothing of where it lies.
 */
import { roundUp } from "../base/bytes.ts";
import { HoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { unitBytes } from "../base/limits.ts";
import { checksumBytes, matchesChecksum, writeChecksum } from "../codec/xxh3.ts";
import { type FrameHeader, frameHeaderBytes, parseFrameHeader, writeFrameHeader } from "./frame.ts";
import {
  copyOf,
  getU64,
  type HeaderKind,
  isId,
  isU32,
  isU53,
  isZero,
  openHeader,
  readId,
  sealedHeaderBytes,
  sealHeader,
  setU64,
  startHeader,
  writeId,
} from "./sealed-header.ts";

const kind: HeaderKind = { name: "a pack's trailer", magic: "HFpf", version: 1 };

/** Bytes of the trailer: the last ones of a sealed pack. */
export const trailerBytes = sealedHeaderBytes;

/** A frame without its shard. */
export interface FooterEntry {
  readonly header: FrameHeader;
  /** Without padding: `header.recordsBytes` of them. */
  readonly records: Uint8Array;
}

/** What the trailer says of a sealed pack. */
export interface PackTrailer {
  readonly setId: string;
  readonly pack: number;
  /** Where the body starts, and the frames end. */
  readonly footerPosition: number;
  /** Bytes of the body. The pack ends at `footerPosition + footerBytes + trailerBytes`. */
  readonly footerBytes: number;
  readonly frames: number;
  /** Of the first frame; 0 in a pack without frames. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** XXH3-64 of the body, 8 bytes. */
  readonly bodyChecksum: Uint8Array;
}

/** The body and the trailer of a footer that goes at `position`; entries in the order of their sequence numbers. */
export function encodeFooter(footer: {
  readonly setId: string;
  readonly pack: number;
  readonly position: number;
  readonly entries: readonly FooterEntry[];
}): Uint8Array {
  const { setId, pack, entries, position: footerPosition } = footer;
  let footerBytes = 0;
  for (const { header } of entries) footerBytes += entryBytes(header);
  const bytes = new Uint8Array(footerBytes + trailerBytes);
  let at = 0;
  for (const { header, records } of entries) {
    invariant(header.setId === setId && header.pack === pack, "a pack's footer holds the frames of that pack");
    invariant(records.byteLength === header.recordsBytes, "a frame's records have the length its header says");
    writeFrameHeader(bytes, at, header);
    bytes.set(records, at + frameHeaderBytes);
    at += entryBytes(header);
  }
  const bodyChecksum = new Uint8Array(checksumBytes);
  writeChecksum(bodyChecksum, 0, bytes.subarray(0, footerBytes));
  const firstSequence = entries[0]?.header.sequence ?? 0;
  const lastSequence = entries.at(-1)?.header.sequence ?? 0;
  writeTrailer(bytes, at, { setId, pack, footerPosition, footerBytes, frames: entries.length, firstSequence, lastSequence, bodyChecksum });
  return bytes;
}

/** The trailer in 128 bytes (those at `at`), or undefined when they are none. @throws FORMAT_TOO_NEW */
export function parseTrailer(bytes: Uint8Array, at = 0): PackTrailer | undefined {
  const view = openHeader(kind, bytes, at);
  if (view === undefined || !isZero(view, 5, 8) || view.getUint32(28, true) !== 0 || !isZero(view, 72, 120)) return undefined;
  const trailer: PackTrailer = {
    setId: readId(bytes, at + 56),
    pack: view.getUint32(8, true),
    footerPosition: getU64(view, 16),
    footerBytes: view.getUint32(24, true),
    frames: view.getUint32(12, true),
    firstSequence: getU64(view, 32),
    lastSequence: getU64(view, 40),
    bodyChecksum: copyOf(bytes, at + 48, checksumBytes),
  };
  return isTrailer(trailer) ? trailer : undefined;
}

/** The entries of a body that the trailer vouches for, undefined when it does not; records are views of the body. */
export function parseFooter(trailer: PackTrailer, body: Uint8Array): FooterEntry[] | undefined {
  if (body.byteLength !== trailer.footerBytes || !matchesChecksum(trailer.bodyChecksum, 0, body)) return undefined;
  const entries: FooterEntry[] = [];
  for (let at = 0; at < body.byteLength; ) {
    const entry = readEntry(body, at);
    if (entry === undefined || entry.header.setId !== trailer.setId || entry.header.pack !== trailer.pack) return undefined;
    if (entry.header.sequence < (entries.at(-1)?.header.sequence ?? 0)) return undefined;
    entries.push(entry);
    at += entryBytes(entry.header);
  }
  const isAsSaid =
    (entries[0]?.header.sequence ?? 0) === trailer.firstSequence && (entries.at(-1)?.header.sequence ?? 0) === trailer.lastSequence;
  return isAsSaid && entries.length === trailer.frames ? entries : undefined;
}

/**
 * The entries of a body, one by one; records are views of it. For a body whose checksum was compared: `parseFooter` does both.
 * @throws FORMAT_DAMAGED where a header is not sound
 */
export function* iterateFooter(body: Uint8Array): Generator<FooterEntry, void> {
  for (let at = 0; at < body.byteLength; ) {
    const entry = readEntry(body, at);
    if (entry === undefined) throw new HoldfastError("FORMAT_DAMAGED", `the footer of a pack is malformed at byte ${at} of its body`);
    yield entry;
    at += entryBytes(entry.header);
  }
}

function readEntry(body: Uint8Array, at: number): FooterEntry | undefined {
  const header = parseFrameHeader(body, at);
  if (header === undefined || entryBytes(header) > body.byteLength - at) return undefined;
  return { header, records: new Uint8Array(body.buffer, body.byteOffset + at + frameHeaderBytes, header.recordsBytes) };
}

function entryBytes(header: FrameHeader): number {
  return frameHeaderBytes + roundUp(header.recordsBytes, unitBytes);
}

function writeTrailer(target: Uint8Array, at: number, trailer: PackTrailer): void {
  invariant(isTrailer(trailer), "a pack's trailer is in range before it is written");
  const view = startHeader(kind, target, at);
  view.setUint32(8, trailer.pack, true);
  view.setUint32(12, trailer.frames, true);
  setU64(view, 16, trailer.footerPosition);
  view.setUint32(24, trailer.footerBytes, true);
  setU64(view, 32, trailer.firstSequence);
  setU64(view, 40, trailer.lastSequence);
  target.set(trailer.bodyChecksum, at + 48);
  writeId(target, at + 56, trailer.setId);
  sealHeader(target, at);
}

function isTrailer(trailer: PackTrailer): boolean {
  const { footerPosition, footerBytes, frames, firstSequence, lastSequence } = trailer;
  if (!isId(trailer.setId) || !isU32(trailer.pack) || !isU32(frames)) return false;
  if (!isU53(footerPosition) || footerPosition % unitBytes !== 0) return false;
  if (!isU32(footerBytes) || footerBytes % unitBytes !== 0 || frames * frameHeaderBytes > footerBytes) return false;
  return isU53(firstSequence) && isU53(lastSequence) && firstSequence <= lastSequence;
}
