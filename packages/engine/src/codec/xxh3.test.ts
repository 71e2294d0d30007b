import { createXXHash3 } from "hash-wasm";
import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "../base/bytes.ts";
import { InvariantError } from "../base/invariant.ts";
import { createSeededRandom } from "../base/random.ts";
import { checksum, checksumBytes, matchesChecksum, writeBlockChecksums, writeChecksum, xxh3 } from "./xxh3.ts";
import { portableXxh3 } from "./xxh3-portable.ts";

const oracle = await createXXHash3();
const random = createSeededRandom(3);
const bytes = random.bytes(200_000);

function expected(input: Uint8Array): string {
  return oracle.init().update(input).digest("hex");
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, "0");
}

describe("XXH3", () => {
  it("equals another implementation at every length up to 2,048 and at any start", () => {
    for (let length = 0; length <= 2048; length++) {
      const input = bytes.subarray(length % 37, (length % 37) + length);
      expect(hex(xxh3(input)), `${length} bytes`).toBe(expected(input));
      if (length <= 1200) expect(hex(portableXxh3(input)), `portable, ${length} bytes`).toBe(expected(input));
    }
  });

  it("equals another implementation around the sizes in which long inputs are read", () => {
    for (const around of [4096, 8192, 16384, 32768, 65536, 131072, 180_000]) {
      for (const more of [-1025, -65, -64, -1, 0, 1, 63, 64, 65, 1023, 1024, 1025]) {
        const input = bytes.subarray(5, 5 + around + more);
        expect(hex(xxh3(input)), `${around + more} bytes`).toBe(expected(input));
      }
    }
    for (let round = 0; round < 100; round++) {
      const start = random.below(1000);
      const input = bytes.subarray(start, start + random.below(150_000));
      expect(hex(xxh3(input)), `${input.byteLength} bytes`).toBe(expected(input));
    }
    expect(hex(portableXxh3(bytes.subarray(0, 20_000)))).toBe(expected(bytes.subarray(0, 20_000)));
  });

  it("reads views of shared memory and of larger buffers, and leaves them alone", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(70_000), 13, 66_000);
    shared.set(bytes.subarray(0, 66_000));
    const node = Buffer.from(bytes.subarray(0, 66_000));
    expect(hex(xxh3(shared))).toBe(expected(node));
    expect(hex(xxh3(node))).toBe(expected(node));
    expect(Buffer.compare(shared, bytes.subarray(0, 66_000))).toBe(0);
  });
});

describe("checksums", () => {
  it("are eight bytes, little-endian", () => {
    const input = bytes.subarray(0, 999);
    expect(checksum(input).byteLength).toBe(checksumBytes);
    expect(toHex(checksum(input).reverse())).toBe(hex(xxh3(input)));
  });

  it("are written and found at any position, without touching their neighbours", () => {
    const target = new Uint8Array(30).subarray(3).fill(0xaa);
    const input = bytes.subarray(0, 300);
    writeChecksum(target, 7, input);
    expect(target.subarray(7, 15)).toEqual(checksum(input));
    expect(target.subarray(0, 7).every((byte) => byte === 0xaa) && target.subarray(15).every((byte) => byte === 0xaa)).toBe(true);
    expect(matchesChecksum(target, 7, input)).toBe(true);
    for (let at = 7; at < 15; at++) {
      target[at] = (target[at] as number) ^ 1;
      expect(matchesChecksum(target, 7, input)).toBe(false);
      target[at] = (target[at] as number) ^ 1;
    }
    expect(matchesChecksum(target, 7, bytes.subarray(1, 301))).toBe(false);
    expect(() => writeChecksum(target, 20, input)).toThrow(InvariantError);
    expect(() => matchesChecksum(target, 20, input)).toThrow(InvariantError);
  });

  it("cover blocks one by one, the last one being shorter", () => {
    const input = bytes.subarray(1, 150_001);
    const target = new Uint8Array(3 * 8 + 2);
    writeBlockChecksums(target, 2, input, 65536);
    for (let block = 0; block < 3; block++) {
      expect(matchesChecksum(target, 2 + 8 * block, input.subarray(block * 65536, (block + 1) * 65536))).toBe(true);
    }
    writeBlockChecksums(target, 2, input.subarray(0, 0), 65536);
    expect(() => writeBlockChecksums(target, 4, input, 65536)).toThrow(InvariantError);
  });

  it("have known values", () => {
    expect(hex(xxh3(new Uint8Array(0)))).toBe("2d06800538d394c2");
    expect(hex(xxh3(utf8("a")))).toBe("e6c632b61e964e1f");
    expect(hex(xxh3(utf8("abc")))).toBe("78af5f94892f3950");
  });
});
