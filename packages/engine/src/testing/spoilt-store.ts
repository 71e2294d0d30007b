/**
 * A small store whose files are spoilt, opened again and read. Whatever the damage: no crash, no hang, no bytes that were never put. On at most
 * m drives: everything is there. Beyond that nothing is forgotten, or found as it was before, without an error, with one exception: after a crash
 * the end of the log, damaged on too many drives, cannot be told from batches that were never acknowledged. Where one copy of the last pack is
 * whole these are the last two batches.
 */
import { strictEqual } from "node:assert";
import { createManualClock } from "../base/clock.ts";
import { type HoldfastError, isHoldfastError } from "../base/errors.ts";
import { createSeededRandom, type Random } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { createMemoryDrive } from "../drive/memory-drive.ts";
import { openStore, type Store } from "../engine.ts";
import { createFilledDrive, readDriveFiles } from "./drive-files.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import { patterned } from "./temporary-store.ts";

type Files = ReadonlyMap<string, Uint8Array>;

/** A store as it lies on its drives, and what must be read from it. */
export interface StoreImage {
  readonly name: string;
  readonly erasure: { readonly data: number; readonly parity: number };
  readonly drives: readonly Files[];
  readonly bodies: ReadonlyMap<string, Uint8Array>;
  /** Bodies that were overwritten or deleted. */
  readonly former: ReadonlyMap<string, readonly Uint8Array[]>;
  /** Keys of the last batches of a store that crashed. */
  readonly doubtful: ReadonlySet<string>;
}

/** What became of one spoilt store. */
export interface SpoiltOutcome {
  /** What was done to which file of which drive. */
  readonly damage: readonly string[];
  readonly drives: number;
  /** The code the opening ended with, if it did. */
  readonly refused: string | undefined;
  readonly unreadable: number;
  /** Objects said not to be there, or found as they were before, that lie in what may have been the torn end of the log before a crash. */
  readonly doubtful: number;
  /** Other objects that are said not to be there, though they were acknowledged. */
  readonly forgotten: number;
  /** Objects found as they were before they were overwritten or deleted. */
  readonly stale: number;
}

const bucketName = "things";
const settings = { memory: true, threads: 0, inlineLimit: 2 * KiB, stripeSize: 64 * KiB, packSize: 64 * KiB } as const;

function open(erasure: StoreImage["erasure"], drives: readonly Drive[]): Promise<Store> {
  const components = { clock: createManualClock(), random: createSeededRandom(1) };
  return openStore({ ...settings, erasure }, { ...components, wrapDrive: (_, path) => drives[Number(path.split(":")[1])] as Drive });
}

/** A store with small and large objects, overwritten and deleted ones, several packs; closed in order, or as a crash of the process leaves it. */
export async function makeStoreImage(erasure: StoreImage["erasure"], end: "closed" | "crashed"): Promise<StoreImage> {
  const plain = Array.from({ length: erasure.data + erasure.parity }, (_, i) => createMemoryDrive({ name: `memory:${i}` }));
  const store = await open(erasure, plain);
  const bucket = await store.createBucket(bucketName);
  const bodies = new Map<string, Uint8Array>();
  const former = new Map<string, Uint8Array[]>();
  const replace = (key: string, body: Uint8Array | undefined): void => {
    const old = bodies.get(key);
    if (old !== undefined) former.set(key, [...(former.get(key) ?? []), old]);
    if (body === undefined) bodies.delete(key);
    else bodies.set(key, body);
  };
  const put = async (key: string, body: Uint8Array): Promise<void> => {
    await bucket.put(key, body);
    replace(key, body);
  };
  await put("old", patterned(500, 90));
  await put("gone", patterned(500, 91));
  for (let i = 0; i < 40; i++) await put(`fill/${i % 13}`, patterned(1900 + i, i + 1));
  await put("empty", new Uint8Array(0));
  await put("tiny", patterned(3, 50));
  await put("old", patterned(700, 51));
  await bucket.delete("gone");
  replace("gone", undefined);
  await put("large", patterned(150 * KiB + 11, 52));
  await put("larger", patterned(70 * KiB, 53));
  await Promise.all(Array.from({ length: 9 }, (_, i) => put(`together/${i}`, patterned(100 * i, 60 + i))));
  if (end === "closed") await store.close();
  // An answer comes when enough drives have the write: let the others have it too, for they are not to count as damaged.
  else for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  const drives = await Promise.all(plain.map(async (drive) => readDriveFiles(end === "closed" ? await drive.reopen() : drive)));
  if (end === "crashed") await store.close();
  const last = [...bodies.keys()].filter((key) => key === "larger" || key.startsWith("together/"));
  const doubtful = new Set(end === "crashed" ? last : []);
  return { name: `${erasure.data}+${erasure.parity}, ${end}`, erasure, drives, bodies, former, doubtful };
}

