/**
 * Moving every key to the set it is mapped to, after the topology was changed.
 *
 * All sets are walked, a bounded slice of the index in one turn, and what is found where it does not belong is moved, some keys at a time:
 * the sets gather their commits. It remembers nothing: begun again it walks again and finds what is left. Passes are repeated until one finds
 * nothing more to move; new keys are put where they belong, so each pass finds less. A key whose body is damaged beyond repair stays where it
 * is, is read there, and can be deleted there.
 */
import { concatBytes } from "../base/bytes.ts";
import { isHoldfastError, throwIfAborted } from "../base/errors.ts";
import type { ErasureSet } from "../set/erasure-set.ts";
import { unhurried } from "../set/pace.ts";
import type { ObjectContext } from "./context.ts";
import { holdsAny, keyText, type ObjectKey, objectKeyOf } from "./key-entries.ts";
import { endOf, escapedKey, keyHead, keyTags, orderFloorKey } from "./keys.ts";
import { moveKey } from "./move-key.ts";
import { noPace, planMove } from "./plan-move.ts";
import type { ObjectUpkeepOptions } from "./upkeep-options.ts";

/** How far moving keys is. */
export interface MoveProgress {
  /** Keys that were not where they belong when it began. */
  readonly keysTotal: number;
  readonly keysMoved: number;
  readonly bytesMoved: number;
}

/** What became of moving keys. */
export interface MoveReport extends MoveProgress {
  /** Keys that could not be moved because their bodies are damaged beyond repair. While there are any, the earlier mappings are needed. */
  readonly keysDamaged: number;
  /** Keys found in sets they were never mapped to, as far as the topology knows; they are left alone. */
  readonly keysStray: number;
}

/** Kinds of entries that show where a key is. */
const walkedTags = [keyTags.moving, keyTags.current, keyTags.version, keyTags.upload];
/** Entries looked at in one turn. */
const sliceEntriesMax = 2000;
/** Keys moved at the same time. */
const keysAtOnceMax = 48;

/** Moves all keys to where they are mapped. @throws ABORTED, STORE_CLOSED, WRITE_QUORUM_LOST, DRIVE_FULL and what else a set throws: begin again later */
export async function moveKeys(context: ObjectContext, options: ObjectUpkeepOptions<MoveProgress> = {}): Promise<MoveReport> {
  const mover = new KeyMover(context, options);
  return mover.run();
}

/** True when a set has nothing of any bucket or object: it can be taken out of the topology. */
export function holdsNothing(set: ErasureSet): boolean {
  let isEmpty = true;
  set.scan({ start: Uint8Array.of(keyTags.counter), end: undefined }, (key) => {
    isEmpty = Buffer.compare(key, orderFloorKey) === 0;
    return isEmpty;
  });
  return isEmpty;
}

/** True when a walk of the set comes by the key at entries of this kind first. */
function isFirstFound(set: ErasureSet, tag: number, { bucketId, keyBytes }: ObjectKey): boolean {
  if (tag === keyTags.moving) return false;
  if (tag !== keyTags.current && set.get(concatBytes([keyHead(keyTags.current, bucketId), keyBytes])) !== undefined) return false;
  return tag !== keyTags.upload || !holdsAny(set, escapedKey(keyTags.version, bucketId, keyBytes));
}

class KeyMover {
  readonly #context: ObjectContext;
  readonly #options: ObjectUpkeepOptions<MoveProgress>;
  readonly #damaged = new Map<string, ObjectKey>();
  readonly #stray = new Set<string>();
  #keysTotal = 0;
  #keysMoved = 0;
  #bytesMoved = 0;

  constructor(context: ObjectContext, options: ObjectUpkeepOptions<MoveProgress>) {
    this.#context = context;
    this.#options = options;
  }

