import { describe, expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { Bandwidth, createPacer } from "./pacer.ts";

describe("a pacer", () => {
  it("keeps several jobs together to their bandwidth", async () => {
    const clock = createManualClock();
    const bandwidth = new Bandwidth(clock, 1000);
    const jobs = [0, 1].map(() => createPacer({ clock, bandwidth, keepsAlive: true }));
    for (let i = 0; i < 50; i++) await jobs[i % 2]?.spend(100);
    // 5,000 bytes at 1,000 a second; what was taken last is still to be paid for.
    expect(clock.monotonicMs()).toBeCloseTo(4900);
  });

  it("rests in proportion to its work", async () => {
    const clock = createManualClock();
    const pacer = createPacer({ clock, duty: 0.25, keepsAlive: true });
    for (let i = 0; i < 10; i++) {
      clock.advance(100);
      await pacer.spend(1);
    }
    expect(clock.monotonicMs()).toBeCloseTo(10 * 400);
  });

  it("does not rest from time in which it had nothing to do", async () => {
    const clock = createManualClock();
    const pacer = createPacer({ clock, duty: 0.5, keepsAlive: true });
    clock.advance(24 * 3600 * 1000);
    await pacer.spend(1);
    expect(clock.monotonicMs()).toBe(24 * 3600 * 1000 + 1000);
  });

  it("ends a rest when its signal fires, and lets the event loop go round when there is nothing to rest from", async () => {
    const clock = createManualClock();
    const pacer = createPacer({ clock, bandwidth: new Bandwidth(clock, 1) });
    const abort = new AbortController();
    let turns = 0;
    setImmediate(() => turns++);
    await pacer.spend(1000, abort.signal);
    await new Promise((resolve) => setImmediate(resolve));
    expect(turns).toBe(1);
    const resting = pacer.spend(1, abort.signal);
    abort.abort();
    await expect(resting).rejects.toMatchObject({ code: "ABORTED" });
  });
});
