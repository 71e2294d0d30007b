/**
 * What a writer (`writer-child.ts`) and the test that started it say to each other, in lines of JSON: before each operation what it will
 * change, and afterwards how it ended. A line is on its way before the operation goes on, so a test that has read all lines of a dead
 * writer knows every acknowledgement there was.
 */
import { KiB } from "../base/units.ts";
import type { StoreSettings } from "../store/settings.ts";

/** What is asked of a writer: the one line it reads. */
export interface WriterOrder {
  readonly settings: StoreSettings;
  readonly seed: number;
  /** Lanes that write side by side. */
  readonly lanes: number;
  /** Largest body of an ordinary large object. */
  readonly largeBytesMax: number;
  /** Whether it reports drives whose state changes. */
  readonly watchDrives?: boolean;
}

/** A body, known by what makes it; null stands for no object. */
export type KnownBody = readonly [seed: number, size: number] | null;

/** An operation that begins. */
export interface NotedOperation {
  readonly number: number;
  /** Keys and what becomes of them: all of it or nothing. */
  readonly changes: readonly (readonly [key: string, body: KnownBody])[];
  /** Of a conditional put to a key that all lanes write: the seed of the body it replaces, null where there must be none. */
  readonly replaces?: number | null;
}

/** Every line of a writer. */
export type WriterLine =
  | { readonly type: "ready" | "start" | "open" }
  | ({ readonly type: "begin" } & NotedOperation)
  | { readonly type: "done"; readonly number: number }
  | { readonly type: "failed"; readonly number: number; readonly code: string; readonly indeterminate: boolean }
  /** A read, or a look before a write, failed. */
  | { readonly type: "unread"; readonly code: string }
  | { readonly type: "drives"; readonly drives: readonly { readonly location: string; readonly state: string }[] }
  | { readonly type: "refused"; readonly code: string; readonly message: string };

/** Settings that make everything happen within a fraction of a second: packs that fill, blobs of several stripes. */
export const writerSettings = {
  erasure: { data: 2, parity: 1 },
  inlineLimit: 8 * KiB,
  stripeSize: 64 * KiB,
  packSize: 256 * KiB,
  threads: 0,
} as const satisfies StoreSettings;
