/** Reading the source of a copy: an object, or a range of one, opened under conditions. */
import type { LargeBody, SmallBody } from "./body.ts";
import { type ExpectedChecksum, parseChecksums, publicChecksums } from "./checksums.ts";
import { type Conditions, checkWriteConditions, parseConditions } from "./conditions.ts";
import { type KeyAddress, locate, type ObjectContext } from "./context.ts";
import { findObject } from "./find-object.ts";
import { type OpenBody, openBody } from "./object-body.ts";
import type { ObjectRecord } from "./object-record.ts";
import { type RangeRequest, resolveRange, validateRange } from "./range.ts";
import { invalidArgument } from "./validate.ts";
import { parseVersionId } from "./version-id.ts";

/** What to copy: a key of the same bucket, or a key with its bucket, version and conditions. */
export type CopySource = string | CopySourceObject;

export interface CopySourceObject extends Conditions {
  readonly key: string;
  /** The destination's bucket when left out. */
  readonly bucket?: string | undefined;
  readonly versionId?: string | undefined;
}

/** A source ready to be read. */
export interface OpenedSource {
  readonly address: KeyAddress;
  readonly record: ObjectRecord;
  readonly sizeBytes: number;
  readonly body: OpenBody;
  /** The source's checksums, which the copy must have too; none for a range. */
  readonly keptChecksums: readonly ExpectedChecksum[];
}

/** Finds and opens a source. @throws OBJECT_NOT_FOUND, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE and those of a get */
export async function openSource(
  context: ObjectContext,
  bucketName: string,
  source: CopySource,
  options: { readonly range: RangeRequest | undefined },
): Promise<OpenedSource> {
  const wanted: CopySourceObject = typeof source === "string" ? { key: source } : source;
  if (typeof wanted !== "object" || wanted === null)
    throw invalidArgument("source", source, "must be a key or { key, bucket, versionId, … }");
  validateRange(options.range);
  const conditions = parseConditions(wanted);
  const selector = parseVersionId(wanted.versionId);
  const address = locate(context, wanted.bucket ?? bucketName, wanted.key);
  const version = findObject(address.set, address, selector);
  const { record } = version;
  checkWriteConditions(conditions, record, wanted.key);
  const range = options.range === undefined ? { start: 0, end: record.sizeBytes } : resolveRange(options.range, record.sizeBytes);
  const keptChecksums = options.range === undefined ? parseChecksums({ checksums: publicChecksums(record.checksums) }) : [];
  const body = await openBody(address, version, range);
  return { address, record, sizeBytes: range.end - range.start, body, keptChecksums };
}

/** The bytes of an opened source: whole when small, else as a stream. Its pins are given back when that is read or left. */
export async function sourceBody(
  source: OpenedSource,
  inlineBytes: number,
  signal: AbortSignal | undefined,
): Promise<SmallBody | LargeBody> {
  const { body, sizeBytes } = source;
  if (body.bytes !== undefined) return { bytes: body.bytes };
  if (sizeBytes > inlineBytes) return { stream: body.pieces.read(signal) };
  const pieces: Uint8Array[] = [];
  for await (const piece of body.pieces.read(signal)) pieces.push(piece);
  return { bytes: Buffer.concat(pieces) };
}

/** Gives a source's pins back; after it has been read this does nothing. */
export function closeSource(source: OpenedSource): void {
  if (source.body.bytes === undefined) source.body.pieces.close();
}
