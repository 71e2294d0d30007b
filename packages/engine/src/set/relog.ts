/**
 * Writes entries of a set again, through ordinary commits, so that their records or payloads lie in newer packs, or are coded another way.
 * What an entry says does not change, only its place in the order. Compaction, re-coding of what was written with drives missing, emptying
 * a drive and another code for a bucket are all this.
 *
 * Concurrent with everything: each entry is looked at again in the order of commits, and left alone when it is not the one that was found.
 * Memory is bounded by one group. It can end anywhere, and begin anywhere again: what has been moved is simply not found to need it.
 */
import { isHoldfastError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { decodePackedLocation, type PackedLocation } from "../format/packed-location.ts";
import type { ErasureProfile, ErasureSet, PackedPayload, SetEntry, SetTransaction } from "./erasure-set.ts";
import { sequenceOf } from "./index-entry.ts";
import { type Pacer, unhurried } from "./pace.ts";
import { firstKey, visitSlice } from "./visit-slice.ts";

/** What is asked of an entry. */
export interface FoundEntry {
  readonly key: Uint8Array;
  readonly order: number;
  /** The batch its record lies in. */
  readonly sequence: number;
  readonly valueBytes: number;
  /** Where its payload lies, and how it is coded. */
  readonly payload: PackedLocation | undefined;
}

/** What is to become of an entry: it stays, its record is written again and keeps its payload, or both are written again. */
export type Fate = "stays" | "record" | "payload";

export interface RelogOptions {
  readonly fateOf: (entry: FoundEntry) => Fate;
  /** How a payload is coded from now on; as it was when undefined. */
  readonly profileOf?: ((entry: FoundEntry) => ErasureProfile | undefined) | undefined;
  readonly pacer?: Pacer | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of entries whose payload cannot be read now: they stay where they are. */
  readonly onUnreadable?: ((entry: FoundEntry, error: unknown) => void) | undefined;
  readonly onProgress?: ((progress: RelogProgress) => void) | undefined;
}

/** What has been done so far; `next` is where to go on, undefined at the end. */
export interface RelogProgress {
  readonly entries: number;
  readonly bytes: number;
  readonly unreadable: number;
  readonly next: Uint8Array | undefined;
}

/** One commit: so many entries, or so many bytes. */
const groupEntriesMax = 256;
const groupBytesMax = 1 * MiB;
/** Payloads remembered as moved, so that other entries with the same one go on sharing it. */
const movedMax = 16_384;

/** Walks the whole map, or from `start` on. @throws ABORTED, WRITE_QUORUM_LOST, DRIVE_FULL, STORE_CLOSED */
export async function relog(set: ErasureSet, options: RelogOptions & { readonly start?: Uint8Array | undefined }): Promise<RelogProgress> {
  const { pacer = unhurried, signal, onProgress } = options;
  const relogger = new Relogger(set, options);
  let next: Uint8Array | undefined = options.start ?? firstKey;
  while (next !== undefined) {
    const found: FoundEntry[] = [];
    next = visitSlice(set, next, (key, entry) => {
      const candidate = toFound(key, entry);
      if (options.fateOf(candidate) !== "stays") found.push(candidate);
    });
    for (const entry of found) await relogger.add(entry);
    if (next === undefined) await relogger.flush();
    await pacer.spend(0, signal);
    onProgress?.({ ...relogger.progress, next });
  }
  return { ...relogger.progress, next: undefined };
}

/** The same for some keys. */
export async function relogKeys(set: ErasureSet, keys: Iterable<Uint8Array>, options: RelogOptions): Promise<RelogProgress> {
  const relogger = new Relogger(set, options);
  for (const key of keys) {
    const entry = set.get(key);
    const found = entry === undefined ? undefined : toFound(key, entry);
    if (found !== undefined && options.fateOf(found) !== "stays") await relogger.add(found);
  }
  await relogger.flush();
  return { ...relogger.progress, next: undefined };
}

function toFound(key: Uint8Array, { order, value, payload }: SetEntry): FoundEntry {
  const location = payload === undefined ? undefined : decodePackedLocation(payload);
  return { key, order, sequence: sequenceOf(order), valueBytes: value.byteLength, payload: location };
}

/** An entry of a group, with what to do. */
interface Move {
  readonly entry: FoundEntry;
  /** Number of the group's payload; undefined where the payload, if any, is taken over. */
  readonly own: number | undefined;
  /** The entry whose payload, the same as this one's was, is taken over. */
  readonly like: MovedPayload | undefined;
}

/** Where a payload that was moved is found: in the entry of this key, as long as that is still of this order. */
interface MovedPayload {
  readonly key: Uint8Array;
  readonly order: number;
}

class Relogger {
  readonly #set: ErasureSet;
  readonly #options: RelogOptions;
  readonly #groups = new Map<string, { readonly profile: ErasureProfile | undefined; entries: FoundEntry[]; bytes: number }>();
  /** By the location a payload had, as text. */
  readonly #moved = new Map<string, MovedPayload>();
  #entries = 0;
  #bytes = 0;
  #unreadable = 0;

  constructor(set: ErasureSet, options: RelogOptions) {
    this.#set = set;
    this.#options = options;
  }

  get progress(): Omit<RelogProgress, "next"> {
    return { entries: this.#entries, bytes: this.#bytes, unreadable: this.#unreadable };
  }

  async add(entry: FoundEntry): Promise<void> {
    const moves = this.#options.fateOf(entry) === "payload" && entry.payload !== undefined;
    const layout = entry.payload?.layout;
    const profile = moves ? (this.#options.profileOf?.(entry) ?? layout) : undefined;
    const name = profile === undefined ? "" : `${profile.data}+${profile.parity}`;
    const group = this.#groups.get(name) ?? { profile, entries: [], bytes: 0 };
    this.#groups.set(name, group);
    group.entries.push(entry);
    group.bytes += entry.key.byteLength + entry.valueBytes + (moves ? (entry.payload?.length ?? 0) : 0);
    if (group.entries.length < groupEntriesMax && group.bytes < groupBytesMax) return;
    this.#groups.delete(name);
    await this.#write(group.entries, group.profile);
  }

  async flush(): Promise<void> {
    const groups = [...this.#groups.values()];
    this.#groups.clear();
    for (const { entries, profile } of groups) await this.#write(entries, profile);
  }

  async #write(entries: readonly FoundEntry[], profile: ErasureProfile | undefined): Promise<void> {
    const { pacer = unhurried, signal } = this.#options;
    const { moves, payloads } = await this.#read(entries);
    const payloadBytes = payloads.reduce((sum, payload) => sum + payload.byteLength, 0);
    await pacer.spend(2 * payloadBytes, signal);
    const decide = (transaction: SetTransaction): MoveOutcome => moveAll(transaction, moves);
    const outcome = await this.#set.commit(
      { profile: profile === undefined ? undefined : { data: profile.data, parity: profile.parity }, payloads, decide },
      { signal, usesReserve: true },
    );
    this.#entries += outcome.moved.length;
    this.#bytes += payloadBytes + outcome.recordsBytes;
    for (const move of outcome.moved) if (move.own !== undefined) this.#remember(move.entry, outcome.order);
    // What they were to share is gone meanwhile: they get a payload of their own.
    for (const { entry } of outcome.refused) this.#moved.delete(placeOf(entry.payload));
    if (outcome.refused.length > 0)
      await this.#write(
        outcome.refused.map(({ entry }) => entry),
        profile,
      );
  }

  #remember({ key, payload }: FoundEntry, order: number): void {
    if (this.#moved.size >= movedMax) this.#moved.delete(this.#moved.keys().next().value as string);
    this.#moved.set(placeOf(payload), { key, order });
  }

  /** Reads the payloads that move, each once. */
  async #read(entries: readonly FoundEntry[]): Promise<{ moves: Move[]; payloads: Uint8Array[] }> {
    const reads = new Map<string, Promise<Uint8Array | undefined>>();
    for (const entry of entries) {
      const place = placeOf(entry.payload);
      if (this.#options.fateOf(entry) !== "payload" || this.#moved.has(place) || reads.has(place)) continue;
      // Looked up and read in one turn: compaction may be about to remove the pack.
      const now = this.#set.get(entry.key);
      if (now?.order === entry.order && now.payload !== undefined) reads.set(place, this.#readOne(entry, now.payload));
    }
    const found = await Promise.all([...reads].map(async ([place, reading]) => ({ place, bytes: await reading })));
    const payloads: Uint8Array[] = [];
    const numbers = new Map<string, number>();
    for (const { place, bytes } of found) if (bytes !== undefined) numbers.set(place, payloads.push(bytes) - 1);
    const moves: Move[] = [];
    for (const entry of entries) {
      if (this.#options.fateOf(entry) !== "payload") {
        moves.push({ entry, own: undefined, like: undefined });
        continue;
      }
      const place = placeOf(entry.payload);
      const own = numbers.get(place);
      const like = own === undefined ? this.#moved.get(place) : undefined;
      if (own !== undefined || like !== undefined) moves.push({ entry, own, like });
    }
    return { moves, payloads };
  }

  async #readOne(entry: FoundEntry, payload: PackedPayload): Promise<Uint8Array | undefined> {
    try {
      return await this.#set.readPacked(payload);
    } catch (error) {
      if (!isHoldfastError(error) || error.kind === "closed" || error.kind === "internal") throw error;
      this.#unreadable++;
      this.#options.onUnreadable?.(entry, error);
      return undefined;
    }
  }
}

interface MoveOutcome {
  readonly order: number;
  readonly moved: readonly Move[];
  /** Those whose shared payload is not there any more. */
  readonly refused: readonly Move[];
  readonly recordsBytes: number;
}

/** Puts every entry again that is still the one that was found. */
function moveAll(transaction: SetTransaction, moves: readonly Move[]): MoveOutcome {
  const moved: Move[] = [];
  const refused: Move[] = [];
  let recordsBytes = 0;
  for (const move of moves) {
    const { entry, own, like } = move;
    const now = transaction.get(entry.key);
    if (now === undefined || now.order !== entry.order) continue;
    let payload: number | PackedPayload | undefined = own ?? now.payload;
    if (like !== undefined) {
      const source = transaction.get(like.key);
      payload = source?.order === like.order ? source.payload : undefined;
      if (payload === undefined) {
        refused.push(move);
        continue;
      }
    }
    transaction.put(entry.key, now.value, payload);
    recordsBytes += entry.key.byteLength + now.value.byteLength;
    moved.push(move);
  }
  return { order: transaction.order, moved, refused, recordsBytes };
}

/** A location as text; empty for none. */
function placeOf(payload: PackedLocation | undefined): string {
  return payload === undefined ? "" : `${payload.pack} ${payload.shardPosition} ${payload.offset} ${payload.length}`;
}
