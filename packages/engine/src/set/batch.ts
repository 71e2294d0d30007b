/**
 * A batch while it gathers operations. Operations are decided on arrival, in order, against everything placed before them; what they
 * change stands in the overlay until the batch is committed to the index or fails.
 */
import { compareBytes } from "../base/bytes.ts";
import { packedLocationBytes } from "../format/packed-location.ts";
import { MergedScan, type NewerEntry } from "../index/merged-scan.ts";
import type { OrderedIndex } from "../index/ordered-index.ts";
import type { BlobLocation, ErasureProfile, KeyRange, PackedPayload, SetEntry, SetOperation, SetTransaction } from "./erasure-set.ts";
import { decodeEntry, freedBlobKey, liveBlobKey, orderOf } from "./index-entry.ts";

/** One change of the map, with the own payload it refers to (as a number into the batch's payloads) or one taken over. */
export interface BatchChange {
  readonly key: Uint8Array;
  /** The key as `keyText`. */
  readonly text: string;
  /** Undefined deletes. */
  readonly entry: PendingEntry | undefined;
  /** Which of the batch's payloads is the entry's own. */
  readonly ownPayload: number | undefined;
}

/** An entry whose payload location is filled in when its batch is laid out. */
interface PendingEntry extends SetEntry {
  readonly payload: PackedPayload | undefined;
}

/** Someone waiting for the batch: answered when it is committed, refused when it fails. */
export interface Waiter {
  readonly answer: () => void;
  readonly refuse: (error: unknown) => void;
}

export class Batch {
  readonly sequence: number;
  readonly timeMs: number;
  readonly profile: ErasureProfile;
  readonly payloads: Uint8Array[] = [];
  readonly changes: BatchChange[] = [];
  readonly waiters: Waiter[] = [];
  /** Number of changes before each operation's first: what its order is made of. */
  readonly operationStarts: number[] = [];
  payloadBytes = 0;
  /** An upper bound of the encoded records. */
  recordsBytesBound = 16;
  operations = 0;

  constructor(facts: { sequence: number; timeMs: number; profile: ErasureProfile }) {
    this.sequence = facts.sequence;
    this.timeMs = facts.timeMs;
    this.profile = facts.profile;
  }
}

/** What a record takes beside its key and value: heads of arrays and byte strings, a location (41 bytes), two numbers. */
const recordOverheadBytesMax = 80;

/** Text form of a key for maps: one char a byte. */
function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** What batches that are placed but not yet in the index have changed; the newest change of a key wins. */
export class Overlay {
  readonly #changes = new Map<string, { change: BatchChange; batch: Batch }>();

  get(text: string): BatchChange | undefined {
    return this.#changes.get(text)?.change;
  }

  add(batch: Batch, change: BatchChange): void {
    this.#changes.set(change.text, { change, batch });
  }