  async run(): Promise<MoveReport> {
    if (this.#options.onProgress !== undefined) {
      await this.#walk(async (keys, set, tag) => {
        this.#keysTotal += keys.filter((key) => isFirstFound(set, tag, key)).length;
      });
    }
    const { topology } = this.#context;
    for (;;) {
      const { changesOutOfPlace } = topology;
      const found = await this.#walk((keys) => this.#moveAll(keys));
      // What was changed where it was may have been where the walk had passed already.
      if (found === 0 && topology.changesOutOfPlace === changesOutOfPlace) break;
    }
    const damaged = [...this.#damaged.values()].filter((key) => !topology.isSettled(key));
    return { ...this.#progress(), keysDamaged: damaged.length, keysStray: this.#stray.size };
  }

  #progress(): MoveProgress {
    return {
      keysTotal: Math.max(this.#keysTotal, this.#keysMoved),
      keysMoved: this.#keysMoved,
      bytesMoved: this.#bytesMoved,
    };
  }

  /** Walks all sets; resolves with the number of keys found, each once for every kind of its entries. */
  async #walk(take: (keys: readonly ObjectKey[], set: ErasureSet, tag: number) => Promise<void>): Promise<number> {
    const { topology } = this.#context;
    const { pacer = unhurried, signal } = this.#options;
    let found = 0;
    for (const set of topology.sets) {
      for (const tag of walkedTags) {
        let start: Uint8Array | undefined = Uint8Array.of(tag);
        while (start !== undefined) {
          const slice = this.#slice(set, start);
          found += slice.keys.length;
          if (slice.keys.length > 0) await take(slice.keys, set, tag);
          start = slice.next;
          await pacer.spend(0, signal);
        }
      }
    }
    return found;
  }

  /** Some keys that are to be moved out of a set, or to be cleaned up there, and where to go on. */
  #slice(set: ErasureSet, start: Uint8Array): { readonly keys: readonly ObjectKey[]; readonly next: Uint8Array | undefined } {
    const keys: ObjectKey[] = [];
    let visited = 0;
    let next: Uint8Array | undefined;
    const tag = start[0] as number;
    set.scan({ start, end: Uint8Array.of(tag + 1) }, (indexKey) => {
      if (visited++ === sliceEntriesMax || keys.length === keysAtOnceMax) {
        next = indexKey.slice();
        return false;
      }
      const key = objectKeyOf(indexKey);
      if (this.#isOutOfPlace(set, tag, key)) keys.push(key);
      return tag === keyTags.current || endOf(escapedKey(tag, key.bucketId, key.keyBytes));
    });
    return { keys, next };
  }

  #isOutOfPlace(set: ErasureSet, tag: number, key: ObjectKey): boolean {
    const { topology } = this.#context;
    if (tag !== keyTags.moving && topology.choose(key) === set) return false;
    if (this.#damaged.has(keyText(key))) return false;
    if (!topology.isSettled(key)) return true;
    this.#stray.add(keyText(key));
    return false;
  }

  async #moveAll(keys: readonly ObjectKey[]): Promise<void> {
    const outcomes = await Promise.allSettled(keys.map((key) => this.#move(key)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    this.#options.onProgress?.(this.#progress());
  }

  async #move(key: ObjectKey): Promise<void> {
    const { topology, keyGate } = this.#context;
    const { pacer = unhurried, signal } = this.#options;
    const { generation } = topology;
    // Whoever waits for the key does not wait for the pace.
    const pace = (bytes: number): Promise<void> => (keyGate.isAwaited(key) ? noPace() : pacer.spend(bytes, signal));
    try {
      await keyGate.run(key, async () => {
        throwIfAborted(signal);
        if (topology.isSettled(key)) return;
        this.#bytesMoved += await moveKey(planMove(this.#context, key, { pace, signal }));
        this.#keysMoved++;
      });
    } catch (error) {
      throwIfAborted(signal);
      if (topology.generation !== generation) return;
      if (!isHoldfastError(error) || error.kind !== "data") throw error;
      this.#damaged.set(keyText(key), key);
    }
  }
}
