import { toHex } from "./bytes.ts";
import type { Random } from "./random.ts";

/** Bytes in a store, set or drive id. */
export const idBytes = 16;

declare const brand: unique symbol;
/** 32 lower-case hexadecimal digits naming a store. */
export type StoreId = string & { readonly [brand]: "store" };
/** 32 lower-case hexadecimal digits naming an erasure set. */
export type SetId = string & { readonly [brand]: "set" };
/** 32 lower-case hexadecimal digits naming a drive, for its whole life, wherever it is mounted. */
export type DriveId = string & { readonly [brand]: "drive" };

/** A fresh random id of 16 bytes as hexadecimal digits. */
export function createId<Id extends StoreId | SetId | DriveId>(random: Random): Id {
  return toHex(random.bytes(idBytes)) as Id;
}
