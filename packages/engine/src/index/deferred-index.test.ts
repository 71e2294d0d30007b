import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeIndexContract } from "../testing/index-contract.ts";
import { deferWrites } from "./deferred-index.ts";
import { openLmdbIndex } from "./lmdb-index.ts";
import { createMemoryIndex } from "./memory-index.ts";
import type { IndexMutation } from "./ordered-index.ts";

let folder = "";
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-index-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeIndexContract("the LMDB index with writes behind", async () => deferWrites(await openLmdbIndex(join(folder, `${files++}.mdb`))));

/** Writes take effect a while later here, so that the contract is met by what lies over them. */
describeIndexContract("a slow index with writes behind", async () => {
  const index = createMemoryIndex();
  const writeBehind = async (mutations: readonly IndexMutation[]): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    index.write(mutations);
  };
  return deferWrites(Object.assign(index, { writeBehind }));
});

it("says when its writer should wait, and when no longer", async () => {
  const index = deferWrites(
    Object.assign(createMemoryIndex(), { writeBehind: () => new Promise<void>((resolve) => setImmediate(resolve)) }),
  );
  const mutations = Array.from({ length: 10_000 }, (_, i) => ({ key: new Uint8Array([1, i >> 8, i & 0xff]), value: new Uint8Array(1) }));
  index.write(mutations);
  expect(index.pressure()).toBeUndefined();
  index.write(mutations);
  index.write(mutations);
  const pressure = index.pressure();
  expect(pressure).toBeInstanceOf(Promise);
  await pressure;
  expect(index.pressure()).toBeUndefined();
});

it("gets past a seek to an entry that is being deleted", async () => {
  const older = createMemoryIndex();
  const keys = [1, 2, 3, 4].map((byte) => Uint8Array.of(byte));
  older.write(keys.map((key) => ({ key, value: key })));
  const merged = deferWrites(Object.assign(older, { writeBehind: () => new Promise<void>(() => undefined) }));
  merged.write([{ key: Uint8Array.of(3), value: undefined }]);
  for (const reverse of [false, true]) {
    const seen: number[] = [];
    merged.scan({ start: Uint8Array.of(0), end: undefined, reverse }, (key) => {
      seen.push(key[0] as number);
      if (seen.length > 10) return false;
      return key[0] === (reverse ? 4 : 1) ? Uint8Array.of(reverse ? 4 : 3) : true;
    });
    expect(seen).toEqual(reverse ? [4, 2, 1] : [1, 4]);
  }
});
