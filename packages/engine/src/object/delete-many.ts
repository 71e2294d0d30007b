import { type HoldfastError, throwIfAborted } from "../base/errors.ts";
import type { Conditions } from "./conditions.ts";
import { type ObjectContext, requireBucket } from "./context.ts";
import { type DeleteResult, decideDelete, planDelete } from "./delete-object.ts";
import { commitMany, isRepeatable, type ManyItem, outcomeOf } from "./many.ts";
import { invalidArgument, validateOptions } from "./validate.ts";

/** One object of a `deleteMany`: a key, or a key with a version or conditions. */
export type DeleteManyEntry = string | ({ readonly key: string; readonly versionId?: string | undefined } & Conditions);

/** The outcome of one entry, in the order of the entries. */
export type DeleteManyResult =
  | ({ readonly ok: true } & DeleteResult)
  | { readonly ok: false; readonly key: string; readonly error: HoldfastError };

export interface DeleteManyOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Deletes many objects, in one commit per set. Only faults of the call as a whole are thrown. @throws BUCKET_NOT_FOUND, ARGUMENT_INVALID, ABORTED */
export async function deleteMany(
  context: ObjectContext,
  bucketName: string,
  entries: readonly DeleteManyEntry[],
  options: DeleteManyOptions = {},
): Promise<DeleteManyResult[]> {
  validateOptions(options);
  if (!Array.isArray(entries)) throw invalidArgument("entries", entries, "must be an array of keys or { key, versionId, … }");
  throwIfAborted(options.signal);
  const bucket = requireBucket(context, bucketName);
  const results = new Array<DeleteManyResult>(entries.length);
  const items: ManyItem<DeleteResult>[] = [];
  const record = (at: number, outcome: DeleteResult | { readonly error: HoldfastError }): void => {
    const key = keyOf(entries[at] as DeleteManyEntry);
    results[at] = "error" in outcome ? { ok: false, key, error: outcome.error } : Object.assign(outcome, { ok: true as const });
  };
  entries.forEach((entry: DeleteManyEntry, at: number) => {
    try {
      items.push({ at, ...planEntry(context, bucketName, entry) });
    } catch (error) {
      record(at, outcomeOf(error));
    }
  });
  await commitMany(context, { bucket, items, signal: options.signal }, record);
  return results;
}

function planEntry(context: ObjectContext, bucketName: string, entry: DeleteManyEntry): Omit<ManyItem<DeleteResult>, "at"> {
  if (typeof entry !== "string" && (typeof entry !== "object" || entry === null))
    throw invalidArgument("entry", entry, "must be a key or { key, versionId, … }");
  const plan = planDelete(context, bucketName, keyOf(entry), typeof entry === "string" ? {} : entry);
  const repeatable = plan.selector !== undefined || isRepeatable(plan.address);
  return { address: plan.address, bytes: undefined, repeatable, decide: (tx) => decideDelete(tx, plan) };
}

function keyOf(entry: DeleteManyEntry): string {
  return typeof entry === "string" ? entry : entry?.key;
}
