import { systemClock } from "../base/clock.ts";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import type { Bucket } from "../object/bucket.ts";
import { patterned } from "./temporary-store.ts";
import type { KnownBody, NotedOperation, WriterLine, WriterOrder } from "./writer-protocol.ts";

const keysOfLane = 8;
const chainKeys = 3;
const seeds = 2 ** 21;
/** After a failure, so that a store that refuses everything is not asked in a tight loop. */
const failurePauseMs = 5;
const smallBytesMax = 6 * KiB;
type Body = readonly [seed: number, size: number];

/** What a lane works with. */
export interface LaneParts {
  readonly bucket: Bucket;
  readonly lane: number;
  readonly order: WriterOrder;
  readonly say: (line: WriterLine) => void;
  readonly nextNumber: () => number;
}

/** The operations there are, and how often each is chosen among a hundred. */
const mix = [
  [25, "small"],
  [15, "large"],
  [12, "putMany"],
  [12, "delete"],
  [4, "deleteMany"],
  [8, "multipart"],
  [8, "ifAbsent"],
  [8, "chain"],
  [8, "read"],
] as const;
type Choice = (typeof mix)[number][1];

/**
 * One line of work of a writer. It has keys of its own, with one operation under way at a time, so that at any moment a key has at most one
 * pending change. The keys `chain/…` belong to all lanes: each put there names the body it replaces, so what is there at the end
 * must lead back over every acknowledged put.
 */
