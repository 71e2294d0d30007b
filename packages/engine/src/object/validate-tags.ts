import { tagKeyCharsMax, tagsMax, tagValueCharsMax } from "../base/limits.ts";
import type { StoredPairs } from "./object-record.ts";
import { flattenPairs, isPlainRecord } from "./pairs.ts";
import { invalidArgument } from "./validate.ts";

/** Tags of an object: at most 10; names of 1 to 128 and values of at most 256 letters, digits, spaces and `_.:/=+-@`. */
export type ObjectTags = Readonly<Record<string, string>>;

const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** Tags in their stored form; undefined when there are none. @throws TAGS_INVALID */
export function parseTags(tags: ObjectTags | undefined): StoredPairs | undefined {
  if (tags === undefined) return undefined;
  if (!isPlainRecord(tags)) throw invalidArgument("tags", tags, "must be an object of names and values", "TAGS_INVALID");
  const entries = Object.entries(tags);
  if (entries.length > tagsMax)
    throw invalidArgument("tags", entries.length, `are too many; an object has at most ${tagsMax}`, "TAGS_INVALID");
  for (const [name, value] of entries) {
    checkText("tag name", name, { min: 1, max: tagKeyCharsMax });
    checkText(`tags.${name}`, value, { min: 0, max: tagValueCharsMax });
  }
  return flattenPairs(tags);
}

function checkText(field: string, text: unknown, length: { readonly min: number; readonly max: number }): void {
  if (typeof text !== "string") throw invalidArgument(field, text, "must be a string", "TAGS_INVALID");
  const characters = [...text].length;
  if (characters < length.min || characters > length.max) {
    throw invalidArgument(field, text, `must have ${length.min} to ${length.max} characters`, "TAGS_INVALID");
  }
  if (!allowed.test(text)) throw invalidArgument(field, text, "may only hold letters, digits, spaces and _.:/=+-@", "TAGS_INVALID");
}
