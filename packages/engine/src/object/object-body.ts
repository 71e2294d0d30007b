/**
 * Bodies of stored objects: opened in one step with the look-up of their record, so that nothing between the two can take them away.
 *
 * A packed body is read at once. Blobs are pinned when the body is opened and given back when it is read to its end, left, or closed.
 */
import type { BlobReader, ErasureSet, OnRead, PackedPayload } from "../set/erasure-set.ts";
import type { KeyAddress } from "./context.ts";
import { partKey } from "./keys.ts";
import { type ObjectRecord, recordKinds, type Segment } from "./object-record.ts";
import type { ByteRange } from "./range.ts";
import type { StoredVersion } from "./versions.ts";

/** How a body was read. */
export interface ReadStats {
  /** True when bytes had to be reconstructed because a drive was missing, slow or wrong. They are as good as any. */
  readonly degraded: boolean;
}

/** An open body: either in memory, or pieces to be read once; its stats are filled as it is read. */
export type OpenBody = { readonly stats: ReadStats } & (
  | { readonly bytes: Uint8Array }
  | { readonly bytes?: undefined; readonly pieces: PinnedPieces }
);

/** Opens the bytes `range` of a version. Pins are taken before it first waits. @throws OBJECT_DAMAGED, DRIVES_MISSING */
export async function openBody(address: KeyAddress, version: StoredVersion, range: ByteRange): Promise<OpenBody> {
  const { record, entry } = version;
  const stats = { degraded: false };
  const onRead: OnRead = (outcome) => {
    if (outcome === "degraded") stats.degraded = true;
  };
  if (record.kind === recordKinds.packed) return { bytes: await readPackedRange(address.set, entry.payload, range, onRead), stats };
  return { pieces: new PinnedPieces(openSegments(address, version, range, onRead)), stats };
}

/** Where the bytes of part `partNumber` lie in an object; undefined when it has no such part. */
export function partRange(segments: readonly Segment[], partNumber: number): ByteRange | undefined {
  let start = 0;
  for (const segment of segments) {
    if (segment.partNumber === partNumber) return { start, end: start + segment.sizeBytes };
    start += segment.sizeBytes;
  }
  return undefined;
}

/** A piece of an object's body in one blob or one packed payload. */
interface OpenSegment {
  readonly range: ByteRange;
  readonly reader: BlobReader | undefined;
  readonly packed: Promise<Uint8Array> | undefined;
}

/** The pieces of a body in order, with the pins that keep them readable. */
export class PinnedPieces {
  readonly #segments: readonly OpenSegment[];
  #closed = false;

  constructor(segments: readonly OpenSegment[]) {
    this.#segments = segments;
  }

  /** Reads everything, once; closes at the end, on errors and when left early. @throws OBJECT_DAMAGED, DRIVES_MISSING, ABORTED */
  async *read(signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (const { range, reader, packed } of this.#segments) {
        if (packed !== undefined) yield await packed;
        else if (reader !== undefined) yield* signal === undefined ? reader.read(range) : reader.read(range, signal);
      }
    } finally {
      this.close();
    }
  }

  /** Gives the pins back; again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { reader } of this.#segments) reader?.close();
  }
}

function openSegments(address: KeyAddress, version: StoredVersion, range: ByteRange, onRead: OnRead): OpenSegment[] {
  const { record } = version;
  if (record.blob !== undefined) return [{ range, reader: address.set.openBlob(record.blob, onRead), packed: undefined }];
  const opened: OpenSegment[] = [];
  let position = 0;
  try {
    for (const segment of record.segments ?? []) {
      const within = { start: Math.max(0, range.start - position), end: Math.min(segment.sizeBytes, range.end - position) };
      position += segment.sizeBytes;
      if (within.start < within.end) opened.push(openSegment(address, record, { segment, within, onRead }));
    }
  } catch (error) {
    for (const { reader } of opened) reader?.close();
    throw error;
  }
  return opened;
}

function openSegment(
  { set, bucket }: KeyAddress,
  record: ObjectRecord,
  part: { readonly segment: Segment; readonly within: ByteRange; readonly onRead: OnRead },
): OpenSegment {
  const { segment, within: range, onRead } = part;
  if (segment.blob !== undefined) return { range, reader: set.openBlob(segment.blob, onRead), packed: undefined };
  const entry = set.get(partKey(bucket.record.id, record.uploadId as Uint8Array, segment.partNumber));
  return { range, reader: undefined, packed: readAhead(readPackedRange(set, entry?.payload, range, onRead)) };
}

async function readPackedRange(set: ErasureSet, payload: PackedPayload | undefined, range: ByteRange, onRead: OnRead): Promise<Uint8Array> {
  if (payload === undefined) return new Uint8Array(0);
  const bytes = await set.readPacked(payload, onRead);
  return range.start === 0 && range.end === bytes.byteLength ? bytes : bytes.subarray(range.start, range.end);
}

/** A promise that is awaited later: its error is thrown there, and is no unhandled one until then. */
function readAhead<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