export class WriterLane {
  readonly #parts: LaneParts;
  readonly #random: ReturnType<typeof createSeededRandom>;
  /** What this lane knows to be there. */
  readonly #known = new Map<string, KnownBody>();
  /** Counts up when the fate of a change is not known: its keys are left alone from then on. */
  #generation = 0;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#random = createSeededRandom(parts.order.seed * 1000 + parts.lane);
  }

  async run(): Promise<never> {
    for (;;) {
      try {
        await this.#step(this.#choose());
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        this.#parts.say({ type: "unread", code: error.code });
        await systemClock.sleep(failurePauseMs);
      }
    }
  }

  #choose(): Choice {
    let at = this.#random.below(100);
    for (const [weight, choice] of mix) {
      if (at < weight) return choice;
      at -= weight;
    }
    throw new Error("the mix adds up to a hundred");
  }

  #step(choice: Choice): Promise<unknown> {
    const { bucket } = this.#parts;
    const key = this.#key();
    switch (choice) {
      case "small":
        return this.#put(key, this.#small());
      case "large":
        return this.#put(key, this.#large());
      case "putMany":
        return this.#putMany(this.#keys(5).map((name) => [name, this.#small()] as const));
      case "delete":
        return this.#report({ changes: [[key, null]] }, () => bucket.delete(key));
      case "deleteMany": {
        const names = this.#keys(4);
        return this.#report({ changes: names.map((name) => [name, null] as const) }, async () =>
          throwFailed(await bucket.deleteMany(names)),
        );
      }
      case "multipart":
        return this.#multipart(key, this.#large());
      case "ifAbsent":
        return this.#putIfAbsent(key, this.#random.below(2) === 0 ? this.#small() : this.#large());
      case "chain":
        return this.#putToChain(`chain/${this.#random.below(chainKeys)}`);
      case "read":
        return this.#read(key);
    }
  }

  #key(): string {
    return `lane-${this.#parts.lane}.${this.#generation}/${this.#random.below(keysOfLane)}`;
  }

  #keys(count: number): string[] {
    return [...new Set(Array.from({ length: count }, () => this.#key()))];
  }

  #small(): Body {
    return [this.#random.below(seeds), this.#random.below(smallBytesMax)];
  }

  #large(): Body {
    return [this.#random.below(seeds), 9 * KiB + this.#random.below(this.#parts.order.largeBytesMax - 9 * KiB)];
  }

  #put(key: string, body: Body): Promise<unknown> {
    return this.#report({ changes: [[key, body]] }, () => this.#parts.bucket.put(key, bytesOf(body)));
  }

  #putMany(entries: readonly (readonly [key: string, body: Body])[]): Promise<unknown> {
    return this.#report({ changes: entries }, async () =>
      throwFailed(await this.#parts.bucket.putMany(entries.map(([key, body]) => ({ key, body: bytesOf(body) })))),
    );
  }

  /** Three of four uploads are completed; the others stay as they are. */
  async #multipart(key: string, body: Body): Promise<void> {
    const complete = this.#random.below(4) > 0;
    const upload = await this.#parts.bucket.createUpload(key).catch(failedUpload);
    const part = await upload?.uploadPart(1, bytesOf(body)).catch(failedUpload);
    if (upload === undefined || part === undefined || !complete) return;
    await this.#report({ changes: [[key, body]] }, () => upload.complete([{ partNumber: 1, etag: part.etag }]));
  }

  async #putIfAbsent(key: string, body: Body): Promise<void> {
    const before = this.#known.get(key);
    const won = await this.#report({ changes: [[key, body]] }, () => this.#parts.bucket.put(key, bytesOf(body), { ifNoneMatch: "*" }));
    if (before === undefined || won === undefined) return;
    if (won !== (before === null)) throw new Error(`ifNoneMatch on ${key} ${won ? "won" : "lost"} against ${JSON.stringify(before)}`);
  }

  async #putToChain(key: string): Promise<void> {
    const { bucket } = this.#parts;
    const before = await headOf(bucket, key);
    const body = this.#small();
    const condition = before === undefined ? { ifNoneMatch: "*" as const } : { ifMatch: before.etag };
    const replaces = before === undefined ? null : Number(before.metadata.seed);
    const metadata = { seed: String(body[0]), size: String(body[1]) };
    await this.#report({ changes: [[key, body]], replaces }, () => bucket.put(key, bytesOf(body), { ...condition, metadata }));
  }

  /** What is acknowledged is read at once, also while everything goes wrong. */
  async #read(key: string): Promise<void> {
    const expected = this.#known.get(key);
    if (expected === undefined) return;
    const bytes = await bytesAt(this.#parts.bucket, key);
    const same = expected === null ? bytes === null : bytes !== null && Buffer.compare(bytes, bytesOf(expected)) === 0;
    if (!same) throw new Error(`${key} reads as ${bytes?.byteLength ?? "nothing"}, acknowledged was ${JSON.stringify(expected)}`);
  }

  /** Runs an operation between its two lines. True when it was done, false when its condition failed, undefined for other failures. */
  async #report(operation: Omit<NotedOperation, "number">, run: () => Promise<unknown>): Promise<boolean | undefined> {
    const { say, nextNumber } = this.#parts;
    const number = nextNumber();
    say({ type: "begin", number, ...operation });
    try {
      await run();
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      const indeterminate = error.details.indeterminate === true;
      say({ type: "failed", number, code: error.code, indeterminate });
      if (indeterminate) this.#generation++;
      if (error.code === "PRECONDITION_FAILED") return false;
      await systemClock.sleep(failurePauseMs);
      return undefined;
    }
    say({ type: "done", number });
    if (operation.replaces === undefined) for (const [key, body] of operation.changes) this.#known.set(key, body);
    return true;
  }
}

function bytesOf([seed, size]: Body): Uint8Array {
  return patterned(size, seed);
}

/** Nothing of an upload is to be seen before it is complete. */
function failedUpload(error: unknown): undefined {
  if (!isHoldfastError(error)) throw error;
}

/** The small objects of one call share a commit, so they share its fate. */
function throwFailed(results: readonly ({ readonly ok: true } | { readonly ok: false; readonly error: Error })[]): void {
  for (const result of results) if (!result.ok) throw result.error;
}

async function headOf(bucket: Bucket, key: string): Promise<Awaited<ReturnType<Bucket["head"]>> | undefined> {
  try {
    return await bucket.head(key);
  } catch (error) {
    if (isHoldfastError(error, "OBJECT_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** The bytes at a key; null when there is no object. */
export async function bytesAt(bucket: Bucket, key: string): Promise<Uint8Array | null> {
  try {
    return await (await bucket.get(key)).bytes();
  } catch (error) {
    if (isHoldfastError(error, "OBJECT_NOT_FOUND", "BUCKET_NOT_FOUND")) return null;
    throw error;
  }
}
