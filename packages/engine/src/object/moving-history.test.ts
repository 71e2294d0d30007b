/**
 * Histories of clients that share keys while these move between two sets, there and back, with the power cut in between: whatever the
 * clients saw must be explained by calls that happened one after another.
 */
import { ok, strictEqual } from "node:assert";
import { expect, it } from "vitest";
import { toHex, utf8 } from "../base/bytes.ts";
import { createManualClock } from "../base/clock.ts";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom, type Random } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import { computeDigest, type DigestName } from "../codec/digest.ts";
import type { OpenSet } from "../set/open-set.ts";
import { CrashWorld } from "../testing/crash-drive.ts";
import { checkLinearizability, HistoryRecorder, type RegisterCall } from "../testing/linearizability.ts";
import { initSetDrive, openTestSet } from "../testing/test-set.ts";
import type { Bucket } from "./bucket.ts";
import { createObjectStore, type ObjectStore } from "./object-store.ts";
import type { ChooseSet } from "./topology.ts";

const drivesPerSet = 3;
const keys = ["a", "b", "c"];
const clients = 5;

/** What an owner keeps durably: the number of the mapping, and of those by which keys may still lie. */
interface Mappings {
  now: number;
  previous: readonly number[];
}

interface Opened {
  readonly store: ObjectStore;
  readonly sets: readonly OpenSet[];
}

class Trial {
  readonly recorder = new HistoryRecorder();
  readonly #random: Random;
  readonly #mappings: Mappings = { now: 0, previous: [] };
  readonly #versioning: "off" | "enabled";
  #world: CrashWorld;
  #bodies = 0;
  moved = 0;

  constructor(seed: number, versioning: "off" | "enabled") {
    this.#random = createSeededRandom(seed);
    this.#world = CrashWorld.create(2 * drivesPerSet, seed);
    this.#versioning = versioning;
  }

