/**
 * Conditions on requests, with the precedence of RFC 9110 section 13.2.2 and S3's answers.
 *
 * Dates are compared in whole seconds, as HTTP does, because objects remember milliseconds and HTTP dates do not.
 */
import { HoldfastError } from "../base/errors.ts";
import { bareEtag } from "./etag.ts";
import { invalidArgument } from "./validate.ts";

/** Conditions under which a request is carried out. An entity tag may be bare or quoted; "*" stands for any object. */
export interface Conditions {
  /** Only if the object is there with one of these tags. */
  readonly ifMatch?: string | readonly string[] | undefined;
  /** Only if the object is not there with any of these tags; `"*"`: only if there is none at all. */
  readonly ifNoneMatch?: string | readonly string[] | undefined;
  /** Only if changed after this time. Ignored when `ifNoneMatch` is given. */
  readonly ifModifiedSince?: Date | undefined;
  /** Only if not changed after this time. Ignored when `ifMatch` is given. */
  readonly ifUnmodifiedSince?: Date | undefined;
}

/** Conditions ready to be checked. */
export interface ParsedConditions {
  readonly match: TagList | undefined;
  readonly noneMatch: TagList | undefined;
  readonly modifiedSinceS: number | undefined;
  readonly unmodifiedSinceS: number | undefined;
}

interface TagList {
  readonly any: boolean;
  readonly tags: readonly string[];
  /** Weak tags never match in `ifMatch`. */
  readonly strongTags: readonly string[];
}

/** What conditions are checked against. */
export interface Conditioned {
  readonly etag: string;
  readonly modifiedMs: number;
}

/** Conditions validated; undefined when there are none. @throws ARGUMENT_INVALID */
export function parseConditions(options: Conditions): ParsedConditions | undefined {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = options;
  if (ifMatch === undefined && ifNoneMatch === undefined && ifModifiedSince === undefined && ifUnmodifiedSince === undefined)
    return undefined;
  return {
    match: parseTags("ifMatch", ifMatch),
    noneMatch: parseTags("ifNoneMatch", ifNoneMatch),
    modifiedSinceS: parseDate("ifModifiedSince", ifModifiedSince),
    unmodifiedSinceS: parseDate("ifUnmodifiedSince", ifUnmodifiedSince),
  };
}

/**
 * Checks conditions of a read: `NOT_MODIFIED` where the caller has what is stored. The object is there.
 * @throws PRECONDITION_FAILED, NOT_MODIFIED
 */
export function checkReadConditions(conditions: ParsedConditions | undefined, object: Conditioned, key: string): void {
  if (conditions === undefined) return;
  checkMustMatch(conditions, object, key);
  if (!isWanted(conditions, object)) {
    throw new HoldfastError("NOT_MODIFIED", `${JSON.stringify(key)} has not changed`, {
      details: { key, etag: object.etag, lastModified: new Date(object.modifiedMs) },
    });
  }
}

/**
 * Checks conditions of a change, against the current object or none.
 * @throws PRECONDITION_FAILED; OBJECT_NOT_FOUND when a condition asks for an object and there is none
 */
export function checkWriteConditions(conditions: ParsedConditions | undefined, object: Conditioned | undefined, key: string): void {
  if (conditions === undefined) return;
  if (object === undefined) {
    if (conditions.match === undefined && conditions.unmodifiedSinceS === undefined) return;
    throw new HoldfastError("OBJECT_NOT_FOUND", `${JSON.stringify(key)} is not there, so the condition cannot hold`, { details: { key } });
  }
  checkMustMatch(conditions, object, key);
  if (!isWanted(conditions, object))
    throw conditionFailed(conditions.noneMatch === undefined ? "ifModifiedSince" : "ifNoneMatch", object, key);
}

function checkMustMatch(conditions: ParsedConditions, object: Conditioned, key: string): void {
  const { match, unmodifiedSinceS } = conditions;
  if (match !== undefined) {
    if (!match.any && !match.strongTags.includes(object.etag)) throw conditionFailed("ifMatch", object, key);
  } else if (unmodifiedSinceS !== undefined && seconds(object.modifiedMs) > unmodifiedSinceS) {
    throw conditionFailed("ifUnmodifiedSince", object, key);
  }
}

function isWanted(conditions: ParsedConditions, object: Conditioned): boolean {
  const { noneMatch, modifiedSinceS } = conditions;
  if (noneMatch !== undefined) return !noneMatch.any && !noneMatch.tags.includes(object.etag);
  return modifiedSinceS === undefined || seconds(object.modifiedMs) > modifiedSinceS;
}

function conditionFailed(condition: string, object: Conditioned, key: string): HoldfastError {
  return new HoldfastError("PRECONDITION_FAILED", `${condition} does not hold for ${JSON.stringify(key)}; read it again and decide anew`, {
    details: { condition, key, etag: object.etag },
  });
}

function parseTags(field: string, value: string | readonly string[] | undefined): TagList | undefined {
  if (value === undefined) return undefined;
  const given = typeof value === "string" ? [value] : value;
  if (!Array.isArray(given) || given.length === 0 || given.some((tag) => typeof tag !== "string" || tag === "")) {
    throw invalidArgument(field, value, 'must be an entity tag, a list of them, or "*"');
  }
  const list = given as readonly string[];
  return { any: list.includes("*"), tags: list.map(bareEtag), strongTags: list.filter((tag) => !tag.startsWith("W/")).map(bareEtag) };
}

function parseDate(field: string, value: Date | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw invalidArgument(field, value, "must be a valid Date");
  return seconds(value.getTime());
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
