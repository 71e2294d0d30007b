/**
 * The same seed gives the same transcript: every call on every drive with the checksums of its bytes, every answer, in one order, and what
 * every client was told; over crashes, recoveries and drives away. What makes that so: a clock and a source of randomness that are given, no
 * worker threads, drives in memory, an index in memory, and nothing in the engine that depends on how long something took.
 */
import { expect, it } from "vitest";
import { createManualClock } from "../src/base/clock.ts";
import { createSeededRandom } from "../src/base/random.ts";
import { KiB } from "../src/base/units.ts";
import type { Drive } from "../src/drive/drive.ts";
import { openStore, type Store } from "../src/engine.ts";
import { CrashWorld } from "../src/testing/crash-drive.ts";
import { formatOperation } from "../src/testing/linearizability.ts";
import { runRegisterTrial } from "../src/testing/register-trial.ts";
import { tally } from "../src/testing/tally.ts";
import { patterned } from "../src/testing/temporary-store.ts";
import { transcriptDrive } from "../src/testing/transcript-drive.ts";

const seeds = Number(process.env.HOLDFAST_TRANSCRIPTS ?? 12);

/** Clients, crashes, reopenings, drives away. */
async function trial(seed: number): Promise<string[]> {
  const lines: string[] = [];
  const { operations } = await runRegisterTrial(seed, { data: 2, parity: 2 }, (drive, i) => transcriptDrive(drive, lines, `d${i}`));
  return [...lines, ...operations.map(formatOperation)];
}

/** Everything a store does in an ordinary life: large and small objects, uploads, copies, versions, verifying, closing, opening. */
async function life(seed: number): Promise<string[]> {
  const lines: string[] = [];
  const world = CrashWorld.create(6, seed);
  const clock = createManualClock();
  const random = createSeededRandom(seed);
  const open = (): Promise<Store> =>
    openStore(
      { memory: true, threads: 0, erasure: { data: 4, parity: 2 }, inlineLimit: 4 * KiB, stripeSize: 64 * KiB, packSize: 64 * KiB },
      { clock, random, wrapDrive: (_, path) => transcriptDrive(world.drives[Number(path.split(":")[1])] as Drive, lines, path) },
    );
  let store = await open();
  const bucket = await store.createBucket("things", { versioning: "enabled" });
  await Promise.all(Array.from({ length: 40 }, (_, i) => bucket.put(`k${i % 9}`, patterned(random.below(9000), i + 1))));
  clock.advance(5000);
  await bucket.put("large", patterned(300 * KiB, 7));
  await bucket.copy("large", "copy");
  const upload = await bucket.createUpload("parts");
  await Promise.all([1, 2].map((part) => upload.uploadPart(part, patterned(5 * 1024 * KiB, part))));
  await upload.complete([1, 2].map((partNumber) => ({ partNumber })));
  await bucket.delete("k3");
  await store.close();
  store = await open();
  for await (const entry of store.bucket("things").listVersions()) lines.push(JSON.stringify(entry));
  lines.push(JSON.stringify(await store.verify()), JSON.stringify(await store.status()));
  await store.close();
  return lines;
}

function expectSame(first: readonly string[], second: readonly string[], what: string): void {
  const at = first.findIndex((line, i) => line !== second[i]);
  if (at < 0 && first.length === second.length) return;
  throw new Error(`${what}: line ${at} of ${first.length} and ${second.length} differs: "${first[at]}" and then "${second[at]}"`);
}

it("histories with crashes have one transcript for each seed", { timeout: 60_000 + seeds * 5000 }, async () => {
  let lines = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const first = await trial(seed);
    expectSame(first, await trial(seed), `the history of seed ${seed}`);
    lines += first.length;
  }
  expect((await trial(1)).join()).not.toBe((await trial(2)).join());
  expect(lines).toBeGreaterThan(seeds * 500);
  tally("transcripts compared", seeds);
});

it("a store's ordinary life has one transcript for each seed", { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 3; seed++) {
    const first = await life(seed);
    expectSame(first, await life(seed), `the life of seed ${seed}`);
    expect(first.length).toBeGreaterThan(1000);
  }
});
