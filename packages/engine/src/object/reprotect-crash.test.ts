import { expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import { computeDigest, type DigestName } from "../codec/digest.ts";
import { parseShardFileName } from "../format/blob-name.ts";
import { decodePackedLocation } from "../format/packed-location.ts";
import { blobFacts } from "../set/blob-facts.ts";
import type { OpenSet } from "../set/open-set.ts";
import { recodeSet } from "../set/recode-set.ts";
import { CrashWorld } from "../testing/crash-drive.ts";
import { initSetDrive, openTestSet } from "../testing/test-set.ts";
import { blobsOf } from "./key-entries.ts";
import { keyTags } from "./keys.ts";
import { createObjectStore, type ObjectStore } from "./object-store.ts";
import type { RecodePacked } from "./reprotect.ts";

const driveCount = 6;
const wide = { data: 4, parity: 2 };
const recodePacked: RecodePacked = (set, wanted, options) => recodeSet(set as OpenSet, wanted, options);

async function open(world: CrashWorld): Promise<{ readonly set: OpenSet; readonly store: ObjectStore }> {
  const settings = { stripeBytes: 64 * KiB, packBytesMax: 64 * KiB };
  const set = await openTestSet(world.drives, { profile: { data: 2, parity: 1 }, settings });
  const store = createObjectStore({
    sets: [set],
    chooseSet: () => set,
    homeSet: set,
    clock: createManualClock(),
    random: createSeededRandom(1),
    computeDigest: (name, bytes) => computeDigest(name as DigestName, bytes),
    settings: { inlineBytes: 700, etag: "md5", partBytesMin: 1 },
  });
  return { set, store };
}

/** Bodies of all sizes, one of them of parts. */
async function fill(store: ObjectStore): Promise<ReadonlyMap<string, string>> {
  const bucket = await store.createBucket("things");
  const bodies = new Map(Array.from({ length: 6 }, (_, i) => [`k${i}`, `body ${i} `.padEnd(100 + i * 300, "x")]));
  for (const [key, body] of bodies) await bucket.put(key, body);
  const upload = await bucket.createUpload("parts");
  for (const number of [1, 2, 3]) await upload.uploadPart(number, `part ${number}`.padEnd(number * 400, "y"));
  await upload.complete();
  return bodies.set("parts", await (await bucket.get("parts")).text());
}

async function expectBodies(store: ObjectStore, bodies: ReadonlyMap<string, string>): Promise<void> {
  for (const [key, body] of bodies) expect(await (await store.bucket("things").get(key)).text()).toBe(body);
}

/** The codes of everything in the bucket. */
function codes(set: OpenSet): Set<string> {
  const found = new Set<string>();
  set.scan({ start: Uint8Array.of(keyTags.current), end: undefined }, (key, load) => {
    const { value, payload } = load();
    const packed = payload === undefined ? [] : [decodePackedLocation(payload).layout];
    for (const { data, parity } of [...packed, ...blobsOf(key, value).map(blobFacts)]) found.add(`${data}+${parity}`);
    return true;
  });
  return found;
}

function shards(world: CrashWorld): string[] {
  return world.drives.flatMap(({ fileNames }) => fileNames.filter((name) => parseShardFileName(name) !== undefined));
}

it("a bucket gets another code over crashes at any moment, and every body stays what it is", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = createSeededRandom(seed);
    let world = CrashWorld.create(driveCount, seed);
    await Promise.all(world.drives.map((drive) => initSetDrive(drive)));
    const first = await open(world);
    const bodies = await fill(first.store);
    expect(codes(first.set)).toEqual(new Set(["2+1"]));
    await first.set.close();
    for (let crashes = 0; crashes < 3; crashes++) {
      const { store } = await open(world);
      await expectBodies(store, bodies);
      const cut = world.cutAfter(1 + random.below(150));
      const work = store.upkeep.reprotect("things", wide, { recodePacked });
      // What a process without power would say later, nobody hears.
      work.catch(() => undefined);
      await Promise.race([cut, work]);
      world = world.crash(random.below(3) === 0 ? "process kill" : "power cut", seed * 16 + crashes);
    }
    const { store, set } = await open(world);
    await expectBodies(store, bodies);
    await store.upkeep.reprotect("things", wide, { recodePacked });
    await expectBodies(store, bodies);
    expect(codes(set)).toEqual(new Set(["4+2"]));
    for (const key of bodies.keys()) await store.bucket("things").delete(key);
    await set.close();
    expect(shards(world)).toEqual([]);
  }
});
