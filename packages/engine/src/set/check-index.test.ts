/** Indexes that differ from the log in every way, found by comparing and replaced, while commits go on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { openIndexDirectory } from "../index/index-checkpoint.ts";
import type { IndexMutation, OrderedIndex } from "../index/ordered-index.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import { checkIndex } from "./check-index.ts";
import { compactSet } from "./compact-set.ts";
import type { CheckFinding } from "./finding.ts";
import { appliedKey, decodeEntry, encodeEntry, liveBlobRange, upkeepKey } from "./index-entry.ts";
import type { OpenSet } from "./open-set.ts";

const profile = { data: 2, parity: 1 };
const settings = { packBytesMax: 32 * KiB, batchOperationsMax: 16 };
let folder = "";
let drives: Drive[] = [];
let set: OpenSet;
const key = (name: string): Uint8Array => utf8(`\x10${name}`);

async function open(): Promise<OpenSet> {
  const index = await openIndexDirectory(folder, { setId: "a set", bootId: "a boot" });
  return openTestSet(drives, { profile, settings, index });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-index-"));
  drives = await createSetDrives(3);
  set = await open();
});
afterEach(async () => {
  await set.close();
  rmSync(folder, { recursive: true, force: true });
});

const put = (name: string, bytes: number): Promise<void> =>
  set.commit({ payloads: [new Uint8Array(bytes)], decide: (transaction) => transaction.put(key(name), utf8(`value of ${name}`), 0) });

/** Several packs with entries, overwritten and deleted ones, a live blob and one given up. */
async function fill(): Promise<void> {
  const random = createSeededRandom(5);
  for (let i = 0; i < 300; i += 10) await Promise.all(Array.from({ length: 10 }, (_, j) => put(`k${(i + j) % 120}`, random.below(800))));
  for (let i = 0; i < 120; i += 5) await set.commit({ decide: (transaction) => transaction.delete(key(`k${i}`)) });
  const blobs = [await write(50_000), await write(60_000)];
  for (const { blob } of blobs) await set.commit({ decide: (transaction) => transaction.addBlob(blob) });
  await set.commit({ decide: (transaction) => transaction.removeBlob((blobs[0] as (typeof blobs)[0]).blob) });
}

function write(bytes: number): ReturnType<OpenSet["writeBlob"]> {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(bytes);
  }
  return set.writeBlob(body(), { digests: [] });
}

async function check(options: Parameters<typeof checkIndex>[1] = {}): Promise<CheckFinding[]> {
  const findings: CheckFinding[] = [];
  for await (const step of checkIndex(set, options)) findings.push(...step.findings);
  return findings;
}

function entriesOf(index: OrderedIndex): Map<string, string> {
  const entries = new Map<string, string>();
  index.scan({ start: appliedKey, end: undefined }, (name, value) => {
    // Blobs given up leave when their shards have.
    if (name[0] !== 0x02) entries.set(Buffer.from(name).toString("latin1"), Buffer.from(value).toString("hex"));
    return true;
  });
  return entries;
}

const aged = (name: Uint8Array): IndexMutation => {
  const { order, value, payload } = decodeEntry(set.context.index.get(name) as Uint8Array);
  return { key: name, value: encodeEntry({ order: order - 65536, value, payload }) };
};

describe("the check of an index", () => {
  it("finds nothing where nothing is wrong, also while commits and compactions go on", async () => {
    await fill();
    expect(await check()).toEqual([]);
    let done = false;
    const writing = (async () => {
      for (let i = 0; !done; i++) {
        await Promise.all([put(`k${i % 150}`, 100), set.commit({ decide: (transaction) => transaction.delete(key(`k${(i * 7) % 150}`)) })]);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    for (let round = 0; round < 3; round++) {
      expect(await check()).toEqual([]);
      await compactSet(set, { target: 1.1 });
    }
    done = true;
    await writing;
    expect(await check()).toEqual([]);
  });

  it.each<[string, () => IndexMutation[]]>([
    ["has lost an entry", () => [{ key: key("k1"), value: undefined }]],
    [
      "has lost all of them",
      () => [...entriesOf(set.context.index).keys()].map((name) => ({ key: Buffer.from(name, "latin1"), value: undefined })),
    ],
    [
      "has an entry that was never put",
      () => [{ key: key("k1x"), value: encodeEntry({ order: 70_000, value: utf8("ghost"), payload: undefined }) }],
    ],
    [
      "has one behind all others",
      () => [{ key: key("z"), value: encodeEntry({ order: 70_000, value: utf8("ghost"), payload: undefined }) }],
    ],
    [
      "has an entry that was deleted",
      () => [{ key: key("k5"), value: encodeEntry({ order: 70_000, value: utf8("ghost"), payload: undefined }) }],
    ],
    ["has an older entry", () => [aged(key("k1"))]],
    [
      "has lost a blob",
      () =>
        [...entriesOf(set.context.index).keys()]
          .filter((name) => name.startsWith("\x01"))
          .map((name) => ({ key: Buffer.from(name, "latin1"), value: undefined })),
    ],
    [
      "has a blob too many",
      () => [
        {
          key: Uint8Array.of(liveBlobRange.start[0] as number, 9, 9, 9, 9, 9, 9, 9, 9),
          value: encodeEntry({ order: 1, value: new Uint8Array(40), payload: undefined }),
        },
      ],
    ],
  ])("finds that it %s, and replaces it", async (_, spoil) => {
    await fill();
    const sound = entriesOf(set.context.index);
    set.context.index.write(spoil());
    const spoilt = entriesOf(set.context.index);
    set.context.index.write([{ key: upkeepKey("scrub"), value: utf8("kept") }]);
    expect(await check({ repair: false })).toMatchObject([{ place: "index", repaired: false }]);
    expect(entriesOf(set.context.index).size).toBe(spoilt.size + 1);
    expect(await check()).toMatchObject([{ place: "index", problem: "damaged", repairable: true, repaired: true }]);
    const replaced = entriesOf(set.context.index);
    expect(replaced.get("\x04scrub")).toBe(Buffer.from("kept").toString("hex"));
    for (const [name, value] of sound) expect(replaced.get(name)).toBe(value);
    expect(set.get(key("k1"))?.value).toEqual(utf8("value of k1"));
    expect(await check()).toEqual([]);
    await put("after", 10);
    await set.close();
    set = await open();
    expect(set.get(key("after"))).toBeDefined();
    expect(await check()).toEqual([]);
  });

  it("ends when it is told to and leaves nothing beside", async () => {
    await fill();
    const stopped = new AbortController();
    stopped.abort();
    await expect(check({ signal: stopped.signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(await check()).toEqual([]);
  });
});