  /** Forgets what a batch has changed, as far as no later one changed it again. */
  forget(batch: Batch): void {
    for (const { text } of batch.changes) {
      if (this.#changes.get(text)?.batch === batch) this.#changes.delete(text);
    }
  }

  clear(): void {
    this.#changes.clear();
  }

  *values(): Iterable<BatchChange> {
    for (const { change } of this.#changes.values()) yield change;
  }
}

/** Payloads of placed operations whose place on the drives is not known yet. */
const unplaced = new WeakSet<Uint8Array>();

/** Fills a pending payload's location in, for everyone who holds it. */
export function placePayload(pending: PackedPayload, location: Uint8Array): void {
  pending.set(location);
  unplaced.delete(pending);
}

/** The view and the changes of one operation while it is being decided. */
export class BatchTransaction implements SetTransaction {
  readonly order: number;
  readonly timeMs: number;
  readonly changes: BatchChange[] = [];
  /** Pending payloads the operation has seen and not taken over: their bytes are not known yet, so it must be decided again later. */
  readonly exposed = new Set<Uint8Array>();
  readonly #own = new Map<string, BatchChange>();
  readonly #batch: Batch;
  readonly #overlay: Overlay;
  readonly #index: OrderedIndex;

  constructor(batch: Batch, overlay: Overlay, index: OrderedIndex) {
    this.#batch = batch;
    this.#overlay = overlay;
    this.#index = index;
    this.order = orderOf(batch.sequence, batch.changes.length);
    this.timeMs = batch.timeMs;
  }

  get(key: Uint8Array): SetEntry | undefined {
    const text = keyText(key);
    const change = this.#own.get(text) ?? this.#overlay.get(text);
    if (change !== undefined) return this.#pendingEntry(change);
    const bytes = this.#index.get(key);
    return bytes === undefined ? undefined : decodeEntry(bytes);
  }

  #pendingEntry(change: BatchChange): SetEntry | undefined {
    const entry = change.entry;
    if (entry?.payload === undefined || !unplaced.has(entry.payload)) return entry;
    const payload = entry.payload;
    const exposed = this.exposed;
    return {
      value: entry.value,
      order: entry.order,
      get payload() {
        exposed.add(payload);
        return payload;
      },
    };
  }

  scan(range: KeyRange, visit: (key: Uint8Array, entry: () => SetEntry) => boolean | Uint8Array): void {
    const merged = new MergedScan(this.#pendingWithin(range), visit, range.reverse === true);
    this.#index.scan(range, (key, value) => merged.at(key, () => decodeEntry(value)));
    merged.rest();
  }

  /** What is placed or changed and not yet in the index, in the order of a scan. */
  #pendingWithin({ start, end, reverse }: KeyRange): NewerEntry<() => SetEntry>[] {
    const newest = new Map<string, BatchChange>();
    for (const changes of [this.#overlay.values(), this.#own.values()]) {
      for (const change of changes) {
        if (compareBytes(change.key, start) < 0 || (end !== undefined && compareBytes(change.key, end) >= 0)) continue;
        newest.set(change.text, change);
      }
    }
    const direction = reverse === true ? -1 : 1;
    return [...newest.values()]
      .sort((a, b) => direction * compareBytes(a.key, b.key))
      .map((change) => ({ key: change.key, value: change.entry === undefined ? undefined : () => this.#pendingEntry(change) as SetEntry }));
  }

  put(key: Uint8Array, value: Uint8Array, payload?: number | PackedPayload): void {
    if (typeof payload === "number") {
      const pending = new Uint8Array(packedLocationBytes) as PackedPayload;
      unplaced.add(pending);
      this.#change(key, { value, order: this.order, payload: pending }, this.#batch.payloads.length + payload);
      return;
    }
    if (payload !== undefined) this.exposed.delete(payload);
    this.#change(key, { value, order: this.order, payload }, undefined);
  }

  delete(key: Uint8Array): void {
    this.#change(key, undefined, undefined);
  }

  addBlob(blob: BlobLocation): void {
    this.put(liveBlobKey(blob), blob);
  }

  removeBlob(blob: BlobLocation): void {
    this.delete(liveBlobKey(blob));
    this.put(freedBlobKey(blob), blob);
  }

  #change(key: Uint8Array, entry: PendingEntry | undefined, ownPayload: number | undefined): void {
    const change: BatchChange = { key, text: keyText(key), entry, ownPayload };
    this.#own.set(change.text, change);
    this.changes.push(change);
  }

  /** Moves the operation's changes and payloads into the batch and the overlay. */
  place(operation: Pick<SetOperation<unknown>, "payloads">): void {
    if (this.changes.length > 0) this.#batch.operationStarts.push(this.#batch.changes.length);
    for (const payload of operation.payloads ?? []) {
      this.#batch.payloads.push(payload);
      this.#batch.payloadBytes += payload.byteLength;
    }
    for (const change of this.changes) {
      this.#batch.changes.push(change);
      this.#batch.recordsBytesBound += change.key.byteLength + (change.entry?.value.byteLength ?? 0) + recordOverheadBytesMax;
      this.#overlay.add(this.#batch, change);
    }
  }
}
