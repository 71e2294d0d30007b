/**
 * Reading a blob: any range, stripe by stripe, the next stripe while the caller takes the last one. Every part of at most 64 KiB is checked
 * before it is handed out; what is missing, wrong or late is reconstructed from the same parts of k other shards (`blob-stripe.ts`).
 */
import { throwIfAborted } from "../base/errors.ts";
import type { BlobPlace } from "../format/blob-location.ts";
import { BlobShards } from "./blob-shards.ts";
import { readStripe } from "./blob-stripe.ts";
import type { BlobLocation, BlobReader, OnRead } from "./erasure-set.ts";
import type { ReadTools } from "./read-tools.ts";
import type { SetContext } from "./set-context.ts";

export interface BlobReaderOptions {
  readonly location: BlobLocation;
  readonly reads: ReadTools;
  readonly onRead: OnRead | undefined;
  /** Called when the shards are no longer needed. */
  readonly unpin: () => void;
  /** Aborted with the error to end with when the set is being closed. */
  readonly closing: AbortSignal;
}

export class LocalBlobReader implements BlobReader {
  readonly sizeBytes: number;
  readonly #shards: BlobShards;
  readonly #options: BlobReaderOptions;
  readonly #stripeBytes: number;
  #reading = 0;
  #closed = false;

  constructor(context: SetContext, place: BlobPlace, options: BlobReaderOptions) {
    this.sizeBytes = place.sizeBytes;
    this.#stripeBytes = place.stripeBytes;
    this.#shards = new BlobShards(context, place, options.location, options.reads);
    this.#options = options;
  }

  async *read(range: { readonly start: number; readonly end: number }, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const start = Math.max(0, range.start);
    const end = Math.min(this.sizeBytes, range.end);
    if (start >= end) return;
    const stripeBytes = this.#stripeBytes;
    const lastStripe = Math.floor((end - 1) / stripeBytes);
    const read = (stripe: number): Promise<Uint8Array[]> =>
      this.#readStripe(stripe, Math.max(0, start - stripe * stripeBytes), Math.min(stripeBytes, end - stripe * stripeBytes));
    this.#reading++;
    let ahead: Promise<Uint8Array[]> | undefined;
    try {
      let stripe = Math.floor(start / stripeBytes);
      ahead = read(stripe);
      ahead.catch(() => undefined);
      while (ahead !== undefined) {
        throwIfAborted(signal);
        this.#options.closing.throwIfAborted();
        const pieces: Uint8Array[] = await ahead;
        stripe++;
        ahead = stripe <= lastStripe ? read(stripe) : undefined;
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
    this.#shards.close();
    this.#options.unpin();
  }

  async #readStripe(stripe: number, start: number, end: number): Promise<Uint8Array[]> {
    try {
      return await readStripe(this.#shards, stripe, { start, end }, this.#options.onRead);
    } catch (error) {
      // Whoever closes the set closes its drives: what they refuse then is no damage.
      this.#options.closing.throwIfAborted();
      throw error;
    }
  }
}
