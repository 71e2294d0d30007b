/** What a caller says about an object besides its body: content headers, user metadata, tags; and their stored form. */
import { metadataBytesMax } from "../base/limits.ts";
import type { StoredAttributes, StoredContent, StoredPairs } from "./object-record.ts";
import { flattenPairs, isPlainRecord } from "./pairs.ts";
import { invalidArgument } from "./validate.ts";
import { isWellFormed } from "./validate-key.ts";
import { type ObjectTags, parseTags } from "./validate-tags.ts";

/** Content headers, kept verbatim and handed back. */
export interface ContentHeaders {
  readonly contentType?: string | undefined;
  readonly cacheControl?: string | undefined;
  readonly contentDisposition?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly contentLanguage?: string | undefined;
  /** A date is kept as an HTTP date. */
  readonly expires?: string | undefined;
}

/** What may be said about an object when it is made. */
export interface ObjectAttributes extends Omit<ContentHeaders, "expires"> {
  readonly expires?: string | Date | undefined;
  /** User metadata. Names are kept in lower case and may hold what an HTTP header's name may. At most 8 KiB in all. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly tags?: ObjectTags | undefined;
}

/** Names of the content headers in stored order (never reorder). */
const contentHeaderNames = ["contentType", "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "expires"] as const;
const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const encoder = new TextEncoder();

/** No headers, metadata or tags. */
const noAttributes: StoredAttributes = { content: undefined, metadata: undefined, tags: undefined };

/** Attributes in their stored form. @throws METADATA_INVALID, TAGS_INVALID */
export function parseAttributes(options: ObjectAttributes): StoredAttributes {
  if (options.tags === undefined && !hasMetadata(options)) return noAttributes;
  return { content: parseContent(options), metadata: parseMetadata(options.metadata), tags: parseTags(options.tags) };
}

/** True when any attribute but tags is given. */
export function hasMetadata(options: ObjectAttributes): boolean {
  if (options.metadata !== undefined) return true;
  for (const name of contentHeaderNames) if (options[name] !== undefined) return true;
  return false;
}

/** Stored content headers by name; those not given are left out. */
export function publicContent(stored: StoredContent | undefined): ContentHeaders {
  const headers: { -readonly [Name in keyof ContentHeaders]: string } = {};
  for (let i = 0; stored !== undefined && i < stored.length; i++) {
    const value = stored[i];
    const name = contentHeaderNames[i];
    if (name !== undefined && value !== null && value !== undefined) headers[name] = value;
  }
  return headers;
}

function parseContent(options: ObjectAttributes): StoredContent | undefined {
  let last = -1;
  const values = contentHeaderNames.map((name, at) => {
    const value = options[name];
    if (value === undefined) return null;
    last = at;
    if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toUTCString();
    checkValue(name, value, 1024);
    return value as string;
  });
  return last < 0 ? undefined : values.slice(0, last + 1);
}

function parseMetadata(metadata: Readonly<Record<string, string>> | undefined): StoredPairs | undefined {
  if (metadata === undefined) return undefined;
  if (!isPlainRecord(metadata)) throw invalidArgument("metadata", metadata, "must be an object of names and values", "METADATA_INVALID");
  const lowered: [string, string][] = [];
  let sizeBytes = 0;
  for (const [name, value] of Object.entries(metadata)) {
    if (!headerName.test(name))
      throw invalidArgument("metadata name", name, "may only hold what an HTTP header's name may", "METADATA_INVALID");
    checkValue(`metadata.${name}`, value, metadataBytesMax);
    lowered.push([name.toLowerCase(), value]);
    sizeBytes += name.length + encoder.encode(value).byteLength;
  }
  if (sizeBytes > metadataBytesMax) {
    throw invalidArgument(
      "metadata",
      `of ${sizeBytes} bytes`,
      `is too large; names and values have at most ${metadataBytesMax} bytes`,
      "METADATA_INVALID",
    );
  }
  const record = Object.fromEntries(lowered);
  if (Object.keys(record).length < lowered.length) {
    throw invalidArgument("metadata", metadata, "has two names that differ only in case; they are kept in lower case", "METADATA_INVALID");
  }
  return flattenPairs(record);
}

function checkValue(field: string, value: unknown, charsMax: number): void {
  if (typeof value !== "string") throw invalidArgument(field, value, "must be a string", "METADATA_INVALID");
  if (value.length > charsMax) throw invalidArgument(field, value, `is longer than ${charsMax} characters`, "METADATA_INVALID");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: header values must not break lines
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value))
    throw invalidArgument(field, value, "holds a control character; remove it", "METADATA_INVALID");
  if (!isWellFormed(value)) throw invalidArgument(field, value, "holds a lone surrogate; remove it", "METADATA_INVALID");
}
