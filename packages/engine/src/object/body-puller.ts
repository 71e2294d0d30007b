import { abortedError, HoldfastError, isHoldfastError } from "../base/errors.ts";
import { objectBytesMax } from "../base/limits.ts";

const encoder = new TextEncoder();

export interface BodyOptions {
  /** The exact number of bytes to come; a body of another length is refused. */
  readonly contentLength?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Pulls pieces from a source, one at a time: counts them, checks their type and the declared length, and stops waiting at once when the
 * signal fires, also for a source that never answers.
 */
export class BodyPuller {
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>;
  readonly #declaredBytes: number | undefined;
  readonly #signal: AbortSignal | undefined;
  #receivedBytes = 0;
  #ended = false;
  #rejectPending: ((error: unknown) => void) | undefined;

  constructor(source: AsyncIterator<unknown> | Iterator<unknown>, options: BodyOptions) {
    this.#source = source;
    this.#declaredBytes = options.contentLength;
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** The next piece, never empty; undefined at the end. @throws BODY_INVALID, BODY_LENGTH_MISMATCH, BODY_TOO_LARGE, ABORTED */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const result = await this.#step();
      if (result.done === true) return this.#finish();
      const piece = pieceOf(result.value);
      if (piece.byteLength === 0) continue;
      this.#count(piece.byteLength);
      return piece;
    }
  }

  /** Ends the source if it has not ended by itself. Never throws, never waits. */
  end(): void {
    this.#signal?.removeEventListener("abort", this.#abort);
    if (this.#ended) return;
    this.#ended = true;
    try {
      Promise.resolve(this.#source.return?.()).catch(() => undefined);
    } catch {
      // the error that led here is the one to report
    }
  }

  #step(): Promise<IteratorResult<unknown>> {
    return new Promise((resolve, reject) => {
      if (this.#signal?.aborted === true) throw abortedError(this.#signal);
      this.#rejectPending = reject;
      const fail = (cause: unknown): void => {
        this.#ended = true;
        reject(sourceError(cause));
      };
      try {
        Promise.resolve(this.#source.next()).then(resolve, fail);
      } catch (cause) {
        fail(cause);
      }
    });
  }

  #finish(): undefined {
    this.#ended = true;
    this.end();
    const declared = this.#declaredBytes;
    if (declared !== undefined && this.#receivedBytes < declared) throw lengthMismatch(this.#receivedBytes, declared);
    return undefined;
  }

  #count(bytes: number): void {
    this.#receivedBytes += bytes;
    const declared = this.#declaredBytes;
    if (declared !== undefined && this.#receivedBytes > declared) throw lengthMismatch(this.#receivedBytes, declared);
    if (this.#receivedBytes > objectBytesMax) {
      throw new HoldfastError("BODY_TOO_LARGE", `a body has at most ${objectBytesMax} bytes; split it`, {
        details: { bytesMax: objectBytesMax },
      });
    }
  }

  readonly #abort = (): void => {
    this.#rejectPending?.(abortedError(this.#signal as AbortSignal));
    this.end();
  };
}

function pieceOf(value: unknown): Uint8Array {
  if (typeof value === "string") return encoder.encode(value);
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new HoldfastError("BODY_INVALID", `the body's source gave ${value === null ? "null" : typeof value}; it must give bytes or text`, {
    details: { field: "body" },
  });
}

function sourceError(cause: unknown): unknown {
  if (isHoldfastError(cause)) return cause;
  return new HoldfastError("BODY_INVALID", `the body's source failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
    details: { field: "body" },
  });
}

/** The error for a body that is not as long as declared. */
export function lengthMismatch(actual: number, declared: number): HoldfastError {
  return new HoldfastError(
    "BODY_LENGTH_MISMATCH",
    `the body has ${actual > declared ? "more than" : "only"} ${Math.min(actual, declared)} bytes, but contentLength says ${declared}`,
    {
      details: { field: "contentLength", declared, received: actual },
    },
  );
}
