import { describe, expect, it } from "vitest";
import { InvariantError } from "../base/invariant.ts";
import { unitBytes } from "../base/limits.ts";
import { createSeededRandom } from "../base/random.ts";
import { checkShape, codeKernel } from "./code-kernel.ts";
import type { CodeKernel, CodeShape } from "./kernel.ts";
import { referenceKernel } from "./reference-kernel.ts";
import { slotBytes, type WasmArena, wasmArena } from "./wasm-arena.ts";
import { createWasmKernel } from "./wasm-kernel.ts";

const arena = wasmArena() as WasmArena;
const kernels: CodeKernel[] = [referenceKernel, createWasmKernel(arena, { fence: false }), createWasmKernel(arena, { fence: true })];
const random = createSeededRandom(11);

/** A product in GF(2^8)/0x11D by shifting and reducing, independent of the code's tables. */
function textbookProduct(a: number, b: number): number {
  let [product, shifted] = [0, a];
  for (let bit = 0; bit < 8; bit++) {
    if ((b >> bit) & 1) product ^= shifted;
    shifted = (shifted << 1) ^ (shifted & 0x80 ? 0x11d : 0);
  }
  return product;
}

/** g^(e·j) by repeated multiplication; g^-1 is 0x8E. */
function textbookCoefficient(row: number, j: number): number {
  const factor = [1, 2, 0x8e, 4][row] as number;
  let power = 1;
  for (let i = 0; i < j; i++) power = textbookProduct(power, factor);
  return power;
}

/** Parity symbol by symbol: the symbol of bit t of column x has its bit b in bit t of byte x of plane b. */
function textbookParity(shape: CodeShape, data: readonly Uint8Array[]): Uint8Array[] {
  const length = data[0]?.byteLength as number;
  const products = Array.from({ length: shape.parity }, (_, row) =>
    data.map((_, j) => Uint8Array.from({ length: 256 }, (_, symbol) => textbookProduct(textbookCoefficient(row, j), symbol))),
  );
  const parity = products.map(() => new Uint8Array(length));
  for (let unit = 0; unit < length; unit += unitBytes) {
    for (let x = 0; x < 16; x++) {
      for (let t = 0; t < 8; t++) {
        const symbols = data.map((shard) => {
          let symbol = 0;
          for (let b = 0; b < 8; b++) symbol |= (((shard[unit + 16 * b + x] as number) >> t) & 1) << b;
          return symbol;
        });
        parity.forEach((shard, row) => {
          const sum = symbols.reduce((so, symbol, j) => so ^ (products[row]?.[j]?.[symbol] as number), 0);
          for (let b = 0; b < 8; b++) shard[unit + 16 * b + x] = (shard[unit + 16 * b + x] as number) | (((sum >> b) & 1) << t);
        });
      }
    }
  }
  return parity;
}

/** A buffer at any alignment, in the midst of others. */
function oddBuffer(length: number, shared = false): Uint8Array {
  const skew = random.below(40);
  const memory = shared ? new SharedArrayBuffer(length + 80) : new ArrayBuffer(length + 80);
  return new Uint8Array(memory, skew, length).fill(0x55);
}

