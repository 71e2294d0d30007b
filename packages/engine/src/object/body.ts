/**
 * Bodies: everything a Node developer has bytes in, as either one small array or a stream of arrays.
 *
 * Bytes are not copied: an array given as a body must not be changed until the call settles. A source that throws ends the call with
 * `BODY_INVALID` and the source's error as its cause (errors of Holdfast pass as they are). Whatever ends a call early also ends the
 * source: Node streams are destroyed, web streams cancelled, iterators returned.
 */
import type { Readable } from "node:stream";
import { throwIfAborted } from "../base/errors.ts";
import { objectBytesMax } from "../base/limits.ts";
import { type BodyOptions, BodyPuller, lengthMismatch } from "./body-puller.ts";
import { invalidArgument, validateInteger } from "./validate.ts";

/** A body: text (stored as UTF-8), bytes, a Blob, a Node or web stream, or any iterable of bytes and texts. */
export type ObjectBody =
  | string
  | Uint8Array
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>;

/** A body taken in: whole when small, else a stream that can be read once. */
export type TakenBody = SmallBody | LargeBody;

export interface SmallBody {
  readonly bytes: Uint8Array;
  readonly stream?: undefined;
}

export interface LargeBody {
  readonly bytes?: undefined;
  readonly stream: AsyncIterable<Uint8Array>;
}

const encoder = new TextEncoder();

/** The bytes of a body that is in memory already; undefined for one that must be read. @throws BODY_INVALID, BODY_LENGTH_MISMATCH */
export function takeBytes(body: ObjectBody, options: BodyOptions): Uint8Array | undefined {
  const bytes = bytesOf(body);
  if (bytes === undefined) return undefined;
  throwIfAborted(options.signal);
  checkLength(bytes.byteLength, options);
  return bytes;
}

/** Takes any body in. @throws BODY_INVALID, BODY_LENGTH_MISMATCH, BODY_TOO_LARGE, ABORTED */
export function takeBody(body: ObjectBody, inlineBytes: number, options: BodyOptions): TakenBody | Promise<TakenBody> {
  const bytes = takeBytes(body, options);
  if (bytes === undefined) return readBody(body, inlineBytes, options);
  return bytes.byteLength <= inlineBytes ? { bytes } : { stream: onePiece(bytes) };
}

/** Ends a source that will not be read (further). Never throws. */
export function discardBody(body: unknown): void {
  try {
    if (isNodeStream(body)) body.destroy();
    else if (isWebStream(body) && !body.locked) body.cancel().catch(() => undefined);
  } catch {
    // the error that led here is the one to report
  }
}

/** True for bodies that `takeBytes` would answer for. */
export function isInMemory(body: unknown): boolean {
  return typeof body === "string" || ArrayBuffer.isView(body) || body instanceof ArrayBuffer;
}

function bytesOf(body: ObjectBody): Uint8Array | undefined {
  if (typeof body === "string") return encoder.encode(body);
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  return undefined;
}

function checkLength(length: number, options: BodyOptions): void {
  validateInteger("contentLength", options.contentLength, { min: 0, max: objectBytesMax });
  if (options.contentLength !== undefined && options.contentLength !== length) throw lengthMismatch(length, options.contentLength);
}

async function readBody(body: ObjectBody, inlineBytes: number, options: BodyOptions): Promise<TakenBody> {
  throwIfAborted(options.signal);
  validateInteger("contentLength", options.contentLength, { min: 0, max: objectBytesMax });
  const puller = new BodyPuller(openSource(body), options);
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    while (length <= inlineBytes) {
      const piece = await puller.next();
      if (piece === undefined) return { bytes: pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces, length) };
      pieces.push(piece);
      length += piece.byteLength;
    }
  } catch (error) {
    puller.end();
    throw error;
  }
  return { stream: rest(pieces, puller) };
}

async function* rest(pieces: readonly Uint8Array[], puller: BodyPuller): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
    for (let piece = await puller.next(); piece !== undefined; piece = await puller.next()) yield piece;
  } finally {
    puller.end();
  }
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** An iterator over a source that is still fresh. @throws BODY_INVALID */
function openSource(body: unknown): AsyncIterator<unknown> | Iterator<unknown> {
  if (typeof body !== "object" || body === null) {
    throw invalidArgument("body", body, 'must be text, bytes, a Blob, a stream or an iterable; use "" for an empty object', "BODY_INVALID");
  }
  if (isNodeStream(body) && (body.readableEnded || body.destroyed)) {
    throw invalidArgument("body", body, "is a stream that has been read or destroyed already; give a fresh one", "BODY_INVALID");
  }
  if (isWebStream(body) && body.locked)
    throw invalidArgument("body", body, "is a locked stream; release its reader or give a fresh one", "BODY_INVALID");
  const source = isBlob(body) ? body.stream() : body;
  if (Symbol.asyncIterator in source) return (source as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  if (Symbol.iterator in source) return (source as Iterable<unknown>)[Symbol.iterator]();
  throw invalidArgument("body", body, "must be text, bytes, a Blob, a stream or an iterable", "BODY_INVALID");
}

function isNodeStream(body: unknown): body is Readable {
  return (
    typeof body === "object" &&
    body !== null &&
    typeof (body as Readable).pipe === "function" &&
    typeof (body as Readable).destroy === "function"
  );
}

function isWebStream(body: unknown): body is ReadableStream<Uint8Array> {
  return typeof body === "object" && body !== null && typeof (body as ReadableStream).getReader === "function";
}

function isBlob(body: unknown): body is Blob {
  const blob = body as Partial<Blob>;
  return typeof blob.size === "number" && typeof blob.arrayBuffer === "function" && typeof blob.stream === "function";
}
