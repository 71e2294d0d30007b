/**
 * One history of a store on simulated drives: clients that put, get, list and delete a few keys side by side, some under conditions, while
 * the power is cut at random moments, drives are away at some openings, and clients lose patience. What they saw is written down for the
 * checker of histories; the bytes of every body are compared with its entity tag on the way.
 *
 * Once a store takes writes again it is decided what became of the calls that a cut left without an answer: they are not taken to happen
 * later. A store with too few drives for writes decides nothing, and what it shows of such calls another opening may take back: there only
 * bytes are compared. Everything follows from the seed.
 */
import { ok, strictEqual } from "node:assert";
import { toHex, utf8 } from "../base/bytes.ts";
import { createManualClock } from "../base/clock.ts";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import { computeDigest } from "../codec/digest.ts";
import type { Drive } from "../drive/drive.ts";
import { openStore, type Store } from "../engine.ts";
import type { Bucket } from "../object/bucket.ts";
import { CrashWorld } from "./crash-drive.ts";
import { HistoryRecorder, type RegisterCall, type RegisterOperation } from "./linearizability.ts";

export interface TrialShape {
  readonly data: number;
  readonly parity: number;
}

/** What a trial was made of. */
export interface TrialReport {
  readonly operations: readonly RegisterOperation[];
  readonly crashes: number;
  readonly unanswered: number;
}

/** Puts something between the store and a drive of a trial. */
export type WatchDrive = (drive: Drive, number: number) => Drive;

const clients = 8;
const keys = ["a", "b", "c"];
const crashesMax = 6;
const callsPerClientMax = 12;
const bodyBytesMax = 2500;
const settings = {
  memory: true,
  threads: 0,
  inlineLimit: 700,
  stripeSize: 64 * KiB,
  packSize: 64 * KiB,
  batch: { operations: 5 },
} as const;

/** Runs one history. */
export async function runRegisterTrial(seed: number, shape: TrialShape, watch: WatchDrive = (drive) => drive): Promise<TrialReport> {
  const trial = new Trial(seed, shape, watch);
  await trial.run();
  const { operations } = trial.recorder;
  return { operations, crashes: trial.crashes, unanswered: operations.filter(({ answer }) => answer === undefined).length };
}

class Trial {
  readonly recorder = new HistoryRecorder();
  crashes = 0;
  readonly #seed: number;
  readonly #shape: TrialShape;
  readonly #watch: WatchDrive;
  readonly #random: ReturnType<typeof createSeededRandom>;
  #world: CrashWorld;
  #bodies = 0;

  constructor(seed: number, shape: TrialShape, watch: WatchDrive) {
    this.#seed = seed;
    this.#watch = watch;
    this.#shape = shape;
    this.#random = createSeededRandom(seed);
    this.#world = CrashWorld.create(shape.data + shape.parity, seed);
  }

