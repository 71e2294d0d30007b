/** Packs, or frames of them, that are lost on every drive: never taken for what was not there, and left out only when the owner says so. */
import { describe, expect, it } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { KiB } from "../base/units.ts";
import type { Drive } from "../drive/drive.ts";
import { trailerBytes } from "../format/footer.ts";
import { frameBytes } from "../format/frame.ts";
import { packFileName } from "../format/pack-name.ts";
import { createMemoryIndex } from "../index/memory-index.ts";
import { createFilledDrive, readDriveFiles } from "../testing/drive-files.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import { compactSet } from "./compact-set.ts";
import type { OpenSet } from "./open-set.ts";

const profile = { data: 1, parity: 1 };
const settings = { packBytesMax: 8 * KiB, batchOperationsMax: 1 };
const key = (i: number): Uint8Array => utf8(`\x10k${i}`);
const objects = 40;

type Files = Map<string, Uint8Array>;

/** A set with several packs, some sealed, closed or left as a crash of the process leaves it. */
async function makeFiles(end: "closed" | "sealed" | "crashed"): Promise<{ files: Files[]; packs: number; ends: Map<number, number[]> }> {
  const drives = await createSetDrives(2);
  const set = await openTestSet(drives, { profile, settings });
  for (let i = 0; i < objects; i++) await put(set, i);
  if (end === "sealed") await set.rotatePack();
  const packs = set.activePack;
  const ends = new Map<number, number[]>();
  for (let pack = 1; pack < packs; pack++) {
    const { entries } = await set.framesOf(pack);
    ends.set(
      pack,
      entries.map(({ header }) => header.position + frameBytes(header)),
    );
  }
  if (end !== "crashed") await set.close();
  else for (const member of set.context.members) await member.drain();
  const files = await Promise.all(drives.map((drive) => readDriveFiles(drive).then((found) => new Map(found))));
  if (end === "crashed") await set.close();
  return { files, packs, ends };
}

const put = (set: OpenSet, i: number): Promise<void> =>
  set.commit({ payloads: [new Uint8Array(600).fill(i)], decide: (transaction) => transaction.put(key(i), utf8(String(i)), 0) });

function drivesOf(files: readonly Files[]): Promise<Drive[]> {
  return Promise.all(files.map((each, i) => createFilledDrive(`memory:${i}`, each)));
}

/** Opens with an empty index; gives which objects there are, or the code and packs of the refusal. */
async function found(
  files: readonly Files[],
  acceptLoss = false,
  away: readonly number[] = [],
): Promise<number[] | { code: string; packs: unknown }> {
  const drives = (await drivesOf(files)).map((drive, i) => (away.includes(i) ? undefined : drive));
  let set: OpenSet;
  try {
    set = await openTestSet(drives, { profile, settings: { ...settings, acceptLoss } });
  } catch (error) {
    const { code, details } = error as { code: string; details: { packs: unknown } };
    return { code, packs: details.packs };
  }
  const there = Array.from({ length: objects }, (_, i) => i).filter((i) => set.get(key(i)) !== undefined);
  await set.close();
  return there;
}

function change(files: readonly Files[], pack: number, how: (bytes: Uint8Array) => Uint8Array | undefined): void {
  for (const each of files) {
    const bytes = how(each.get(packFileName(pack)) as Uint8Array);
    if (bytes === undefined) each.delete(packFileName(pack));
    else each.set(packFileName(pack), bytes);
  }
}

const all = Array.from({ length: objects }, (_, i) => i);

describe.each(["closed", "sealed", "crashed"] as const)("a set that was %s", (end) => {
  it("with everything there is complete", async () => {
    const { files, packs } = await makeFiles(end);
    expect(packs).toBeGreaterThan(4);
    expect(await found(files)).toEqual(all);
  });

  it.each<[string, (bytes: Uint8Array, ends: readonly number[]) => Uint8Array | undefined]>([
    ["a pack that is gone", () => undefined],
    ["a pack that is empty", () => new Uint8Array(0)],
    ["a pack of zeros", (bytes) => new Uint8Array(bytes.byteLength)],
    ["a pack cut within a frame", (bytes, ends) => bytes.slice(0, (ends[2] as number) - 100)],
    ["a pack cut between frames", (bytes, ends) => bytes.slice(0, ends[2] as number)],
    ["a pack with zeros from a frame on", (bytes, ends) => new Uint8Array(bytes).fill(0, ends[2] as number)],
    [
      "a frame and the footer spoilt",
      (bytes, ends) => new Uint8Array(bytes).fill(1, ends[1] as number, ends[2] as number).fill(1, ends.at(-1) as number, bytes.byteLength),
    ],
    [
      "the last frame and the trailer spoilt",
      (bytes, ends) => new Uint8Array(bytes).fill(1, ends.at(-2) as number, ends.at(-1) as number).fill(1, bytes.byteLength - trailerBytes),
    ],
  ])("and has %s is refused, and opened without what is lost when that is accepted", async (_, how) => {
    const made = await makeFiles(end);
    for (const pack of [1, 2, made.packs - 1]) {
      const files = made.files.map((each) => new Map(each));
      change(files, pack, (bytes) => how(bytes, made.ends.get(pack) as number[]));
      const isTail = end === "crashed" && pack === made.packs - 1 && !files[0]?.has(packFileName(made.packs));
      if (isTail) continue;
      expect(await found(files), `pack ${pack}`).toEqual({ code: "LOG_DAMAGED", packs: [pack] });
      const left = (await found(files, true)) as number[];
      expect(left.length, `pack ${pack}`).toBeLessThan(objects);
      expect(left.length, `pack ${pack}`).toBeGreaterThanOrEqual(objects - (made.ends.get(pack) as number[]).length);
    }
  });

  it("says which drives may have what is lost", async () => {
    const { files } = await makeFiles(end);
    files[0]?.delete(packFileName(2));
    expect(await found(files)).toEqual(all);
    expect(await found(files, false, [1])).toEqual({ code: "DRIVES_MISSING", packs: [2] });
  });
});

describe("a pack that is lost", () => {
  it("is noticed although the index was made from it before, and no compaction makes it forgotten", async () => {
    const { files } = await makeFiles("closed");
    const index = createMemoryIndex();
    Object.assign(index, { close: async () => undefined });
    const first = await openTestSet(await drivesOf(files), { profile, settings, index });
    await first.close();
    const spoilt = files.map((each) => new Map(each));
    change(spoilt, 2, () => undefined);
    const drives = await drivesOf(spoilt);
    const set = await openTestSet(drives, { profile, settings, index });
    expect(set.get(key(8))).toBeDefined();
    for (let i = 20; i < objects; i++) await put(set, i);
    for (let i = 0; i < 6; i++) await set.commit({ decide: (transaction) => transaction.delete(key(i)) });
    await compactSet(set, { target: 1.01 }).catch(() => undefined);
    await set.close();
    await expect(openTestSet(drives, { profile, settings })).rejects.toMatchObject({ code: "LOG_DAMAGED", details: { packs: [2] } });
  });
});
