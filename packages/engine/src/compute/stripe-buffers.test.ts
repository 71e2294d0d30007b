import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../base/units.ts";
import type { StripeBuffer } from "./stripe-buffers.ts";
import { classOf, StripeBuffers } from "./stripe-buffers.ts";

const open = (budgetBytes: number, waitersMax = 10): StripeBuffers => new StripeBuffers({ budgetBytes, waitersMax, shared: true });
const code = (expected: string) => expect.objectContaining({ code: expected });

/** Whether a promise has settled by the end of this turn. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  promise.then(mark, mark);
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe("StripeBuffers", () => {
  it("hands out shared memory of the size asked for and uses it again", async () => {
    const buffers = open(1 * MiB);
    const first = await buffers.acquire(100_000, undefined);
    expect(first.bytes.byteLength).toBe(100_000);
    expect(first.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
    const memory = first.bytes.buffer;
    first.release();
    expect((await buffers.acquire(99_000, undefined)).bytes.buffer).toBe(memory);
    const plain = new StripeBuffers({ budgetBytes: 1 * MiB, waitersMax: 1, shared: false });
    expect((await plain.acquire(1, undefined)).bytes.buffer).toBeInstanceOf(ArrayBuffer);
  });

  it("rounds up to classes that lose at most a quarter", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (bytes) => {
        expect(classOf(bytes)).toBeGreaterThanOrEqual(bytes);
        if (bytes > 64 * KiB) expect(classOf(bytes)).toBeLessThanOrEqual(bytes * 1.25);
        expect(classOf(classOf(bytes))).toBe(classOf(bytes));
      }),
    );
  });

  it("serves who waits in order, a small request never before a large one", async () => {
    const buffers = open(256 * KiB);
    const held = await buffers.acquire(192 * KiB, undefined);
    const large = buffers.acquire(128 * KiB, undefined);
    const small = buffers.acquire(64 * KiB, undefined);
    expect(await isSettled(small)).toBe(false);
    held.release();
    (await large).release();
    (await small).release();
    expect(buffers.usedBytes).toBe(0);
  });

  it("lets go of idle buffers of other sizes before it goes over its budget", async () => {
    const buffers = open(256 * KiB);
    for (const size of [256, 64, 128, 192, 256]) (await buffers.acquire(size * KiB, undefined)).release();
    const both = await Promise.all([buffers.acquire(128 * KiB, undefined), buffers.acquire(128 * KiB, undefined)]);
    expect(buffers.usedBytes).toBe(256 * KiB);
    for (const buffer of both) buffer.release();
  });

  it("lets waiters leave by their signal and serves the next", async () => {
    const buffers = open(256 * KiB);
    const held = await buffers.acquire(128 * KiB, undefined);
    const controller = new AbortController();
    const large = buffers.acquire(256 * KiB, controller.signal);
    const small = buffers.acquire(64 * KiB, undefined);
    controller.abort();
    await expect(large).rejects.toEqual(code("ABORTED"));
    expect((await small).bytes.byteLength).toBe(64 * KiB);
    await expect(buffers.acquire(1, controller.signal)).rejects.toEqual(code("ABORTED"));
    held.release();
  });

  it("refuses what can never fit, a line too long, a second release, and all when closed", async () => {
    const buffers = open(128 * KiB, 1);
    await expect(buffers.acquire(129 * KiB, undefined)).rejects.toEqual(code("MEMORY_EXHAUSTED"));
    const held = await buffers.acquire(128 * KiB, undefined);
    const waiting = buffers.acquire(1, undefined);
    await expect(buffers.acquire(1, undefined)).rejects.toEqual(code("QUEUE_FULL"));
    buffers.close();
    await expect(waiting).rejects.toEqual(code("STORE_CLOSED"));
    await expect(buffers.acquire(1, undefined)).rejects.toEqual(code("STORE_CLOSED"));
    held.release();
    expect(() => held.release()).toThrow("invariant");
  });

  it("keeps to its budget and serves everybody in the end, whatever the order", async () => {
    const step = fc.record({ bytes: fc.integer({ min: 1, max: 512 * KiB }), releaseFirst: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const buffers = open(512 * KiB, 100);
        const held: StripeBuffer[] = [];
        const requests = steps.map(async ({ bytes }) => held.push(await buffers.acquire(bytes, undefined)));
        for (let served = 0; served < steps.length; ) {
          await new Promise((resolve) => setImmediate(resolve));
          expect(buffers.usedBytes).toBeLessThanOrEqual(512 * KiB);
          expect(held.length).toBeGreaterThan(0);
          served++;
          (steps[served - 1]?.releaseFirst === true ? held.shift() : held.pop())?.release();
        }
        await Promise.all(requests);
        expect(buffers.usedBytes).toBe(0);
      }),
      { numRuns: 30 },
    );
  });
});
