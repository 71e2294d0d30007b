import { HoldfastError, throwIfAborted } from "../base/errors.ts";
import { partsMax } from "../base/limits.ts";
import { type Conditions, checkReadConditions, parseConditions } from "./conditions.ts";
import { locate, type ObjectContext } from "./context.ts";
import { findObject } from "./find-object.ts";
import { openBody, partRange } from "./object-body.ts";
import { objectInfo } from "./object-info.ts";
import type { ObjectRecord } from "./object-record.ts";
import { type ByteRange, type RangeRequest, resolveRange, validateRange } from "./range.ts";
import { createStoredObject, type StoredObject } from "./stored-object.ts";
import { invalidArgument, validateInteger, validateOptions } from "./validate.ts";
import { parseVersionId } from "./version-id.ts";

/** Options of a get. */
export interface GetOptions extends Conditions {
  readonly versionId?: string | undefined;
  /** The bytes wanted; `end` is inclusive. */
  readonly range?: RangeRequest | undefined;
  /** One part of a multipart object; part 1 of any other object is all of it. */
  readonly partNumber?: number | undefined;
  /** Also ends reading the body. */
  readonly signal?: AbortSignal | undefined;
}

/** Gets an object: what is known of it and its open body. */
export async function getObject(context: ObjectContext, bucketName: string, key: string, options: GetOptions = {}): Promise<StoredObject> {
  validateOptions(options);
  throwIfAborted(options.signal);
  validateRange(options.range);
  validateInteger("partNumber", options.partNumber, { min: 1, max: partsMax });
  if (options.range !== undefined && options.partNumber !== undefined)
    throw invalidArgument("partNumber", options.partNumber, "cannot go with range; give one of them");
  const conditions = parseConditions(options);
  const selector = parseVersionId(options.versionId);
  const address = locate(context, bucketName, key);
  const version = findObject(address.set, address, selector);
  checkReadConditions(conditions, version.record, key);
  const range = rangeOf(version.record, options);
  const isWhole = options.range === undefined && options.partNumber === undefined;
  const body = await openBody(address, version, range);
  return createStoredObject(objectInfo(address, version.record), body, { range, isWhole, signal: options.signal });
}

function rangeOf(record: ObjectRecord, options: GetOptions): ByteRange {
  if (options.range !== undefined) return resolveRange(options.range, record.sizeBytes);
  const { partNumber } = options;
  if (partNumber === undefined || (record.segments === undefined && partNumber === 1)) return { start: 0, end: record.sizeBytes };
  const range = partRange(record.segments ?? [], partNumber);
  if (range !== undefined) return range;
  throw new HoldfastError("RANGE_NOT_SATISFIABLE", `the object has no part ${partNumber}`, {
    details: { field: "partNumber", value: partNumber, partCount: record.segments?.length ?? 1, sizeBytes: record.sizeBytes },
  });
}
