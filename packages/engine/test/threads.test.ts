/** Coding on real worker threads, through the built thread entry. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createSeededRandom } from "../src/base/random.ts";
import { KiB, MiB } from "../src/base/units.ts";
import { computeDigest, loadDigests, resumeDigest } from "../src/codec/digest.ts";
import type { Compute } from "../src/compute/compute.ts";
import { openCompute } from "../src/compute/compute.ts";

const worker = new URL("../dist/worker.js", import.meta.url);
const failingWorker = new URL("./fixtures/failing-worker.mjs", import.meta.url);
const shape = { data: 4, parity: 2 };
const pieceBytes = 256 * KiB;
const stripeBytes = 6 * pieceBytes;
const dataBytes = 4 * pieceBytes;
const random = createSeededRandom(3);

let compute: Compute | undefined;
afterEach(() => compute?.close());
function open(entry = worker, waitersMax?: number): Compute {
  compute = openCompute({ threads: 2, memoryBudgetBytes: 64 * MiB, worker: entry, waitersMax });
  return compute;
}

beforeAll(async () => {
  if (!existsSync(fileURLToPath(worker))) throw new Error("dist/worker.js is missing: run `npm run build` first");
  await loadDigests();
});

describe("jobs on worker threads", () => {
  it("give what the caller's thread gives, in place and in order", async () => {
    const threaded = open();
    const inline = openCompute({ threads: 0, memoryBudgetBytes: 64 * MiB });
    expect(threaded.threads).toBe(2);
    const data = random.bytes(dataBytes);
    const results = [];
    for (const place of [threaded, inline]) {
      const { bytes } = await place.acquire(stripeBytes);
      bytes.set(data);
      const coded = await place.codeStripe({ shape, pieceBytes, buffer: bytes, dataBytes, digests: [{ name: "md5", state: undefined }] });
      results.push({ parity: computeDigest("sha256", bytes.slice(dataBytes)), coded });
    }
    expect(results[0]).toEqual(results[1]);
    expect(resumeDigest("md5", results[0]?.coded.digests[0]?.state as Uint8Array).digest()).toEqual(computeDigest("md5", data));
    await inline.close();
  });

  it("run many at once and rebuild what they coded", async () => {
    const threaded = open();
    await Promise.all(
      Array.from({ length: 24 }, async () => {
        const { bytes, release } = await threaded.acquire(stripeBytes);
        const data = random.bytes(dataBytes);
        bytes.set(data);
        await threaded.codeStripe({ shape, pieceBytes, buffer: bytes, dataBytes, digests: [] });
        bytes.fill(0, pieceBytes, 3 * pieceBytes);
        await threaded.reconstruct({ shape, pieceBytes, buffer: bytes, lost: [1, 2], wanted: [1, 2] });
        expect(Buffer.compare(bytes.subarray(0, dataBytes), data)).toBe(0);
        release();
      }),
    );
    expect(threaded.usage()).toEqual({ bufferBytes: 0, jobs: 0 });
  });

  it("bound their line, let waiters leave it, and finish what is under way before closing", async () => {
    const threaded = open(worker, 2);
    const stripe = (await threaded.acquire(stripeBytes)).bytes;
    const job = { shape, pieceBytes, buffer: stripe, dataBytes, digests: [{ name: "sha256" as const, state: undefined }] };
    const running = [threaded.codeStripe(job), threaded.codeStripe(job)];
    const controller = new AbortController();
    const leaving = threaded.codeStripe(job, controller.signal);
    const waiting = threaded.codeStripe(job);
    await expect(threaded.codeStripe(job)).rejects.toMatchObject({ code: "QUEUE_FULL" });
    controller.abort();
    await expect(leaving).rejects.toMatchObject({ code: "ABORTED" });
    const closed = threaded.close();
    await expect(threaded.codeStripe(job)).rejects.toMatchObject({ code: "STORE_CLOSED" });
    await expect(Promise.all([...running, waiting])).resolves.toHaveLength(3);
    await closed;
  });

  it("pass errors on with their code and details, and survive a thread that dies", async () => {
    const threaded = open(failingWorker);
    const job = { shape, pieceBytes, buffer: (await threaded.acquire(stripeBytes)).bytes, dataBytes, digests: [] };
    const deadly = { ...job, shape: { data: 2, parity: 4 }, dataBytes: 10 };
    await expect(threaded.codeStripe(job)).rejects.toMatchObject({ code: "OBJECT_DAMAGED", kind: "data", details: { pieceBytes } });
    for (let round = 0; round < 3; round++) {
      await expect(threaded.codeStripe(deadly)).rejects.toMatchObject({ code: "WORKER_FAILED" });
      await expect(threaded.codeStripe(job)).rejects.toMatchObject({ code: "OBJECT_DAMAGED" });
    }
  });
});
