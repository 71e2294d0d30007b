import { throwIfAborted } from "../base/errors.ts";
import { commitOnKey } from "./commit-on-key.ts";
import { locate, type ObjectContext } from "./context.ts";
import { findObject } from "./find-object.ts";
import { packObjectRecord, type StoredPairs } from "./object-record.ts";
import { expandPairs } from "./pairs.ts";
import { invalidArgument, validateOptions } from "./validate.ts";
import { type ObjectTags, parseTags } from "./validate-tags.ts";
import { parseVersionId } from "./version-id.ts";

/** Options of the tag operations. */
export interface TagOptions {
  readonly versionId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The tags of an object; empty when it has none. */
export async function getObjectTags(
  context: ObjectContext,
  bucketName: string,
  key: string,
  options: TagOptions = {},
): Promise<Record<string, string>> {
  validateOptions(options);
  throwIfAborted(options.signal);
  const selector = parseVersionId(options.versionId);
  const address = locate(context, bucketName, key);
  return expandPairs(findObject(address.set, address, selector).record.tags);
}

/** Replaces all tags of an object; neither its version nor its time of change moves. */
export async function setObjectTags(
  context: ObjectContext,
  bucketName: string,
  key: string,
  tags: ObjectTags,
  options: TagOptions = {},
): Promise<void> {
  validateOptions(options);
  if (tags === undefined) throw invalidArgument("tags", tags, "must be an object of names and values", "TAGS_INVALID");
  await replaceTags(context, bucketName, key, parseTags(tags), options);
}

/** Removes all tags of an object. */
export async function deleteObjectTags(context: ObjectContext, bucketName: string, key: string, options: TagOptions = {}): Promise<void> {
  validateOptions(options);
  await replaceTags(context, bucketName, key, undefined, options);
}

async function replaceTags(
  context: ObjectContext,
  bucketName: string,
  key: string,
  tags: StoredPairs | undefined,
  options: TagOptions,
): Promise<void> {
  throwIfAborted(options.signal);
  const selector = parseVersionId(options.versionId);
  const address = locate(context, bucketName, key);
  await commitOnKey(
    context,
    address,
    {
      decide(tx) {
        const { indexKey, entry, record } = findObject(tx, address, selector);
        tx.put(indexKey, packObjectRecord({ ...record, tags }), entry.payload);
      },
    },
    options.signal,
  );
}
