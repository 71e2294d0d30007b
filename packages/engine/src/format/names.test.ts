import { describe, expect, test } from "vitest";
import { InvariantError } from "../base/invariant.ts";
import { blobFolder, formatBlobId, parseBlobFolder, parseBlobId, parseShardFileName, shardFileName } from "./blob-name.ts";
import { packFileName, parsePackFileName } from "./pack-name.ts";

describe("file names", () => {
  test("packs", () => {
    expect(packFileName(42)).toBe("packs/0000002a.pack");
    expect(["packs/0000002a.pack", "0000002a.pack", "ffffffff.pack"].map(parsePackFileName)).toEqual([42, 42, 2 ** 32 - 1]);
    for (const other of ["", "2a.pack", "0000002A.pack", "0000002a.pack.new", "blobs/0000002a.pack", "0000002a"]) {
      expect(parsePackFileName(other)).toBeUndefined();
    }
    for (const number of [-1, 1.5, 2 ** 32]) expect(() => packFileName(number)).toThrow(InvariantError);
  });

  test("blobs", () => {
    const blob = { epoch: 3, counter: 42 };
    expect([shardFileName(blob), formatBlobId(blob), blobFolder(3)]).toEqual([
      "blobs/00000003/0000002a.shard",
      "00000003-0000002a",
      "blobs/00000003",
    ]);
    expect([parseShardFileName("blobs/00000003/0000002a.shard"), parseBlobId("00000003-0000002a")]).toEqual([blob, blob]);
    expect(["blobs/00000003", "00000003"].map(parseBlobFolder)).toEqual([3, 3]);
    for (const other of ["", "00000003/0000002a.shard", "blobs/3/2a.shard", "blobs/00000003/0000002a.shard.new"]) {
      expect(parseShardFileName(other)).toBeUndefined();
    }
    expect([parseBlobId("3-2a"), parseBlobFolder("3")]).toEqual([undefined, undefined]);
  });
});
