/**
 * The fields of a record, each looked at before it is believed: what stands behind a sound checksum was written by some Holdfast, but maybe
 * by one with a defect, and a wrong value must not travel on as if it were right.
 */
import { HoldfastError } from "../base/errors.ts";
import type { BlobLocation } from "../set/erasure-set.ts";
import { unpackRecord } from "./record-codec.ts";

const etagDigestBytes = 16;

export class RecordFields {
  readonly #fields: readonly unknown[];
  readonly #what: string;

  /** @throws FORMAT_TOO_NEW, INDEX_DAMAGED */
  constructor(bytes: Uint8Array, what: string) {
    this.#fields = unpackRecord(bytes, what);
    this.#what = what;
  }

  /** An integer of 0 to 2^53 - 1, below `bound` where one is given. @throws INDEX_DAMAGED */
  integer(at: number, bound = Number.POSITIVE_INFINITY): number {
    const field = this.#fields[at];
    return isInteger(field) && field < bound ? field : this.#fail(at);
  }

  /** Such an integer, or zero where it was left out. @throws INDEX_DAMAGED */
  integerOrZero(at: number): number {
    return this.#optional<number>(at, isInteger) ?? 0;
  }

  /** An entity tag as stored: the 16 bytes of a digest, or text. @throws INDEX_DAMAGED */
  etag(at: number): Uint8Array | string {
    const field = this.#fields[at];
    if (typeof field === "string") return field;
    return field instanceof Uint8Array && field.byteLength === etagDigestBytes ? field : this.#fail(at);
  }

  /** A byte string, if there is one. @throws INDEX_DAMAGED */
  bytes(at: number): Uint8Array | undefined {
    return this.#optional(at, (field) => field instanceof Uint8Array);
  }

  /** A byte string that has to be there: where a blob lies. @throws INDEX_DAMAGED */
  location(at: number): BlobLocation {
    return (this.bytes(at) as BlobLocation | undefined) ?? this.#fail(at);
  }

  /** Texts, if there are any: names and values in turn where `paired`. @throws INDEX_DAMAGED */
  texts(at: number, paired: boolean): readonly string[] | undefined {
    return this.#optional(at, (field) => Array.isArray(field) && field.every(isText) && !(paired && field.length % 2 !== 0));
  }

  /** Texts with gaps, if there are any. @throws INDEX_DAMAGED */
  gappedTexts(at: number): readonly (string | null)[] | undefined {
    return this.#optional(at, (field) => Array.isArray(field) && field.every((each) => each === null || isText(each)));
  }

  /** Integers and byte strings in turn, if there are any. @throws INDEX_DAMAGED */
  numberedBytes(at: number): readonly (number | Uint8Array)[] | undefined {
    const isInTurn = (each: unknown, i: number): boolean => (i % 2 === 0 ? isInteger(each) : each instanceof Uint8Array);
    return this.#optional(at, (field) => Array.isArray(field) && field.length % 2 === 0 && field.every(isInTurn));
  }

  /** Integers, if there are any: exactly `count` of them. @throws INDEX_DAMAGED */
  integers(at: number, count: number): readonly number[] | undefined {
    return this.#optional(at, (field) => Array.isArray(field) && field.length === count && field.every(isInteger));
  }

  /** Groups of two integers and a byte string or nothing, one after another. @throws INDEX_DAMAGED */
  triples(at: number): readonly (readonly [number, number, Uint8Array | undefined])[] {
    const field = this.#fields[at];
    if (!Array.isArray(field) || field.length % 3 !== 0) return this.#fail(at);
    const groups: [number, number, Uint8Array | undefined][] = [];
    for (let i = 0; i < field.length; i += 3) {
      const [first, second, third] = [field[i], field[i + 1], field[i + 2]] as unknown[];
      if (!isInteger(first) || !isInteger(second) || !(third === null || third instanceof Uint8Array)) return this.#fail(at);
      groups.push([first, second, third ?? undefined]);
    }
    return groups;
  }

  #optional<T>(at: number, isSound: (field: unknown) => boolean): T | undefined {
    const field = this.#fields[at];
    if (field === null || field === undefined) return undefined;
    return isSound(field) ? (field as T) : this.#fail(at);
  }

  #fail(at: number): never {
    throw new HoldfastError("INDEX_DAMAGED", `field ${at} of the record of ${this.#what} is malformed; run verify`);
  }
}

function isInteger(field: unknown): field is number {
  return Number.isSafeInteger(field) && (field as number) >= 0;
}

function isText(field: unknown): boolean {
  return typeof field === "string";
}
