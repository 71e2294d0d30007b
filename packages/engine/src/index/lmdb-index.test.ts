import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { describeIndexContract } from "../testing/index-contract.ts";
import { openLmdbIndex } from "./lmdb-index.ts";

let folder = "";
let files = 0;
const freshPath = (): string => join(folder, `sub-${files++}`, "index.mdb");
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-index-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeIndexContract("the LMDB index", () => openLmdbIndex(freshPath()));

describe("the LMDB index on disk", () => {
  it("is there again after a close, whole", async () => {
    const path = freshPath();
    const first = await openLmdbIndex(path);
    for (let at = 0; at < 40; at++) {
      first.write(
        Array.from({ length: 100 }, (_, number) => ({ key: utf8(`key-${at * 100 + number}`), value: new Uint8Array(number * 10) })),
      );
      first.write(Array.from({ length: 60 }, (_, number) => ({ key: utf8(`key-${at * 100 + number}`), value: undefined })));
    }
    await first.close();
    const second = await openLmdbIndex(path);
    expect(second.count()).toBe(1600);
    expect(second.get(utf8("key-99"))?.byteLength).toBe(990);
    await second.close();
  });

  it("grows past its first size without losing a scan under way", async () => {
    const index = await openLmdbIndex(freshPath());
    index.write(Array.from({ length: 50 }, (_, number) => ({ key: utf8(`a${number}`), value: new Uint8Array(10) })));
    let seen = 0;
    index.scan({ start: utf8("a"), end: undefined }, () => {
      index.write([{ key: utf8(`z${seen++}`), value: new Uint8Array(2_000_000) }]);
      return true;
    });
    expect(seen).toBe(50);
    expect(index.count()).toBe(100);
    expect(index.get(utf8("z49"))?.byteLength).toBe(2_000_000);
    await index.close();
  });

  it("waits for flushes under way when closed", async () => {
    const index = await openLmdbIndex(freshPath());
    index.write([{ key: utf8("a"), value: new Uint8Array(100) }]);
    const flushed = index.flush();
    await index.close();
    await expect(flushed).resolves.toBeUndefined();
  });

  it.each([
    ["is no index", (path: string) => writeFileSync(path, "this is a text file ".repeat(1000))],
    ["is cut short", (path: string) => truncateSync(path, Math.floor(readFileSync(path).length / 2))],
    ["is cut to a few bytes", (path: string) => truncateSync(path, 100)],
    ["has a damaged header", (path: string) => writeFileSync(path, readFileSync(path).fill(0x55, 0, 8192))],
  ])("refuses a file that %s", async (_, damage) => {
    const path = freshPath();
    const index = await openLmdbIndex(path);
    index.write(Array.from({ length: 500 }, (_value, number) => ({ key: utf8(`key-${number}`), value: new Uint8Array(200) })));
    await index.flush();
    await index.close();
    damage(path);
    await expect(openLmdbIndex(path)).rejects.toMatchObject({ code: "INDEX_DAMAGED" });
  });

  it("names a path that can't be used", async () => {
    await expect(openLmdbIndex(folder)).rejects.toMatchObject({ name: "HoldfastError", code: expect.stringMatching(/^DRIVE_/) });
  });
});