  async run(): Promise<void> {
    await Promise.all(this.#world.drives.map((drive) => initSetDrive(drive)));
    const first = await this.#open();
    await first.store.createBucket("registers", { versioning: this.#versioning });
    await Promise.all(first.sets.map((set) => set.close()));
    for (let crashes = this.#random.below(4); crashes > 0; crashes--) {
      const cut = this.#world.cutAfter(1 + this.#random.below(400));
      const session = this.#session();
      // What a process without power would say later, nobody hears.
      session.catch(() => undefined);
      await Promise.race([cut, session]);
      this.#world = this.#world.crash(this.#random.below(4) === 0 ? "process kill" : "power cut", this.#random.below(1e6));
    }
    await this.#session();
  }

  async #open(): Promise<Opened> {
    const sets: OpenSet[] = [];
    for (const at of [0, 1]) {
      const drives = this.#world.drives.slice(at * drivesPerSet, (at + 1) * drivesPerSet);
      const settings = { stripeBytes: 64 * KiB, packBytesMax: 64 * KiB, batchOperationsMax: 4 };
      sets.push(await openTestSet(drives, { profile: { data: 2, parity: 1 }, settings }));
    }
    const store = createObjectStore({
      sets,
      chooseSet: mapping(sets, this.#mappings.now),
      previous: this.#mappings.previous.map((number) => mapping(sets, number)),
      homeSet: sets[0] as OpenSet,
      clock: createManualClock(),
      random: createSeededRandom(1),
      computeDigest: (name, bytes) => computeDigest(name as DigestName, bytes),
      settings: { inlineBytes: 700, etag: "md5", moveRecordsMax: this.#random.below(2) === 0 ? 2 : undefined },
    });
    return { store, sets };
  }

  async #session(): Promise<void> {
    const opened = await this.#open();
    for (const number of this.recorder.underWay) this.recorder.lost(number, "now");
    const bucket = opened.store.bucket("registers");
    const working = Promise.all(Array.from({ length: clients }, (_, client) => this.#client(client, bucket)));
    let isOver = false;
    const over = working.finally(() => (isOver = true));
    over.catch(() => undefined);
    while (!isOver) await this.#remap(opened);
    await over;
    for (const key of keys) await this.#get(clients, key, bucket);
    await Promise.all(opened.sets.map((set) => set.close()));
  }

  /** What an owner does: durable first. */
  async #remap({ store, sets }: Opened): Promise<void> {
    const mappings = this.#mappings;
    const world = this.#world;
    mappings.previous = [...new Set([mappings.now, ...mappings.previous])];
    mappings.now = this.#random.below(8);
    const change = (): Promise<void> =>
      store.upkeep.changeTopology({
        sets,
        chooseSet: mapping(sets, mappings.now),
        previous: mappings.previous.map((number) => mapping(sets, number)),
      });
    await change();
    await answeredBy(world);
    if (mappings.previous.length < 3 && this.#random.below(3) === 0) return;
    const { keysMoved, keysDamaged } = await store.upkeep.moveKeys();
    await answeredBy(world);
    strictEqual(keysDamaged, 0);
    this.moved += keysMoved;
    mappings.previous = [];
    if (this.#random.below(2) === 0) await change();
  }

  async #client(client: number, bucket: Bucket): Promise<void> {
    const random = createSeededRandom(this.#random.below(2 ** 31));
    const seen = new Map<string, string | undefined>();
    for (let calls = 4 + random.below(10); calls > 0; calls--) {
      const key = keys[random.below(keys.length)] as string;
      const choice = random.below(12);
      if (choice < 3) seen.set(key, await this.#get(client, key, bucket));
      else if (choice === 3) await this.#list(client, bucket);
      else if (choice === 4) {
        await this.#change(client, key, { kind: "delete", ifMatch: random.below(2) === 0 ? seen.get(key) : undefined }, bucket);
      } else {
        const condition = choice < 7 ? {} : choice < 10 ? { ifMatch: seen.get(key) } : { ifNoneMatch: "*" as const };
        const body = utf8(`${++this.#bodies} `.padEnd(random.below(1500), "x"));
        await this.#change(client, key, { kind: "put", tag: tagOf(body), ...condition }, bucket, body);
      }
    }
  }

  async #get(client: number, key: string, bucket: Bucket): Promise<string | undefined> {
    const number = this.recorder.called(client, key, { kind: "get" });
    const world = this.#world;
    const found = await bucket.get(key).then(
      async (object) => {
        strictEqual(tagOf(await object.bytes()), object.etag);
        return object.etag;
      },
      (error: unknown) => {
        if (!isHoldfastError(error, "OBJECT_NOT_FOUND")) throw error;
        return undefined;
      },
    );
    await answeredBy(world);
    this.recorder.answered(number, { kind: "found", tag: found });
    return found;
  }

  /** A listing looks at every key at some moment of its own. */
  async #list(client: number, bucket: Bucket): Promise<void> {
    const numbers = keys.map((key) => this.recorder.called(client, key, { kind: "get" }));
    const world = this.#world;
    const found = new Map<string | undefined, string | undefined>();
    const { entries } = await bucket.listPage();
    strictEqual(new Set(entries.map(({ key }) => key)).size, entries.length);
    for (const entry of entries) found.set(entry.key, entry.etag);
    await answeredBy(world);
    for (const [i, number] of numbers.entries()) this.recorder.answered(number, { kind: "found", tag: found.get(keys[i]) });
  }

  async #change(
    client: number,
    key: string,
    call: Exclude<RegisterCall, { kind: "get" }>,
    bucket: Bucket,
    body?: Uint8Array,
  ): Promise<void> {
    const number = this.recorder.called(client, key, call);
    const world = this.#world;
    try {
      if (call.kind === "delete") await bucket.delete(key, { ifMatch: call.ifMatch });
      else await bucket.put(key, body as Uint8Array, { ifMatch: call.ifMatch, ifNoneMatch: call.ifNoneMatch });
      await answeredBy(world);
      this.recorder.answered(number, { kind: "done" });
    } catch (error) {
      await answeredBy(world);
      if (isHoldfastError(error, "PRECONDITION_FAILED")) {
        this.recorder.answered(number, { kind: "refused", tag: String(error.details.etag) });
      } else {
        ok(isHoldfastError(error, "OBJECT_NOT_FOUND"), error as Error);
        this.recorder.answered(number, { kind: "refused", tag: undefined });
      }
    }
  }
}

/** One of eight ways to spread three keys over two sets. */
function mapping(sets: readonly OpenSet[], number: number): ChooseSet {
  return (_, keyBytes) => sets[(number >>> ((keyBytes[0] as number) - 0x61)) & 1] as OpenSet;
}

/** After a cut nobody is answered any more, whatever the process would have said. */
function answeredBy(world: CrashWorld): Promise<void> | undefined {
  return world.isCut ? new Promise(() => undefined) : undefined;
}

function tagOf(body: Uint8Array): string {
  return toHex(computeDigest("md5", body));
}

it.each(["off", "enabled"] as const)(
  "what clients see while keys move is linearizable, over crashes, with versioning %s",
  async (versioning) => {
    let moved = 0;
    for (let seed = 1; seed <= 14; seed++) {
      const trial = new Trial(seed, versioning);
      await trial.run();
      const verdict = checkLinearizability(trial.recorder.operations);
      expect({ seed, ...verdict }).toMatchObject({ seed, linearizable: true });
      moved += trial.moved;
    }
    expect(moved).toBeGreaterThan(20);
  },
);
