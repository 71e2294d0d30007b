import { expect, it } from "vitest";
import { createSeededRandom } from "../base/random.ts";
import { describeIndexContract } from "../testing/index-contract.ts";
import { createMemoryIndex } from "./memory-index.ts";

describeIndexContract("the memory index", async () => createMemoryIndex());

it("keeps its order over many blocks, filled in random order and emptied again", () => {
  const index = createMemoryIndex();
  const random = createSeededRandom(7);
  const numbers = Array.from({ length: 20_000 }, () => random.below(2 ** 32));
  const keyOf = (number: number): Uint8Array => new Uint8Array([number >>> 24, number >>> 16, number >>> 8, number]);
  for (const number of numbers) index.write([{ key: keyOf(number), value: new Uint8Array(1) }]);
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const seen: number[] = [];
  index.scan({ start: keyOf(0), end: undefined }, (key) => seen.push(new DataView(key.buffer).getUint32(0)) > 0);
  expect(seen).toEqual(sorted);
  index.write(numbers.map((number) => ({ key: keyOf(number), value: undefined })));
  expect(index.count()).toBe(0);
});
