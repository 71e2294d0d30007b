/**
 * Many small objects in one commit per set. Entries are independent: each has its own conditions and its own outcome, and what one
 * refuses does not hold up the others. Entries of one commit become visible and durable together.
 *
 * Bodies that must be read (streams, Blobs) or exceed the inline limit go through `put`, a few at a time.
 */
import { type HoldfastError, throwIfAborted } from "../base/errors.ts";
import { parseAttributes } from "./attributes.ts";
import { discardBody, isInMemory, type ObjectBody, takeBytes } from "./body.ts";
import { parseChecksums } from "./checksums.ts";
import { parseConditions } from "./conditions.ts";
import { locate, type ObjectContext, requireBucket } from "./context.ts";
import { commitMany, isRepeatable, type ManyItem, outcomeOf } from "./many.ts";
import { decidePut, digestBytes, type PutOptions, type PutPlan, type PutResult, putObject } from "./put-object.ts";
import { invalidArgument, validateOptions } from "./validate.ts";

/** One object of a `putMany`. */
export interface PutManyEntry extends Omit<PutOptions, "signal"> {
  readonly key: string;
  readonly body: ObjectBody;
}

/** The outcome of one entry, in the order of the entries. */
export type PutManyResult =
  | ({ readonly ok: true } & PutResult)
  | { readonly ok: false; readonly key: string; readonly error: HoldfastError };

export interface PutManyOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Bodies read and stored at the same time. */
const largeInFlightMax = 4;

/** Puts many objects. Only faults of the call as a whole are thrown. @throws BUCKET_NOT_FOUND, ARGUMENT_INVALID, ABORTED */
export async function putMany(
  context: ObjectContext,
  bucketName: string,
  entries: readonly PutManyEntry[],
  options: PutManyOptions = {},
): Promise<PutManyResult[]> {
  validateOptions(options);
  if (!Array.isArray(entries)) throw invalidArgument("entries", entries, "must be an array of { key, body, … }");
  throwIfAborted(options.signal);
  const bucket = requireBucket(context, bucketName);
  const results = new Array<PutManyResult>(entries.length);
  const small: ManyItem<PutResult>[] = [];
  const large: number[] = [];
  for (let at = 0; at < entries.length; at++) {
    const entry = entries[at] as PutManyEntry;
    try {
      const plan = planSmall(context, bucketName, entry);
      if (plan === undefined) large.push(at);
      else small.push({ at, ...plan });
    } catch (error) {
      discardBody(entry?.body);
      results[at] = failed(entry, outcomeOf(error).error);
    }
  }
  const record = (at: number, outcome: PutResult | { readonly error: HoldfastError }): void => {
    const entry = entries[at] as PutManyEntry;
    results[at] = "error" in outcome ? failed(entry, outcome.error) : Object.assign(outcome, { ok: true as const });
  };
  await Promise.all([
    commitMany(context, { bucket, items: small, signal: options.signal }, record),
    putLarge(context, bucketName, { entries, large, signal: options.signal }, record),
  ]);
  return results;
}

function planSmall(context: ObjectContext, bucketName: string, entry: PutManyEntry): Omit<ManyItem<PutResult>, "at"> | undefined {
  if (typeof entry !== "object" || entry === null) throw invalidArgument("entry", entry, "must be { key, body, … }");
  if (!isInMemory(entry.body)) return undefined;
  const bytes = takeBytes(entry.body, entry);
  if (bytes === undefined || bytes.byteLength > context.settings.inlineBytes) return undefined;
  const address = locate(context, bucketName, entry.key);
  const attributes = parseAttributes(entry);
  const conditions = parseConditions(entry);
  const { etag, sizeBytes, checksums } = digestBytes(context, bytes, parseChecksums(entry));
  const plan: PutPlan = { address, attributes, conditions, etag, sizeBytes, checksums, blob: undefined };
  return {
    address,
    bytes: sizeBytes === 0 ? undefined : bytes,
    repeatable: isRepeatable(address),
    decide: (tx, payload) => decidePut(tx, plan, payload),
  };
}

async function putLarge(
  context: ObjectContext,
  bucketName: string,
  work: { readonly entries: readonly PutManyEntry[]; readonly large: readonly number[]; readonly signal: AbortSignal | undefined },
  record: (at: number, outcome: PutResult | { readonly error: HoldfastError }) => void,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = work.large[next++]; at !== undefined; at = work.large[next++]) {
      const { key, body, ...options } = work.entries[at] as PutManyEntry;
      try {
        record(at, await putObject(context, bucketName, key, body, { ...options, signal: work.signal }));
      } catch (error) {
        record(at, outcomeOf(error));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(largeInFlightMax, work.large.length) }, lane));
}

function failed(entry: PutManyEntry, error: HoldfastError): PutManyResult {
  return { ok: false, key: entry?.key, error };
}
