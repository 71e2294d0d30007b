import { beforeAll, expect, it, vi } from "vitest";
import { toHex, utf8 } from "../base/bytes.ts";
import { isHoldfastError } from "../base/errors.ts";

// What `node --jitless` leaves: every module below finds no WebAssembly when it is loaded.
beforeAll(() => {
  vi.stubGlobal("WebAssembly", undefined);
});

it("codes with the kernel in plain TypeScript", async () => {
  const { codeKernel } = await import("./code-kernel.ts");
  const kernel = codeKernel();
  expect(kernel.name).toBe("reference");
  const data = [new Uint8Array(128).fill(0x0f), new Uint8Array(128).fill(0x3c)];
  const parity = [new Uint8Array(128)];
  kernel.encode({ data: 2, parity: 1 }, data, parity);
  expect(parity[0]).toEqual(new Uint8Array(128).fill(0x33));
});

it("makes the same checksums", async () => {
  const { checksum, matchesChecksum, writeBlockChecksums, xxh3 } = await import("./xxh3.ts");
  expect(xxh3(utf8("abc"))).toBe(0x78af5f94892f3950n);
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251);
  const target = new Uint8Array(16);
  writeBlockChecksums(target, 0, bytes, 65_536);
  expect(matchesChecksum(target, 8, bytes.subarray(65_536))).toBe(true);
  expect(target.subarray(0, 8)).toEqual(checksum(bytes.subarray(0, 65_536)));
});

it("keeps the digests of node:crypto, and says why the others are missing", async () => {
  const { computeDigest, createFastDigest, createDigest, loadDigests } = await import("./digest.ts");
  await loadDigests();
  expect(toHex(computeDigest("md5", utf8("abc")))).toBe("900150983cd24fb0d6963f7d28e17f72");
  expect(toHex(createFastDigest("sha1").update(utf8("abc")).digest())).toBe("a9993e364706816aba3e25717850c26c9cd0d89d");
  expect(toHex(createDigest("crc32").update(utf8("123456789")).digest())).toBe("cbf43926");
  try {
    computeDigest("crc32c", utf8("abc"));
    expect.unreachable();
  } catch (error) {
    expect(isHoldfastError(error, "UNSUPPORTED")).toBe(true);
  }
});
