import { afterEach, describe, expect, it } from "vitest";
import { createSeededRandom } from "../base/random.ts";
import { KiB, MiB } from "../base/units.ts";
import { computeDigest, loadDigests, resumeDigest } from "../codec/digest.ts";
import { referenceKernel } from "../codec/reference-kernel.ts";
import type { DigestState } from "../codec/stripe-job.ts";
import { checksum } from "../codec/xxh3.ts";
import type { Compute } from "./compute.ts";
import { openCompute } from "./compute.ts";

const shape = { data: 3, parity: 2 };
const pieceBytes = 96 * KiB;
const random = createSeededRandom(11);
let compute: Compute | undefined;
afterEach(() => compute?.close());
const open = (): Compute => {
  compute = openCompute({ threads: 2, memoryBudgetBytes: 8 * MiB });
  return compute;
};

describe("compute without a built thread entry", () => {
  it("says that it has no threads", () => {
    expect(open().threads).toBe(0);
  });

  it("codes a stripe, its block checksums and digests over several stripes", async () => {
    await loadDigests();
    const dataBytes = shape.data * pieceBytes - 777;
    let digests: readonly DigestState[] = [
      { name: "md5", state: undefined },
      { name: "crc32c", state: undefined },
    ];
    const seen: Uint8Array[] = [];
    for (let stripe = 0; stripe < 3; stripe++) {
      const buffer = await open().acquire(5 * pieceBytes);
      const data = random.bytes(dataBytes);
      buffer.bytes.fill(0);
      buffer.bytes.set(data);
      seen.push(data);
      const coded = await (compute as Compute).codeStripe({ shape, pieceBytes, buffer: buffer.bytes, dataBytes, digests });
      digests = coded.digests;
      const pieces = Array.from({ length: 5 }, (_, number) => buffer.bytes.subarray(number * pieceBytes, (number + 1) * pieceBytes));
      expect(referenceKernel.verify(shape, pieces)).toBe(true);
      const blocks = pieces.flatMap((piece) => [piece.subarray(0, 64 * KiB), piece.subarray(64 * KiB)]);
      expect(coded.blockChecksums).toEqual(new Uint8Array(Buffer.concat(blocks.map((block) => checksum(block)))));
      buffer.release();
    }
    const whole = new Uint8Array(Buffer.concat(seen));
    for (const { name, state } of digests) expect(resumeDigest(name, state as Uint8Array).digest()).toEqual(computeDigest(name, whole));
  });

  it("reconstructs lost pieces in place", async () => {
    const { bytes, release } = await open().acquire(5 * pieceBytes);
    bytes.set(random.bytes(3 * pieceBytes));
    await (compute as Compute).codeStripe({ shape, pieceBytes, buffer: bytes, dataBytes: 3 * pieceBytes, digests: [] });
    const whole = bytes.slice();
    bytes.fill(0xee, pieceBytes, 2 * pieceBytes).fill(0xee, 4 * pieceBytes);
    await (compute as Compute).reconstruct({ shape, pieceBytes, buffer: bytes, lost: [1, 4], wanted: [1] });
    expect(Buffer.compare(bytes.subarray(0, 4 * pieceBytes), whole.subarray(0, 4 * pieceBytes))).toBe(0);
    expect(bytes[4 * pieceBytes]).toBe(0xee);
    release();
  });

  it("refuses jobs by an aborted signal and after closing", async () => {
    const job = { shape, pieceBytes: 128, buffer: new Uint8Array(5 * 128), dataBytes: 10, digests: [] };
    await expect(open().codeStripe(job, AbortSignal.abort())).rejects.toMatchObject({ code: "ABORTED" });
    await (compute as Compute).close();
    await expect((compute as Compute).codeStripe(job)).rejects.toMatchObject({ code: "STORE_CLOSED" });
    await expect((compute as Compute).acquire(1)).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });
});
