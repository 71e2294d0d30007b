/**
 * Random histories of a set that is compacted at random moments, with drives that come and go between sessions, against a map. Every session
 * may begin with the index as the last one left it, as an earlier one left it, or with none.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { packOf } from "../format/packed-location.ts";
import { createMemoryIndex } from "../index/memory-index.ts";
import type { OrderedIndex } from "../index/ordered-index.ts";
import { bodyOf, inPieces, keyOf, namesOf, readBlob } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import { compactSet } from "./compact-set.ts";
import type { BlobLocation, PackedPayload, SetEntry } from "./erasure-set.ts";
import { measurePacks } from "./measure-packs.ts";
import type { OpenSet } from "./open-set.ts";

type Step =
  | { readonly do: "put"; readonly keys: readonly number[]; readonly length: number }
  | { readonly do: "remove"; readonly keys: readonly number[] }
  | { readonly do: "copy" | "move"; readonly from: number; readonly to: number }
  | { readonly do: "blob"; readonly key: number; readonly length: number }
  | { readonly do: "compact"; readonly tight: boolean; readonly endAfter: number | undefined }
  | { readonly do: "together"; readonly steps: readonly Step[] }
  | { readonly do: "reopen"; readonly index: "kept" | "old" | "none"; readonly away: readonly number[]; readonly clean: boolean };

const key = fc.nat({ max: 40 });
const keys = fc.array(key, { minLength: 1, maxLength: 12 });
const change: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ do: fc.constant("put" as const), keys, length: fc.nat({ max: 3000 }) }), weight: 6 },
  { arbitrary: fc.record({ do: fc.constant("remove" as const), keys }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constantFrom("copy" as const, "move" as const), from: key, to: key }), weight: 3 },
  { arbitrary: fc.record({ do: fc.constant("blob" as const), key, length: fc.integer({ min: 1, max: 20_000 }) }), weight: 1 },
);
const compaction: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("compact" as const),
  tight: fc.boolean(),
  endAfter: fc.option(fc.nat({ max: 12 }), { nil: undefined, freq: 3 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: change, weight: 10 },
  { arbitrary: compaction, weight: 3 },
  {
    arbitrary: fc.record({
      do: fc.constant("together" as const),
      steps: fc.array(fc.oneof({ arbitrary: change, weight: 4 }, compaction), { maxLength: 10 }),
    }),
    weight: 3,
  },
  {
    arbitrary: fc.record({
      do: fc.constant("reopen" as const),
      index: fc.constantFrom("kept" as const, "old" as const, "none" as const),
      away: fc.uniqueArray(fc.nat({ max: 4 }), { maxLength: 2 }),
      clean: fc.boolean(),
    }),
    weight: 2,
  },
);

const profile = { data: 3, parity: 2 };
const settings = { packBytesMax: 8 * KiB, packRecordsBytesMax: 2 * KiB, batchOperationsMax: 3, stripeBytes: 4 * KiB };

function copyOfIndex(index: OrderedIndex): OrderedIndex {
  const copy = createMemoryIndex();
  index.scan({ start: new Uint8Array(0), end: undefined }, (name, value) => {
    copy.write([{ key: name, value }]);
    return true;
  });
  return copy;
}

class History {
  readonly #model = new Map<string, Uint8Array>();
  readonly #drives: readonly Drive[];
  #set: OpenSet;
  #index: OrderedIndex;
  #oldIndex = createMemoryIndex();
  #counter = 0;

  private constructor(drives: readonly Drive[], set: OpenSet, index: OrderedIndex) {
    this.#drives = drives;
    this.#set = set;
    this.#index = index;
  }

  static async begin(): Promise<History> {
    const drives = await createSetDrives(5);
    const index = createMemoryIndex();
    return new History(drives, await openTestSet(drives, { profile, settings, index }), index);
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const each of steps) await this.#step(each);
    await this.#reopen({ do: "reopen", index: "none", away: [], clean: true });
    await this.#compact({ do: "compact", tight: true, endAfter: undefined });
    const { totalBytes, liveBytes } = await measurePacks(this.#set);
    expect(totalBytes).toBeLessThanOrEqual(1.2 * liveBytes + 4 * KiB);
    for (const away of [[], [0, 1], [2, 4]]) await this.#reopen({ do: "reopen", index: "none", away, clean: true });
    await this.#set.close();
  }

  #step(each: Step): Promise<void> {
    if (each.do === "reopen") return this.#reopen(each);
    if (each.do === "compact") return this.#compact(each);
    if (each.do === "together") return Promise.all(each.steps.map((inner) => this.#step(inner))).then(() => undefined);
    return this.#change(each);
  }

  /** The model changes in the order of the decisions. */
  async #change(each: Exclude<Step, { do: "reopen" | "compact" | "together" }>): Promise<void> {
    const set = this.#set;
    if (each.do === "blob") {
      const body = bodyOf(`blob${this.#counter++}`, each.length);
      const { blob } = await set.writeBlob(inPieces(body, 3000), { digests: [] });
      await set.commit({
        decide: (transaction) => {
          this.#forget(transaction, each.key);
          transaction.addBlob(blob);
          transaction.put(keyOf(`${each.key}`), blob);
          this.#model.set(`${each.key}`, body);
        },
      });
      return;
    }
    const bodies = each.do === "put" ? each.keys.map((name) => bodyOf(`${name} ${this.#counter++}`, each.length)) : [];
    await set.commit({
      payloads: bodies,
      decide: (transaction) => {
        if (each.do === "put" || each.do === "remove") {
          for (const [i, name] of each.keys.entries()) {
            this.#forget(transaction, name);
            if (each.do === "remove") continue;
            transaction.put(keyOf(`${name}`), utf8("packed"), i);
            this.#model.set(`${name}`, bodies[i] as Uint8Array);
          }
          return;
        }
        const entry = transaction.get(keyOf(`${each.from}`));
        if (each.from === each.to || entry === undefined || Buffer.from(entry.value).toString() !== "packed") return;
        this.#forget(transaction, each.to);
        transaction.put(keyOf(`${each.to}`), entry.value, entry.payload);
        this.#model.set(`${each.to}`, this.#model.get(`${each.from}`) as Uint8Array);
        if (each.do === "move") this.#forget(transaction, each.from);
      },
    });
  }

  #forget(transaction: Parameters<Parameters<OpenSet["commit"]>[0]["decide"]>[0], name: number): void {
    const entry = transaction.get(keyOf(`${name}`));
    if (entry !== undefined && Buffer.from(entry.value).toString() !== "packed")
      transaction.removeBlob(entry.value.slice() as BlobLocation);
    transaction.delete(keyOf(`${name}`));
    this.#model.delete(`${name}`);
  }

  async #compact({ tight, endAfter }: Extract<Step, { do: "compact" }>): Promise<void> {
    const ending = new AbortController();
    let left = endAfter ?? Number.POSITIVE_INFINITY;
    const pacer = {
      async spend(_: number, signal?: AbortSignal) {
        if (left-- === 0) ending.abort();
        signal?.throwIfAborted();
        await new Promise((resolve) => setImmediate(resolve));
      },
    };
    const goal = tight ? { target: 1.2, slackBytes: 2 * KiB } : { target: 2, slackBytes: 12 * KiB };
    try {
      const { victims } = await compactSet(this.#set, { ...goal, pacer, signal: ending.signal });
      this.#expectNothingIn(victims);
    } catch (error) {
      if (!ending.signal.aborted || !(isHoldfastError(error, "ABORTED") || (error as Error).name === "AbortError")) throw error;
    }
  }

  #expectNothingIn(victims: readonly number[]): void {
    this.#set.scan({ start: Uint8Array.of(1), end: undefined }, (_, entry) => {
      const { payload } = entry();
      if (payload !== undefined) expect(victims).not.toContain(packOf(payload));
      return true;
    });
  }

  async #reopen({ index, away, clean }: Extract<Step, { do: "reopen" }>): Promise<void> {
    const old = this.#oldIndex;
    this.#oldIndex = copyOfIndex(this.#index);
    const kept = copyOfIndex(this.#index);
    // A set that is left open stands for a process that was killed: nothing of it is under way.
    if (clean) await this.#set.close();
    else await new Promise((resolve) => setTimeout(resolve, 20));
    this.#index = index === "kept" ? kept : index === "old" ? old : createMemoryIndex();
    const drives = this.#drives.map((drive, i) => (away.includes(i) ? undefined : drive));
    this.#set = await openTestSet(drives, { profile, settings, index: this.#index });
    await this.#check();
  }

  async #check(): Promise<void> {
    expect(namesOf(this.#set)).toEqual([...this.#model.keys()].sort());
    for (const [name, body] of this.#model) {
      const entry = this.#set.get(keyOf(name)) as SetEntry;
      const isPacked = Buffer.from(entry.value).toString() === "packed";
      const bytes = isPacked
        ? this.#set.readPacked(entry.payload as PackedPayload)
        : readBlob(this.#set, entry.value.slice() as BlobLocation);
      expect(Buffer.compare(await bytes, body), name).toBe(0);
    }
  }
}

describe("a set that is compacted at random moments", () => {
  it("is the map it stands for, whatever index it is opened with, whichever drives were away", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const history = await History.begin();
        await history.run(steps);
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });

  it("keeps what seeded long histories leave", async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const random = createSeededRandom(seed);
      const steps = fc.sample(step, { seed: random.below(2 ** 31), numRuns: 200 });
      await (await History.begin()).run(steps);
    }
  });
});