function oddCopy(bytes: Uint8Array): Uint8Array {
  const copy = oddBuffer(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

function makeStripe(shape: CodeShape, length: number): Uint8Array[] {
  const data = Array.from({ length: shape.data }, () => random.bytes(length));
  return [...data, ...textbookParity(shape, data)];
}

function* choices(n: number, count: number, from = 0): Generator<number[]> {
  if (count === 0) yield [];
  else for (let i = from; i <= n - count; i++) for (const rest of choices(n, count - 1, i + 1)) yield [i, ...rest];
}

function randomChoice(n: number, count: number): number[] {
  const all = Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + random.below(n - i);
    [all[i], all[j]] = [all[j] as number, all[i] as number];
  }
  return all.slice(0, count).sort((a, b) => a - b);
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}

/** Names what goes wrong when `lost` are rebuilt, or gives an empty list. */
function rebuildFaults(
  kernel: CodeKernel,
  shape: CodeShape,
  stripe: readonly Uint8Array[],
  lost: readonly number[],
  wanted = lost,
): string[] {
  const wantedBuffers = new Map(wanted.map((index) => [index, oddBuffer(stripe[0]?.byteLength as number)]));
  kernel.reconstruct(
    shape,
    stripe.map((shard, i) => (lost.includes(i) ? undefined : shard)),
    wantedBuffers,
  );
  const name = `${kernel.name} ${shape.data}+${shape.parity} without ${lost}: shard`;
  return wanted.filter((index) => !equal(wantedBuffers.get(index), stripe[index])).map((index) => `${name} ${index}`);
}

describe.each(kernels.map((kernel) => [kernel.name, kernel] as const))("the %s kernel", (_, kernel) => {
  it("gives the textbook's parity, and every loss of up to m shards back, for every k + m ≤ 8", () => {
    const faults: string[] = [];
    for (let parity = 0; parity <= 4; parity++) {
      for (let data = 1; data + parity <= 8; data++) {
        const shape = { data, parity };
        const stripe = makeStripe(shape, unitBytes * (1 + random.below(3)));
        const computed = stripe.slice(data).map((shard) => oddBuffer(shard.byteLength));
        kernel.encode(shape, stripe.slice(0, data), computed);
        computed.forEach((shard, row) => {
          if (!equal(shard, stripe[data + row])) faults.push(`${data}+${parity} parity ${row}`);
        });
        for (let losses = 0; losses <= parity; losses++) {
          for (const lost of choices(data + parity, losses)) faults.push(...rebuildFaults(kernel, shape, stripe, lost));
        }
      }
    }
    expect(faults).toEqual([]);
  });

  it("gives random losses back in wide stripes", () => {
    const faults: string[] = [];
    for (const [data, parity] of [
      [8, 3],
      [8, 4],
      [12, 4],
      [16, 2],
      [21, 4],
      [60, 1],
      [60, 3],
    ] as const) {
      const shape = { data, parity };
      const stripe = makeStripe(shape, unitBytes * (1 + random.below(2)));
      const computed = stripe.slice(data).map((shard) => oddBuffer(shard.byteLength));
      kernel.encode(shape, stripe.slice(0, data), computed);
      if (!computed.every((shard, row) => equal(shard, stripe[data + row]))) faults.push(`${data}+${parity} parity`);
      for (let round = 0; round < 25; round++) {
        const lost = randomChoice(data + parity, 1 + random.below(parity));
        faults.push(...rebuildFaults(kernel, shape, stripe, lost, lost.slice(random.below(lost.length))));
      }
    }
    expect(faults).toEqual([]);
  });

  it("rebuilds what is wanted from exactly k shards, the rest not read", () => {
    const shape = { data: 4, parity: 3 };
    const stripe = makeStripe(shape, 3 * unitBytes);
    for (const absent of choices(7, 3)) {
      for (const index of absent) expect(rebuildFaults(kernel, shape, stripe, absent, [index])).toEqual([]);
    }
  });

  it("works on stripes longer than a step, at any alignment, in shared memory, and changes no input", () => {
    const shape = { data: 3, parity: 2 };
    for (const length of [slotBytes, slotBytes + unitBytes, 3 * slotBytes - unitBytes]) {
      const stripe = makeStripe(shape, length).map((shard, i) => {
        const buffer = oddBuffer(length, i % 2 === 0);
        buffer.set(shard);
        return buffer;
      });
      const before = stripe.map((shard) => Uint8Array.from(shard));
      const parity = [oddBuffer(length, true), oddBuffer(length)];
      kernel.encode(shape, stripe.slice(0, 3), parity);
      expect(equal(parity[0], stripe[3]) && equal(parity[1], stripe[4])).toBe(true);
      expect(kernel.verify(shape, stripe)).toBe(true);
      expect(rebuildFaults(kernel, shape, stripe, [0, 3])).toEqual([]);
      expect(rebuildFaults(kernel, shape, stripe, [1, 2])).toEqual([]);
      expect(stripe.every((shard, i) => equal(shard, before[i]))).toBe(true);
    }
  });

  it("treats any aligned range of the shards as a stripe of its own", () => {
    const shape = { data: 5, parity: 3 };
    const stripe = makeStripe(shape, 40 * unitBytes);
    for (const [from, to] of [
      [0, 1],
      [1, 2],
      [7, 19],
      [39, 40],
    ] as const) {
      const range = stripe.map((shard) => shard.subarray(from * unitBytes, to * unitBytes));
      expect(rebuildFaults(kernel, shape, range, [1, 4, 6])).toEqual([]);
      expect(kernel.verify(shape, range)).toBe(true);
    }
  });

  it("writes nowhere but into the buffers it fills", () => {
    const shape = { data: 4, parity: 2 };
    const stripe = makeStripe(shape, unitBytes);
    const around = new Uint8Array(2 * unitBytes + 100).fill(0x77);
    const parity = [around.subarray(10, 10 + unitBytes), around.subarray(40 + unitBytes, 40 + 2 * unitBytes)];
    kernel.encode(shape, stripe.slice(0, 4), parity);
    parity.forEach((shard, row) => void expect(equal(shard, stripe[4 + row])).toBe(true));
    for (const shard of parity) shard.fill(0x77);
    expect(around.every((byte) => byte === 0x77)).toBe(true);
  });

  it("finds any flipped bit", () => {
    const shape = { data: 6, parity: 3 };
    const stripe = makeStripe(shape, slotBytes + 2 * unitBytes).map(oddCopy);
    expect(kernel.verify(shape, stripe)).toBe(true);
    for (let round = 0; round < 60; round++) {
      const shard = stripe[random.below(9)] as Uint8Array;
      const position = random.below(shard.byteLength);
      const bit = 1 << random.below(8);
      shard[position] = (shard[position] as number) ^ bit;
      expect(kernel.verify(shape, stripe)).toBe(false);
      shard[position] = (shard[position] as number) ^ bit;
    }
    expect(kernel.verify(shape, stripe)).toBe(true);
  });

  it("takes empty shards, no parity and nothing wanted", () => {
    const empty = (): Uint8Array => new Uint8Array(0);
    kernel.encode({ data: 2, parity: 2 }, [empty(), empty()], [empty(), empty()]);
    kernel.encode({ data: 1, parity: 0 }, [random.bytes(unitBytes)], []);
    expect(kernel.verify({ data: 2, parity: 1 }, [empty(), empty(), empty()])).toBe(true);
    expect(kernel.verify({ data: 1, parity: 0 }, [random.bytes(unitBytes)])).toBe(true);
    kernel.reconstruct({ data: 2, parity: 1 }, [empty(), undefined, empty()], new Map([[1, empty()]]));
    kernel.reconstruct({ data: 2, parity: 1 }, [random.bytes(unitBytes), undefined, random.bytes(unitBytes)], new Map());
  });

  it("refuses at its door what breaks its contract", () => {
    const unit = (): Uint8Array => new Uint8Array(unitBytes);
    const shape = { data: 2, parity: 1 };
    expect(() => kernel.encode({ data: 0, parity: 1 }, [], [unit()])).toThrow(InvariantError);
    expect(() => kernel.encode(shape, [unit()], [unit()])).toThrow(InvariantError);
    expect(() => kernel.encode(shape, [unit(), unit()], [])).toThrow(InvariantError);
    expect(() => kernel.encode(shape, [unit(), new Uint8Array(256)], [unit()])).toThrow(InvariantError);
    expect(() => kernel.encode(shape, [unit(), unit()], [new Uint8Array(256)])).toThrow(InvariantError);
    expect(() => kernel.encode(shape, [new Uint8Array(100), new Uint8Array(100)], [new Uint8Array(100)])).toThrow(InvariantError);
    expect(() => kernel.verify(shape, [unit(), unit()])).toThrow(InvariantError);
    expect(() => kernel.reconstruct(shape, [unit(), undefined, undefined], new Map([[1, unit()]]))).toThrow(InvariantError);
    expect(() => kernel.reconstruct(shape, [unit(), unit(), undefined], new Map([[1, unit()]]))).toThrow(InvariantError);
    expect(() => kernel.reconstruct(shape, [unit(), undefined, unit()], new Map([[3, unit()]]))).toThrow(InvariantError);
    expect(() => kernel.reconstruct(shape, [unit(), undefined, unit()], new Map([[1, new Uint8Array(256)]]))).toThrow(InvariantError);
  });
});

describe("the choice of a kernel", () => {
  it("is the generated one wherever WebAssembly runs, and always the same", () => {
    expect(codeKernel().name).toMatch(/^wasm/);
    expect(codeKernel()).toBe(codeKernel());
  });

  it("refuses shapes out of the code's limits", () => {
    for (const [data, parity] of [
      [1, 0],
      [60, 0],
      [60, 3],
      [21, 4],
    ] as const)
      checkShape({ data, parity });
    for (const [data, parity] of [
      [0, 1],
      [61, 0],
      [22, 4],
      [2, 5],
      [2, -1],
      [1.5, 1],
      [2, 0.5],
      [Number.NaN, 1],
    ] as const) {
      expect(() => checkShape({ data, parity })).toThrow(InvariantError);
    }
  });
});
