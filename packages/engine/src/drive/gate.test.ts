import { expect, test } from "vitest";
import { Gate } from "./gate.ts";

test("never more than the limit are inside, and who waits longest goes first", async () => {
  const gate = new Gate(3);
  let inside = 0;
  let insideMax = 0;
  const order: number[] = [];
  async function pass(number: number): Promise<void> {
    const turn = gate.enter();
    if (turn !== undefined) await turn;
    order.push(number);
    inside++;
    insideMax = Math.max(insideMax, inside);
    for (let i = 0; i < number % 4; i++) await Promise.resolve();
    inside--;
    gate.leave();
  }
  const numbers = Array.from({ length: 50 }, (_, i) => i);
  await Promise.all(numbers.map(pass));
  expect(insideMax).toBe(3);
  expect(order).toEqual(numbers);
  expect(gate.enter()).toBeUndefined();
});

test("a place is given back once", () => {
  const gate = new Gate(1);
  gate.enter();
  gate.leave();
  expect(() => gate.leave()).toThrow("invariant");
});
