/**
 * Whole stores as earlier versions of the format have left them: test/fixtures/stores/<version>-<end>.json holds the files of every drive, in
 * base64, and what `observeStore` showed then. Made once by that version and never changed: every later version opens them.
 */
import { readFileSync } from "node:fs";
import type { Observed } from "./observe-store.ts";

export interface StoreFixture {
  /** The files of each drive. */
  readonly drives: readonly ReadonlyMap<string, Uint8Array>[];
  readonly shown: Observed;
}

/** Names of all fixtures; all of 2+1 on three drives. */
export const storeFixtures = ["v1-closed", "v1-unclean"] as const;

/** Reads one. */
export function readStoreFixture(name: (typeof storeFixtures)[number]): StoreFixture {
  const path = new URL(`../../test/fixtures/stores/${name}.json`, import.meta.url);
  const { drives, shown } = JSON.parse(readFileSync(path, "utf8")) as { drives: Record<string, string>[]; shown: [string, string[]][] };
  return {
    drives: drives.map(
      (files) => new Map(Object.entries(files).map(([file, text]) => [file, new Uint8Array(Buffer.from(text, "base64"))])),
    ),
    shown: new Map(shown),
  };
}
