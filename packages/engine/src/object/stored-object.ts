import type { OpenBody, PinnedPieces, ReadStats } from "./object-body.ts";
import type { ObjectInfo } from "./object-info.ts";
import type { ByteRange } from "./range.ts";
import { invalidArgument } from "./validate.ts";

/** The last resort for bodies that are neither read nor closed: their blobs are given back when the object is collected. */
const forgotten = new FinalizationRegistry<PinnedPieces>((pieces) => pieces.close());

/** Part of {@link StoredObject}: everything but the body. */
export interface StoredObjectFacts extends ObjectInfo {
  /** The bytes of the object that the body holds, `end` inclusive; undefined when it is the whole object. */
  readonly range: { readonly start: number; readonly end: number } | undefined;
}

/**
 * An object as `get` answers it: what is known of it, and its body, which can be read once, in the form that suits.
 *
 * Every byte is checked before it is handed out. A large body keeps its shards from being removed until it is read or closed, so read
 * it, leave the iteration, cancel the stream or call `close`.
 */
export interface StoredObject extends StoredObjectFacts, AsyncIterable<Uint8Array> {
  /** Bytes the body holds: the size of the range, or of the object. */
  readonly contentLength: number;
  /** True once the body has been asked for. */
  readonly bodyUsed: boolean;
  /** How the body was read, as far as it has been. */
  readonly stats: ReadStats;
  /** The whole body. @throws OBJECT_DAMAGED, DRIVES_MISSING */
  bytes(): Promise<Uint8Array>;
  /** The body as UTF-8 text. */
  text(): Promise<string>;
  /** The body parsed as JSON. @throws SyntaxError */
  json<T = unknown>(): Promise<T>;
  /** The body as a web stream, read piece by piece as it is consumed. */
  stream(): ReadableStream<Uint8Array>;
  /** The body as a Blob of the object's content type, in memory. */
  blob(): Promise<Blob>;
  /** Gives an unread body back. Again, or after reading, it does nothing. */
  close(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A stored object over an open body. */
export function createStoredObject(
  info: ObjectInfo,
  body: OpenBody,
  part: { readonly range: ByteRange; readonly isWhole: boolean; readonly signal: AbortSignal | undefined },
): StoredObject {
  const { range } = part;
  const reader = new BodyReader(body, range.end - range.start, part.signal);
  const facts: StoredObjectFacts = { ...info, range: part.isWhole ? undefined : { start: range.start, end: range.end - 1 } };
  return Object.assign(reader, facts) as unknown as StoredObject;
}

class BodyReader {
  readonly contentLength: number;
  declare readonly contentType: string | undefined;
  readonly #body: OpenBody;
  readonly #signal: AbortSignal | undefined;
  #used = false;

  constructor(body: OpenBody, contentLength: number, signal: AbortSignal | undefined) {
    this.#body = body;
    this.contentLength = contentLength;
    this.#signal = signal;
    if (body.bytes === undefined) forgotten.register(this, body.pieces, this);
  }

  get bodyUsed(): boolean {
    return this.#used;
  }

  get stats(): ReadStats {
    return this.#body.stats;
  }

  async bytes(): Promise<Uint8Array> {
    const body = this.#take();
    if (body.bytes !== undefined) return body.bytes;
    const whole = new Uint8Array(this.contentLength);
    let position = 0;
    for await (const piece of body.pieces.read(this.#signal)) {
      whole.set(piece, position);
      position += piece.byteLength;
    }
    return whole;
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.bytes()], { type: this.contentType ?? "" });
  }

  stream(): ReadableStream<Uint8Array> {
    const pieces = this[Symbol.asyncIterator]();
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await pieces.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        },
        async cancel() {
          await pieces.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const body = this.#take();
    return body.bytes === undefined ? closing(body.pieces.read(this.#signal), body.pieces) : onePiece(body.bytes);
  }

  close(): void {
    if (this.#used) return;
    this.#take();
    if (this.#body.bytes === undefined) this.#body.pieces.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #take(): OpenBody {
    if (this.#used)
      throw invalidArgument(
        "body",
        "of this object",
        "has been read or closed already; keep what the first call gave, or get the object again",
      );
    this.#used = true;
    if (this.#body.bytes === undefined) forgotten.unregister(this);
    return this.#body;
  }
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.byteLength > 0) yield bytes;
}

/** A generator left before its first step runs no `finally`: this one gives the pins back even then, also when it is collected. */
function closing(pieces: AsyncGenerator<Uint8Array, void, undefined>, pins: PinnedPieces): AsyncGenerator<Uint8Array, void, undefined> {
  const leave = pieces.return.bind(pieces);
  pieces.return = (value) => {
    pins.close();
    return leave(value);
  };
  forgotten.register(pieces, pins);
  return pieces;
}
