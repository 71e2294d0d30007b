import { throwIfAborted } from "../base/errors.ts";
import { hasMetadata, type ObjectAttributes, parseAttributes } from "./attributes.ts";
import { type DeclaredChecksums, type ExpectedChecksum, parseChecksums } from "./checksums.ts";
import { type Conditions, parseConditions } from "./conditions.ts";
import { type KeyAddress, locate, type ObjectContext } from "./context.ts";
import { type CopySource, closeSource, type OpenedSource, openSource, sourceBody } from "./copy-source.ts";
import type { StoredAttributes } from "./object-record.ts";
import { commitBody, digestBytes, type PutResult, type StoredBody, writeLargeBody } from "./put-object.ts";
import { invalidArgument, validateOptions } from "./validate.ts";
import { versionIdOf } from "./version-id.ts";

/** Options of a copy. The conditions are those on what the copy replaces; the source has its own. */
export interface CopyOptions extends ObjectAttributes, Conditions {
  /** `"copy"` (when left out) takes content headers and metadata from the source; `"replace"` takes those given here. */
  readonly metadataDirective?: "copy" | "replace" | undefined;
  /** The same for the tags. */
  readonly tagsDirective?: "copy" | "replace" | undefined;
  /** Checksums to compute and keep besides those the source has, or to verify. */
  readonly checksums?: DeclaredChecksums | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a copy answers. */
export interface CopyResult extends PutResult {
  readonly sourceVersionId: string | undefined;
}

/** Copies an object, within a bucket or between two. The copy is a single body, also of a multipart object. */
export async function copyObject(
  context: ObjectContext,
  bucketName: string,
  source: CopySource,
  key: string,
  options: CopyOptions = {},
): Promise<CopyResult> {
  validateOptions(options);
  throwIfAborted(options.signal);
  validateDirectives(options);
  const given = parseAttributes(options);
  const conditions = parseConditions(options);
  const declared = parseChecksums(options);
  const address = locate(context, bucketName, key);
  const opened = await openSource(context, bucketName, source, { range: undefined });
  const { record } = opened;
  const sourceVersionId = opened.address.bucket.record.versioning === "off" ? undefined : versionIdOf(record);
  const attributes = chooseAttributes(options, given, record);
  const checksums = [
    ...declared,
    ...opened.keptChecksums.filter((kept) => !declared.some((other) => other.name === kept.name && other.kept)),
  ];
  const body = await storeSource(context, address, opened, { checksums, signal: options.signal });
  return { ...(await commitBody(context, { address, attributes, conditions }, body, options.signal)), sourceVersionId };
}

/** Stores the bytes of an opened source where `address` lives, ready to be committed. */
export async function storeSource(
  context: ObjectContext,
  address: KeyAddress,
  source: OpenedSource,
  options: { readonly checksums: readonly ExpectedChecksum[]; readonly signal: AbortSignal | undefined },
): Promise<StoredBody> {
  try {
    const taken = await sourceBody(source, context.settings.inlineBytes, options.signal);
    return taken.bytes === undefined
      ? await writeLargeBody(context, address, taken.stream, options)
      : digestBytes(context, taken.bytes, options.checksums);
  } finally {
    closeSource(source);
  }
}

function chooseAttributes(options: CopyOptions, given: StoredAttributes, source: StoredAttributes): StoredAttributes {
  const described = options.metadataDirective === "replace" ? given : source;
  const tagged = options.tagsDirective === "replace" ? given : source;
  return { content: described.content, metadata: described.metadata, tags: tagged.tags };
}

function validateDirectives(options: CopyOptions): void {
  for (const field of ["metadataDirective", "tagsDirective"] as const) {
    const value = options[field];
    if (value !== undefined && value !== "copy" && value !== "replace") throw invalidArgument(field, value, 'must be "copy" or "replace"');
  }
  if (options.metadataDirective !== "replace" && hasMetadata(options)) {
    throw invalidArgument("metadataDirective", options.metadataDirective, 'must be "replace" when content headers or metadata are given');
  }
  if (options.tagsDirective !== "replace" && options.tags !== undefined) {
    throw invalidArgument("tagsDirective", options.tagsDirective, 'must be "replace" when tags are given');
  }
}
