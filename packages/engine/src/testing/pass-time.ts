import type { SimulatedClock } from "./simulated-clock.ts";

/** Far more than anything in a store waits for. */
const stepsMax = 200_000;
const stepMs = 5;

/** Waits for `work` while simulated time passes in small steps; fails when it does not settle in a quarter of an hour of it. */
export async function withTime<T>(clock: SimulatedClock, work: Promise<T>): Promise<T> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  work.then(settle, settle);
  for (let step = 0; !isSettled; step++) {
    if (step > stepsMax) throw new Error("it hangs");
    for (let turn = 0; turn < 3 && !isSettled; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (!isSettled) clock.advance(stepMs);
  }
  return work;
}

/** Lets so much simulated time pass. */
export async function passTime(clock: SimulatedClock, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
    clock.advance(stepMs);
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}
