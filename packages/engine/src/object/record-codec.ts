/**
 * MessagePack for the records of this room: arrays whose first element is a format version, trailing nulls cut off, so that the same
 * facts always give the same bytes. Drawn in docs/formats/records.md.
 */
import { Packr } from "msgpackr";
import { HoldfastError } from "../base/errors.ts";

const packr = new Packr({ useRecords: false });

/** The only record version so far. */
export const recordVersion = 1;

/** The bytes of a record. The array is cut in place. */
export function packRecord(fields: unknown[]): Uint8Array {
  let length = fields.length;
  while (length > 1 && (fields[length - 1] === null || fields[length - 1] === undefined)) length--;
  fields.length = length;
  return packr.pack(fields);
}

/** The fields of a record. @throws FORMAT_TOO_NEW, INDEX_DAMAGED */
export function unpackRecord(bytes: Uint8Array, what: string): unknown[] {
  let fields: unknown;
  try {
    fields = packr.unpack(bytes);
  } catch (cause) {
    throw new HoldfastError("INDEX_DAMAGED", `the record of ${what} cannot be read; run verify`, { cause });
  }
  if (!Array.isArray(fields)) throw new HoldfastError("INDEX_DAMAGED", `the record of ${what} is no record; run verify`);
  if (fields[0] !== recordVersion) {
    throw new HoldfastError(
      "FORMAT_TOO_NEW",
      `the record of ${what} has version ${String(fields[0])}; this Holdfast knows ${recordVersion}: upgrade it`,
      {
        details: { version: fields[0], known: recordVersion },
      },
    );
  }
  return fields;
}