/** Spoils files on `count` drives of the image and reads everything back. @throws when anything is wrong that must not be */
export async function trySpoilt(image: StoreImage, seed: number, count: number): Promise<SpoiltOutcome> {
  const random = createSeededRandom(seed);
  const contents = image.drives.map((files) => new Map(files));
  const damage: string[] = [];
  for (const drive of chosen(contents.length, count, random)) {
    for (let left = 1 + random.below(3); left > 0; left--) damage.push(`drive ${drive}: ${spoilFile(contents, drive, random)}`);
  }
  try {
    const found = await readFiles(hasWholeTail(image, contents) ? image : { ...image, doubtful: new Set(image.bodies.keys()) }, contents);
    if (count <= image.erasure.parity) strictEqual(JSON.stringify(found), JSON.stringify(nothing), "what was read");
    return { damage, drives: count, ...found };
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)} (${image.name}; ${damage.join("; ")})`, { cause: error });
  }
}

/** Whether a drive's last pack is as it was. */
function hasWholeTail(image: StoreImage, contents: readonly Files[]): boolean {
  if (image.doubtful.size === 0) return true;
  const lastPack = [...(image.drives[0] as Files).keys()]
    .filter((name) => name.startsWith("packs/"))
    .sort()
    .at(-1) as string;
  return contents.some(
    (files, i) => Buffer.compare(files.get(lastPack) ?? new Uint8Array(0), image.drives[i]?.get(lastPack) as Uint8Array) === 0,
  );
}

const nothing = { unreadable: 0, doubtful: 0, forgotten: 0, stale: 0 };

type Found = Omit<SpoiltOutcome, "damage" | "drives">;

/** Opens the image's store on drives with these files and reads everything. @throws when it finds bytes that were never put */
export async function readFiles(image: StoreImage, contents: readonly Files[]): Promise<Found> {
  const drives = await Promise.all(contents.map((files, i) => createFilledDrive(`memory:${i}`, files)));
  let store: Store;
  try {
    store = await open(image.erasure, drives);
  } catch (error) {
    return { refused: ofOurs(error).code, ...nothing };
  }
  try {
    return await readObjects(image, store);
  } finally {
    await store.close().catch(ofOurs);
  }
}

async function readObjects(image: StoreImage, store: Store): Promise<Found> {
  const found = { ...nothing };
  const bucket = store.bucket(bucketName);
  const keys = new Set(image.bodies.keys());
  try {
    for await (const entry of bucket.list()) keys.add(entry.key as string);
  } catch (error) {
    ofOurs(error);
    found.unreadable++;
  }
  for (const key of keys) {
    try {
      const bytes = await (await bucket.get(key)).bytes();
      if (isSame(bytes, image.bodies.get(key))) continue;
      strictEqual(image.former.get(key)?.some((body) => isSame(bytes, body)) ?? false, true, `${key} has bytes that were never put there`);
      found[image.doubtful.has(key) ? "doubtful" : "stale"]++;
    } catch (error) {
      if (["OBJECT_NOT_FOUND", "BUCKET_NOT_FOUND"].includes(ofOurs(error).code))
        found[image.doubtful.has(key) ? "doubtful" : "forgotten"]++;
      else found.unreadable++;
    }
  }
  return { refused: undefined, ...found };
}

function isSame(bytes: Uint8Array, body: Uint8Array | undefined): boolean {
  return body !== undefined && Buffer.compare(bytes, body) === 0;
}

function ofOurs(error: unknown): HoldfastError {
  if (isHoldfastError(error)) return error;
  throw error;
}

/** One way to spoil one file of a drive; says which. */
function spoilFile(contents: readonly Map<string, Uint8Array>[], drive: number, random: Random): string {
  const files = contents[drive] as Map<string, Uint8Array>;
  // Of its labels a store needs one: drives in memory without any are taken for new ones.
  const labelled = contents.filter((each) => each.has("label")).length;
  const names = [...files.keys()].sort().filter((each) => each !== "label" || labelled > 1);
  const name = names[random.below(names.length)];
  if (name === undefined) return "nothing left";
  const bytes = files.get(name) as Uint8Array;
  const isSmall = !name.includes("/");
  const others = isSmall ? [] : contents.flatMap((other) => other.get(name) ?? []);
  const way = random.below(12);
  if (way === 0) files.delete(name);
  else if (way === 1 && !isSmall) files.set(name, others[random.below(others.length)] as Uint8Array);
  else if (way === 2) files.set(name, new Uint8Array(bytes.byteLength));
  else if (way === 3 && !isSmall) {
    const other = names.filter((each) => each.includes("/"))[random.below(names.filter((each) => each.includes("/")).length)] as string;
    files.set(name, files.get(other) as Uint8Array);
    return `${name} replaced by ${other}`;
  } else files.set(name, spoilLarge(bytes, random, others));
  return `${["removed", "replaced", "zeroed"][way] ?? "spoilt"} ${name}`;
}

/** Several places of a file; of a large one only a window at a time, as mutations copy. */
function spoilLarge(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  if (bytes.byteLength < 2048 || random.below(4) === 0) return mutateBytes(bytes, random, others);
  const copy = new Uint8Array(bytes);
  for (let left = 1 + random.below(20); left > 0; left--) {
    const at = random.below(copy.byteLength);
    copy.set(random.bytes(Math.min(1 + random.below(64), copy.byteLength - at)), at);
  }
  return copy;
}

function chosen(width: number, count: number, random: Random): number[] {
  const all = Array.from({ length: width }, (_, i) => i);
  return Array.from({ length: count }, () => all.splice(random.below(all.length), 1)[0] as number);
}
