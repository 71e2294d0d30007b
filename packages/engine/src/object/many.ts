/** Committing many small operations together: one commit per set, split where a commit would grow too large. */
import { type HoldfastError, isHoldfastError } from "../base/errors.ts";
import { operationBytesMax, operationRecordsMax } from "../base/limits.ts";
import type { ErasureSet, SetTransaction } from "../set/erasure-set.ts";
import type { BucketState } from "./bucket-record.ts";
import { commitInBucket, type KeyAddress } from "./context.ts";

/** One small operation. */
export interface ManyItem<T> {
  /** Its place in the call. */
  readonly at: number;
  readonly address: KeyAddress;
  /** The payload it brings, if any. */
  readonly bytes: Uint8Array | undefined;
  /** True when the same key may be changed twice in one commit. */
  readonly repeatable: boolean;
  readonly decide: (tx: SetTransaction, payload: number | undefined) => T;
}

/** Told the outcome of every item, once. */
export type RecordOutcome<T> = (at: number, outcome: T | { readonly error: HoldfastError }) => void;

/** Index changes one operation makes at most, besides the parts of a multipart object it gives up. */
const recordsPerItem = 4;
/** Bytes of a record beside its key and payload: a generous mean, so that commits stay near their bound. */
const recordBytes = 256;

interface Group<T> {
  readonly items: ManyItem<T>[];
  readonly seen: Set<string>;
  bytes: number;
}

/** True when a version's id would not tell two changes of a key in one commit apart. */
export function isRepeatable(address: KeyAddress): boolean {
  return address.bucket.record.versioning === "off";
}

/** Commits all items, in order for each key. Operating errors are outcomes, not thrown. */
export async function commitMany<T>(
  bucket: BucketState,
  items: readonly ManyItem<T>[],
  record: RecordOutcome<T>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const open = new Map<ErasureSet, Group<T>>();
  const commits: Promise<void>[] = [];
  for (const item of items) {
    const { set } = item.address;
    let group = open.get(set);
    if (group !== undefined && !hasRoom(group, item)) {
      commits.push(commitGroup(bucket, set, group, record, signal));
      group = undefined;
    }
    if (group === undefined) {
      group = { items: [], seen: new Set(), bytes: 0 };
      open.set(set, group);
    }
    add(group, item);
  }
  for (const [set, group] of open) commits.push(commitGroup(bucket, set, group, record, signal));
  await Promise.all(commits);
}

function hasRoom<T>(group: Group<T>, item: ManyItem<T>): boolean {
  if ((group.items.length + 1) * recordsPerItem > operationRecordsMax) return false;
  if (group.bytes + bytesOf(item) > operationBytesMax) return false;
  return item.repeatable || !group.seen.has(item.address.key);
}

function add<T>(group: Group<T>, item: ManyItem<T>): void {
  group.items.push(item);
  group.bytes += bytesOf(item);
  if (!item.repeatable) group.seen.add(item.address.key);
}

function bytesOf<T>(item: ManyItem<T>): number {
  return recordBytes + item.address.keyBytes.byteLength + (item.bytes?.byteLength ?? 0);
}

async function commitGroup<T>(
  bucket: BucketState,
  set: ErasureSet,
  group: Group<T>,
  record: RecordOutcome<T>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const payloads: Uint8Array[] = [];
  const numbers = group.items.map(({ bytes }) => (bytes === undefined ? undefined : payloads.push(bytes) - 1));
  const decide = (tx: SetTransaction): (T | { readonly error: HoldfastError })[] =>
    group.items.map((item, i) => {
      try {
        return item.decide(tx, numbers[i]);
      } catch (error) {
        return { error: refusal(error) };
      }
    });
  try {
    const outcomes = await commitInBucket(bucket, set, { profile: bucket.record.erasure, payloads, decide }, signal);
    for (let i = 0; i < outcomes.length; i++) record((group.items[i] as ManyItem<T>).at, outcomes[i] as T);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    for (const { at } of group.items) record(at, { error });
  }
}

/** A decision's refusal comes before it changes anything, so the others of the commit go on; whatever else it throws ends the commit. */
function refusal(error: unknown): HoldfastError {
  if (isHoldfastError(error) && (error.kind === "conflict" || error.kind === "notFound")) return error;
  throw error;
}

/** An operating error as an outcome; defects are thrown on. */
export function outcomeOf(error: unknown): { readonly error: HoldfastError } {
  if (isHoldfastError(error)) return { error };
  throw error;
}
