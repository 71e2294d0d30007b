/**
 * Whole stores with spoilt files: opened and read, on at most m damaged drives everything is there, beyond that errors or right bytes.
 * `HOLDFAST_SPOILT` sets how many for each store, `HOLDFAST_SPOILT_SEED` replays one.
 */
import { expect, it } from "vitest";
import { makeStoreImage, readFiles, type StoreImage, trySpoilt } from "../src/testing/spoilt-store.ts";
import { tally } from "../src/testing/tally.ts";

const stores = Number(process.env.HOLDFAST_SPOILT ?? 150);
const replayed = process.env.HOLDFAST_SPOILT_SEED;
const hangMs = 30_000;

/** A store that answers no more must not take the name of its seed with it. */
function withWatch<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const watch = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), hangMs);
  });
  return Promise.race([work, watch]).finally(() => clearTimeout(timer));
}

async function tryAll(image: StoreImage, name: string): Promise<Record<string, number>> {
  const width = image.drives.length;
  const found: Record<string, number> = { stores: 0, refused: 0, unreadable: 0, doubtful: 0, forgotten: 0, stale: 0 };
  const seeds = replayed === undefined ? Array.from({ length: stores }, (_, i) => i + 1) : [Number(replayed)];
  for (const seed of seeds) {
    const drives = seed % 2 === 0 ? 1 + ((seed >> 1) % width) : (seed >> 1) % (image.erasure.parity + 1);
    const outcome = await withWatch(trySpoilt(image, seed, drives)).catch((error: unknown) => {
      const replay = `replay with HOLDFAST_SPOILT_SEED=${seed} npx vitest run test/fuzz-store.test.ts -t "${name}"`;
      throw new Error(`${replay}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
    found.stores = (found.stores as number) + 1;
    if (outcome.refused !== undefined) found.refused = (found.refused as number) + 1;
    found.unreadable = (found.unreadable as number) + outcome.unreadable;
    found.doubtful = (found.doubtful as number) + outcome.doubtful;
    found.forgotten = (found.forgotten as number) + outcome.forgotten;
    found.stale = (found.stale as number) + outcome.stale;
    if (outcome.forgotten + outcome.stale > 0 && process.env.HOLDFAST_SPOILT_SHOW === "1")
      process.stdout.write(`${seed} ${JSON.stringify(outcome)}\n`);
  }
  return found;
}

it.each([
  [4, 2, "closed"],
  [4, 2, "crashed"],
  [2, 2, "closed"],
  [2, 1, "crashed"],
  [1, 1, "closed"],
  [1, 0, "closed"],
] as const)(
  "%d+%d, %s: spoilt files cost nothing within m drives and never give wrong bytes",
  { timeout: 60_000 + stores * 500 },
  async (data, parity, end) => {
    const image = await makeStoreImage({ data, parity }, end);
    const found = await tryAll(image, image.name);
    process.stdout.write(`${image.name}: ${JSON.stringify(found)}\n`);
    tally("spoilt stores", found.stores as number);
    if (replayed === undefined) expect(found.stores).toBe(stores);
    expect(found).toMatchObject({ forgotten: 0, stale: 0 });
  },
);

it("a pack copied from another drive is no copy of this drive's: recovery computes nothing from it", async () => {
  const image = await makeStoreImage({ data: 4, parity: 2 }, "crashed");
  const packs = [...(image.drives[4] ?? [])].filter(([name]) => name.startsWith("packs/"));
  const contents = image.drives.map((files) => new Map(files));
  contents[3]?.set("label", new Uint8Array(5));
  for (const [name, bytes] of packs) contents[5]?.set(name, bytes);
  expect(await readFiles(image, contents)).toEqual({ refused: undefined, unreadable: 0, doubtful: 0, forgotten: 0, stale: 0 });
});
