/** Committing many small operations together: one commit per set, split where a commit would grow too large. */
import { type HoldfastError, isHoldfastError } from "../base/errors.ts";
import { operationBytesMax, operationRecordsMax } from "../base/limits.ts";
import type { ErasureSet, SetTransaction } from "../set/erasure-set.ts";
import type { BucketState } from "./bucket-record.ts";
import { commitOnKey, insideGates, keyOf } from "./commit-on-key.ts";
import type { KeyAddress, ObjectContext } from "./context.ts";

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

/** Keys in transit that are moved and changed at the same time. */
const keysInTransitAtOnceMax = 16;

interface Group<T> {
  readonly items: ManyItem<T>[];
  readonly seen: Set<string>;
  bytes: number;
}

/** True when a version's id would not tell two changes of a key in one commit apart. */
export function isRepeatable(address: KeyAddress): boolean {
  return address.bucket.record.versioning === "off";
}

/** Many small operations of one bucket. */
export interface ManyWork<T> {
  readonly bucket: BucketState;
  readonly items: readonly ManyItem<T>[];
  readonly signal: AbortSignal | undefined;
}

/** Commits all items, in order for each key. Operating errors are outcomes, not thrown. */
export async function commitMany<T>(context: ObjectContext, work: ManyWork<T>, record: RecordOutcome<T>): Promise<void> {
  const { topology } = context;
  const left: ManyItem<T>[] = [];
  const commits: Promise<void>[] = [];
  const open = new Map<ErasureSet, Group<T>>();
  const close = (set: ErasureSet, group: Group<T>): void => {
    commits.push(
      commitGroup(context, { ...work, items: group.items, set }, record).then((isDone) => void (isDone || left.push(...group.items))),
    );
  };
  for (const item of work.items) {
    if (!topology.isSettled(keyOf(item.address))) {
      left.push(item);
      continue;
    }
    const set = topology.choose(keyOf(item.address));
    let group = open.get(set);
    if (group !== undefined && !hasRoom(group, item)) {
      close(set, group);
      group = undefined;
    }
    if (group === undefined) {
      group = { items: [], seen: new Set(), bytes: 0 };
      open.set(set, group);
    }
    add(group, item);
  }
  for (const [set, group] of open) close(set, group);
  await Promise.all(commits);
  if (left.length > 0) await commitSingly(context, { ...work, items: left }, record);
}

/** Commits items on their own, one after another for each key: those whose keys are being moved. */
async function commitSingly<T>(context: ObjectContext, { bucket, items, signal }: ManyWork<T>, record: RecordOutcome<T>): Promise<void> {
  const byKey = new Map<string, ManyItem<T>[]>();
  for (const item of items.toSorted((a, b) => a.at - b.at)) {
    const { key } = item.address;
    byKey.set(key, [...(byKey.get(key) ?? []), item]);
  }
  const waiting = [...byKey.values()];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      for (const { at, address, bytes, decide } of next) {
        const operation = {
          profile: bucket.record.erasure,
          payloads: bytes === undefined ? [] : [bytes],
          decide: (tx: SetTransaction): T => decide(tx, bytes === undefined ? undefined : 0),
        };
        record(at, await commitOnKey(context, address, operation, signal).catch(outcomeOf));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(keysInTransitAtOnceMax, waiting.length) }, lane));
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

/** Commits a group in its set; false when some of its keys are in transit or mapped elsewhere by now: then nothing was done. */
async function commitGroup<T>(
  context: ObjectContext,
  { bucket, items, signal, set }: ManyWork<T> & { readonly set: ErasureSet },
  record: RecordOutcome<T>,
): Promise<boolean> {
  const { topology } = context;
  const { generation } = topology;
  const payloads: Uint8Array[] = [];
  const numbers = items.map(({ bytes }) => (bytes === undefined ? undefined : payloads.push(bytes) - 1));
  const decide = (tx: SetTransaction): (T | { readonly error: HoldfastError })[] =>
    items.map((item, i) => {
      try {
        return item.decide(tx, numbers[i]);
      } catch (error) {
        return { error: refusal(error) };
      }
    });
  const operation = { profile: bucket.record.erasure, payloads, decide };
  try {
    const outcomes = await insideGates(context, bucket, () =>
      topology.generation === generation ? set.commit(operation, signal === undefined ? undefined : { signal }) : undefined,
    );
    if (outcomes === undefined) return false;
    for (let i = 0; i < outcomes.length; i++) record((items[i] as ManyItem<T>).at, outcomes[i] as T);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    for (const { at } of items) record(at, { error });
  }
  return true;
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
