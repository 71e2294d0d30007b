import type { BlobLocation, BlobReader, ErasureProfile, ErasureSet } from "../set/erasure-set.ts";

/** How a blob is copied. */
export interface CopyBlobOptions {
  readonly profile: ErasureProfile | undefined;
  /** Waited for after every piece read. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/** Streams an open blob into a new one of `to`, which no commit names yet. @throws OBJECT_DAMAGED, DRIVES_MISSING, ABORTED */
export async function copyBlob(reader: BlobReader, to: ErasureSet, { profile, pace, signal }: CopyBlobOptions): Promise<BlobLocation> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for await (const piece of reader.read({ start: 0, end: reader.sizeBytes }, signal)) {
      await pace(piece.byteLength);
      yield piece;
    }
  }
  return (await to.writeBlob(pieces(), { profile, digests: [], signal })).blob;
}
