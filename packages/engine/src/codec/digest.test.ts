import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "../base/bytes.ts";
import { InvariantError } from "../base/invariant.ts";
import { createSeededRandom } from "../base/random.ts";
import { computeDigest, createDigest, createFastDigest, type DigestName, digestBytes, loadDigests, resumeDigest } from "./digest.ts";

const names = Object.keys(digestBytes) as DigestName[];

/** Published check values: RFC 1321 and FIPS 180 for "abc", the catalogue of CRCs for "123456789", xxHash for both inputs. */
const known: Readonly<Record<DigestName, readonly [input: string, digest: string]>> = {
  md5: ["abc", "900150983cd24fb0d6963f7d28e17f72"],
  sha1: ["abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
  sha256: ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  sha512: [
    "abc",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  ],
  crc32: ["123456789", "cbf43926"],
  crc32c: ["123456789", "e3069283"],
  crc64nvme: ["123456789", "ae8b14860a799888"],
  xxhash64: ["abc", "44bc2cf5ad770999"],
  xxhash3: ["abc", "78af5f94892f3950"],
  xxhash128: ["abc", "06b05ab6733a618578af5f94892f3950"],
};

it("asks to be loaded first", () => {
  expect(() => createDigest("md5")).toThrow(InvariantError);
  expect(computeDigest("md5", new Uint8Array(0)).byteLength).toBe(16);
});

describe.each(names)("%s", (name) => {
  const random = createSeededRandom(5);
  const bytes = random.bytes(100_000);

  it("has its published value", async () => {
    await loadDigests();
    const [input, digest] = known[name];
    expect(toHex(computeDigest(name, utf8(input)))).toBe(digest);
    expect(computeDigest(name, bytes).byteLength).toBe(digestBytes[name]);
  });

  it("is the same at once, in pieces, and through saved states, whatever else is under way", () => {
    const whole = computeDigest(name, bytes);
    const fast = createFastDigest(name);
    const started = createDigest(name);
    const disturber = createDigest(name).update(utf8("something else"));
    let state = createDigest(name).save();
    for (let position = 0; position < bytes.byteLength; ) {
      const piece = bytes.subarray(position, position + random.below(20_000));
      fast.update(piece);
      started.update(piece);
      disturber.update(piece.subarray(0, 3));
      state = resumeDigest(name, state).update(piece).save();
      position += piece.byteLength;
    }
    expect(fast.digest()).toEqual(whole);
    expect(started.digest()).toEqual(whole);
    expect(resumeDigest(name, state).digest()).toEqual(whole);
    expect(state.byteLength).toBeLessThanOrEqual(1024);
  });

  it("digests nothing, and views of shared memory", () => {
    expect(createDigest(name).digest()).toEqual(computeDigest(name, new Uint8Array(0)));
    const shared = new Uint8Array(new SharedArrayBuffer(5000), 3, 4000);
    shared.set(bytes.subarray(0, 4000));
    expect(computeDigest(name, shared)).toEqual(computeDigest(name, bytes.subarray(0, 4000)));
    expect(createDigest(name).update(shared).digest()).toEqual(computeDigest(name, shared));
    expect(createFastDigest(name).update(shared).digest()).toEqual(computeDigest(name, shared));
  });
});
