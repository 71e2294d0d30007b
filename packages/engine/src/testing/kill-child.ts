/**
 * A process that changes a store until it is killed. Arguments: the settings as JSON, a seed. It prints `start`, `open` once that is done, then a line of
 * JSON before each operation (`ChildOperation`) and the operation's number once it is acknowledged. Lanes run side by side; each has keys
 * of its own, and one operation under way at a time, so that at any moment a key has at most one pending change.
 */
import { writeSync } from "node:fs";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import { openStore } from "../engine.ts";
import type { Bucket } from "../object/bucket.ts";
import type { StoreSettings } from "../store/settings.ts";
import { patterned } from "./temporary-store.ts";

/** An operation that begins. */
export interface ChildOperation {
  readonly number: number;
  /** Keys and what becomes of them: the seed and size of a body, or null for deleted. All or nothing of them. */
  readonly changes: readonly (readonly [key: string, body: readonly [seed: number, size: number] | null])[];
}

/** Settings that make everything happen within a fraction of a second: packs that fill, blobs of several stripes. */
export const killSettings = {
  erasure: { data: 2, parity: 1 },
  inlineLimit: 8 * KiB,
  stripeSize: 64 * KiB,
  packSize: 256 * KiB,
  threads: 0,
} as const satisfies StoreSettings;

const lanes = 6;
const keysOfLane = 8;
type Body = readonly [seed: number, size: number];

let operations = 0;

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

/** Runs an operation between its two lines. */
async function report(changes: ChildOperation["changes"], run: () => Promise<unknown>): Promise<void> {
  const number = operations++;
  say(JSON.stringify({ number, changes } satisfies ChildOperation));
  await run();
  say(String(number));
}

function bytesOf([seed, size]: Body): Uint8Array {
  return patterned(size, seed);
}

async function runLane(bucket: Bucket, lane: number, seed: number): Promise<never> {
  const random = createSeededRandom(seed * 1000 + lane);
  const key = (): string => `lane-${lane}/${random.below(keysOfLane)}`;
  const keys = (count: number): string[] => [...new Set(Array.from({ length: count }, key))];
  const small = (): Body => [random.below(1e9), random.below(6 * KiB)];
  const large = (): Body => [random.below(1e9), 9 * KiB + random.below(200 * KiB)];
  for (;;) {
    const choice = random.below(100);
    if (choice < 35) await putOne(bucket, key(), small());
    else if (choice < 55) await putOne(bucket, key(), large());
    else if (choice < 70) {
      const entries = keys(5).map((name) => ({ name, body: small() }));
      await report(
        entries.map(({ name, body }) => [name, body] as const),
        () => bucket.putMany(entries.map(({ name, body }) => ({ key: name, body: bytesOf(body) }))),
      );
    } else if (choice < 85) {
      const name = key();
      await report([[name, null]], () => bucket.delete(name));
    } else if (choice < 90) {
      const names = keys(4);
      await report(
        names.map((name) => [name, null] as const),
        () => bucket.deleteMany(names),
      );
    } else await multipart(bucket, key(), large(), { complete: choice < 97 });
  }
}

function putOne(bucket: Bucket, key: string, body: Body): Promise<void> {
  return report([[key, body]], () => bucket.put(key, bytesOf(body)));
}

async function multipart(bucket: Bucket, key: string, body: Body, options: { complete: boolean }): Promise<void> {
  const upload = await bucket.createUpload(key);
  const { etag } = await upload.uploadPart(1, bytesOf(body));
  if (options.complete) await report([[key, body]], () => upload.complete([{ partNumber: 1, etag }]));
}

const [settings, seed] = process.argv.slice(2);
if (settings !== undefined) {
  say("start");
  const store = await openStore(JSON.parse(settings) as StoreSettings);
  const bucket = (await store.buckets()).length === 0 ? await store.createBucket("things") : store.bucket("things");
  say("open");
  await Promise.all(Array.from({ length: lanes }, (_, lane) => runLane(bucket, lane, Number(seed))));
}