  async run(): Promise<void> {
    const first = await this.#open(new Set());
    await first.createBucket("registers");
    await first.close();
    for (let left = this.#random.below(crashesMax + 1); left > 0; left--) {
      const cut = this.#world.cutAfter(1 + this.#random.below(60 * this.#world.drives.length));
      await Promise.race([cut, this.#session(this.#absentDrives())]);
      this.#world = this.#world.crash(this.#random.below(4) === 0 ? "process kill" : "power cut", this.#seed * 16 + left);
      this.crashes++;
    }
    await this.#session(new Set());
    for (const number of this.recorder.underWay) this.recorder.lost(number, "ever");
  }

  /** Ends by itself, or never when the power is cut. */
  async #session(absent: ReadonlySet<number>): Promise<void> {
    const opened = await this.#open(absent).catch((error: unknown) => {
      if (absent.size > 0 && isHoldfastError(error, "TAIL_UNDECIDED", "DRIVES_MISSING")) return undefined;
      throw error;
    });
    if (opened === undefined) return;
    const bucket = opened.bucket("registers");
    if ((await opened.status()).writable) {
      for (const number of this.recorder.underWay) this.recorder.lost(number, "now");
      await Promise.all(Array.from({ length: clients }, (_, client) => this.#client(client, bucket)));
      for (const key of keys) await this.#get(clients, key, bucket);
    } else for (const key of keys) await compareBytes(key, bucket).catch(ifUnreadable);
    await opened.close();
  }

  #open(absent: ReadonlySet<number>): Promise<Store> {
    const { data, parity } = this.#shape;
    const { drives } = this.#world;
    return openStore(
      { ...settings, erasure: { data, parity } },
      {
        clock: createManualClock(),
        random: createSeededRandom(this.#seed),
        wrapDrive: (_, path) => {
          const number = Number(path.split(":")[1]);
          if (absent.has(number)) throw new HoldfastError("DRIVE_NOT_FOUND", `${path} is away`);
          return this.#watch(drives[number] as Drive, number);
        },
      },
    );
  }

  #absentDrives(): Set<number> {
    const absent = new Set<number>();
    const count = this.#random.below(2) === 0 ? this.#random.below(this.#shape.parity + 1) : 0;
    while (absent.size < count) absent.add(this.#random.below(this.#world.drives.length));
    return absent;
  }

  async #client(client: number, bucket: Bucket): Promise<void> {
    const random = createSeededRandom(this.#random.below(2 ** 31));
    const seen = new Map<string, string | undefined>();
    for (let calls = 1 + random.below(callsPerClientMax); calls > 0; calls--) {
      const key = keys[random.below(keys.length)] as string;
      const choice = random.below(12);
      if (choice < 4) seen.set(key, await this.#get(client, key, bucket));
      else if (choice === 4) await this.#list(client, bucket);
      else if (choice === 5)
        await this.#change(client, key, { kind: "delete", ifMatch: random.below(2) === 0 ? seen.get(key) : undefined }, bucket);
      else {
        const condition = choice < 8 ? {} : choice < 10 ? { ifMatch: seen.get(key) } : { ifNoneMatch: "*" as const };
        const body = utf8(`${this.#seed} ${++this.#bodies} `.padEnd(random.below(bodyBytesMax), "x"));
        const changed = this.#change(client, key, { kind: "put", tag: tagOf(body), ...condition }, bucket, body);
        // A client that has lost patience goes on with something else; its call may still happen.
        if (random.below(16) > 0) await changed;
        else changed.catch(() => undefined);
      }
    }
  }

  async #get(client: number, key: string, bucket: Bucket): Promise<string | undefined> {
    const number = this.recorder.called(client, key, { kind: "get" });
    const world = this.#world;
    try {
      const etag = await compareBytes(key, bucket);
      await answeredBy(world);
      this.recorder.answered(number, { kind: "found", tag: etag });
      return etag;
    } catch (error) {
      await answeredBy(world);
      if (isHoldfastError(error, "OBJECT_NOT_FOUND")) this.recorder.answered(number, { kind: "found", tag: undefined });
      else if (isHoldfastError(error, "DRIVES_MISSING")) this.recorder.withdrawn(number);
      else throw error;
      return undefined;
    }
  }

  /** A listing looks at every key at some moment of its own. */
  async #list(client: number, bucket: Bucket): Promise<void> {
    const numbers = keys.map((key) => this.recorder.called(client, key, { kind: "get" }));
    const world = this.#world;
    const found = new Map<string | undefined, string | undefined>();
    for await (const entry of bucket.list()) if (entry.key !== undefined) found.set(entry.key, entry.etag);
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
      if (isHoldfastError(error, "PRECONDITION_FAILED"))
        this.recorder.answered(number, { kind: "refused", tag: String(error.details.etag) });
      else if (isHoldfastError(error, "OBJECT_NOT_FOUND")) this.recorder.answered(number, { kind: "refused", tag: undefined });
      else {
        ok(isHoldfastError(error, "WRITE_QUORUM_LOST", "STORE_CLOSED"), error as Error);
        if (error.details.indeterminate !== true) this.recorder.withdrawn(number);
      }
    }
  }
}

/** The entity tag of what is there, after comparing all its bytes with it. */
async function compareBytes(key: string, bucket: Bucket): Promise<string> {
  const found = await bucket.get(key);
  strictEqual(tagOf(await found.bytes()), found.etag, `the bytes of ${key} are those of its entity tag`);
  return found.etag;
}

function ifUnreadable(error: unknown): void {
  if (!isHoldfastError(error, "OBJECT_NOT_FOUND", "DRIVES_MISSING")) throw error;
}

/** After a cut nobody is answered any more, whatever the process would have said. */
function answeredBy(world: CrashWorld): Promise<void> | undefined {
  return world.isCut ? new Promise(() => undefined) : undefined;
}

function tagOf(body: Uint8Array): string {
  return toHex(computeDigest("md5", body));
}
