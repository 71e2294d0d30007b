/** Files of an index, spoilt in every way: found before they are mapped when they were closed or left open in this boot, and while they are open. */
import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { HoldfastError } from "../base/errors.ts";
import { createSeededRandom, type Random } from "../base/random.ts";
import { writeCheckpoint } from "./checkpoint-file.ts";
import { openIndexDirectory } from "./index-checkpoint.ts";
import { checkLmdbTree } from "./lmdb-tree.ts";
import type { OrderedIndex } from "./ordered-index.ts";

const facts = { setId: "a set", bootId: "this boot" };
let folder = "";
let folders = 0;
const freshFolder = (): string => join(folder, `index-${folders++}`);
const fileIn = (directory: string): string => join(directory, "index.lmdb");
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-index-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Overwritten, deleted and large entries, so that every kind of page is there and some are free. */
async function fill(index: OrderedIndex, random: Random): Promise<void> {
  for (let round = 0; round < 12; round++) {
    index.write(
      Array.from({ length: 100 }, () => ({
        key: utf8(`key-${random.below(1500)}`),
        value: random.below(4) === 0 ? undefined : random.bytes(random.below(30) === 0 ? 9000 : 40 + random.below(200)),
      })),
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function entriesOf(index: OrderedIndex): string[] {
  const entries: string[] = [];
  index.scan({ start: new Uint8Array(0), end: undefined }, (key, value) => {
    entries.push(`${Buffer.from(key).toString()}=${Buffer.from(value).toString("base64")}`);
    return true;
  });
  return entries;
}

const made = new Map<number, { readonly directory: string; readonly entries: string[] }>();

/** A directory with an index that was closed; with what is in it. There are four of them. */
async function makeIndex(seed: number): Promise<{ directory: string; entries: string[] }> {
  const directory = freshFolder();
  const known = made.get(seed % 4) ?? (await fillIndex(seed % 4));
  made.set(seed % 4, known);
  cpSync(known.directory, directory, { recursive: true });
  return { directory, entries: known.entries };
}

async function fillIndex(seed: number): Promise<{ directory: string; entries: string[] }> {
  const directory = freshFolder();
  const index = await openIndexDirectory(directory, facts);
  await fill(index, createSeededRandom(seed));
  const entries = entriesOf(index);
  await index.flush();
  await index.close();
  return { directory, entries };
}

const spoilers: Record<string, (path: string, random: Random) => void> = {
  "a bit of any page": (path, random) => {
    const bytes = readFileSync(path);
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    writeFileSync(path, bytes);
  },
  "bytes of a page's head": (path, random) =>
    spoil(path, random.below(8) + 4096 * random.below(readFileSync(path).length / 4096), random.bytes(16)),
  "a page of zeros": (path, random) => spoil(path, 4096 * random.below(readFileSync(path).length / 4096), new Uint8Array(4096)),
  "pages in each other's place": (path, random) => {
    const bytes = readFileSync(path);
    const [a, b] = [4096 * random.below(bytes.length / 4096), 4096 * random.below(bytes.length / 4096)];
    spoil(path, a, bytes.subarray(b, b + 4096));
    spoil(path, b, bytes.subarray(a, a + 4096));
  },
  "no end": (path, random) => truncateSync(path, 1 + random.below(readFileSync(path).length - 1)),
  "no content": (path) => truncateSync(path, 0),
};

function spoil(path: string, at: number, bytes: Uint8Array): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

describe.each(Object.entries(spoilers))("an index with %s", (_, spoilFile) => {
  it("is not used again after it was closed, unless nothing was changed", async () => {
    for (let seed = 1; seed <= 15; seed++) {
      const { directory, entries } = await makeIndex(seed);
      const before = readFileSync(fileIn(directory));
      spoilFile(fileIn(directory), createSeededRandom(seed * 1000));
      const isSame = Buffer.compare(before, readFileSync(fileIn(directory))) === 0;
      const index = await openIndexDirectory(directory, facts);
      expect(entriesOf(index), `seed ${seed}`).toEqual(isSame ? entries : []);
      expect(index.renewal?.found?.code, `seed ${seed}`).toBe(isSame ? undefined : "INDEX_DAMAGED");
      await index.close();
    }
  });

  it("is used after a crash in the same boot only with every entry in it", async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const { directory, entries } = await makeIndex(seed);
      spoilFile(fileIn(directory), createSeededRandom(seed * 1000));
      await writeCheckpoint(directory, { ...facts, file: "index.lmdb", closed: undefined });
      const index = await openIndexDirectory(directory, facts);
      const found = entriesOf(index);
      if (found.length > 0) expect(found, `seed ${seed}`).toEqual(entries);
      await index.close();
    }
  });
});

describe("the file of an index", () => {
  it("passes in every state a process may leave it in", async () => {
    const random = createSeededRandom(3);
    const directory = freshFolder();
    const index = await openIndexDirectory(directory, facts);
    for (let round = 0; round < 8; round++) {
      await fill(index, random);
      await index.flush();
      copyFileSync(fileIn(directory), `${fileIn(directory)}.copy`);
      await checkLmdbTree(`${fileIn(directory)}.copy`);
    }
    await index.close();
    await checkLmdbTree(fileIn(directory));
    await checkLmdbTree(join(directory, "never"));
  });

  it("of an older state is not used in place of the one that was closed", async () => {
    const { directory } = await makeIndex(1);
    copyFileSync(fileIn(directory), join(directory, "old"));
    const second = await openIndexDirectory(directory, facts);
    second.write([{ key: utf8("new"), value: utf8("new") }]);
    await second.flush();
    await second.close();
    copyFileSync(join(directory, "old"), fileIn(directory));
    const third = await openIndexDirectory(directory, facts);
    expect(third.count()).toBe(0);
    await third.close();
  });
});

describe("an index found damaged while it is open", () => {
  const damage = new HoldfastError("INDEX_DAMAGED", "the index is damaged");

  it("answers nothing more, takes no harm from writes, and is empty when it is opened again", async () => {
    const { directory } = await makeIndex(2);
    const index = await openIndexDirectory(directory, facts);
    const told: HoldfastError[] = [];
    const renewal = index.renewal as NonNullable<typeof index.renewal>;
    renewal.onDamage = (error) => told.push(error);
    renewal.distrust(damage);
    renewal.distrust(damage);
    expect(told).toEqual([damage]);
    expect(existsSync(join(directory, "checkpoint.json"))).toBe(false);
    expect(() => index.get(utf8("key-1"))).toThrow(damage);
    expect(() => index.scan({ start: new Uint8Array(0), end: undefined }, () => true)).toThrow(damage);
    index.write([{ key: utf8("a"), value: utf8("b") }]);
    await expect(index.flush()).rejects.toBe(damage);
    await index.close();
    const again = await openIndexDirectory(directory, facts);
    expect(again.count()).toBe(0);
    await again.close();
  });

  it("is replaced by one made beside it, which is the one found later on", async () => {
    const { directory } = await makeIndex(4);
    let index = await openIndexDirectory(directory, facts);
    for (let round = 1; round <= 3; round++) {
      const renewal = index.renewal as NonNullable<typeof index.renewal>;
      renewal.distrust(damage);
      const beside = await renewal.openBeside();
      beside.write([{ key: utf8("round"), value: utf8(String(round)) }]);
      const adopted = beside.adopt();
      expect(renewal.damage).toBeUndefined();
      expect(entriesOf(index)).toEqual([`round=${Buffer.from(String(round)).toString("base64")}`]);
      await adopted;
      await beside.close();
      await index.flush();
      await index.close();
      index = await openIndexDirectory(directory, facts);
      expect(index.count()).toBe(1);
    }
    const renewal = index.renewal as NonNullable<typeof index.renewal>;
    const given = await renewal.openBeside();
    given.write([{ key: utf8("never"), value: utf8("used") }]);
    await given.close();
    expect(index.count()).toBe(1);
    await index.close();
  });
});
