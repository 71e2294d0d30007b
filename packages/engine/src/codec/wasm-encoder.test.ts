import { describe, expect, it } from "vitest";
import { arenaPages, instantiate, type WasmArena, wasmArena, windowAt } from "./wasm-arena.ts";
import {
  type Code,
  call,
  encodeModule,
  FunctionBuilder,
  i32,
  i64,
  type Local,
  leave,
  repeatWhile,
  v128,
  valueType,
  when,
} from "./wasm-encoder.ts";

const arena = wasmArena() as WasmArena;

function exportsOf(functions: Record<string, FunctionBuilder>): Record<string, (...operands: unknown[]) => unknown> {
  const exports = Object.fromEntries(Object.keys(functions).map((name, place) => [name, place]));
  const bytes = encodeModule({ memoryPages: arenaPages, functions: Object.values(functions), exports });
  return instantiate(arena, bytes) as Record<string, (...operands: unknown[]) => unknown>;
}

function constantFunction(type: typeof valueType.i32 | typeof valueType.i64, code: Code): FunctionBuilder {
  return new FunctionBuilder([], type).emit(code);
}

describe("the WebAssembly encoder", () => {
  it("writes constants of any size and sign", () => {
    const small = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8193, 2 ** 31 - 1, -(2 ** 31)];
    const large = [0n, -1n, 64n, -65n, 2n ** 40n, -(2n ** 40n), 2n ** 63n - 1n, -(2n ** 63n)];
    for (const value of small) expect(exportsOf({ f: constantFunction(valueType.i32, i32.constant(value)) }).f?.()).toBe(value);
    for (const value of large) expect(exportsOf({ f: constantFunction(valueType.i64, i64.constant(value)) }).f?.()).toBe(value);
    const wrapped = exportsOf({ f: constantFunction(valueType.i64, i64.constant(2n ** 64n - 5n)) });
    expect(wrapped.f?.()).toBe(-5n);
  });

  it("writes loops, branches, locals and calls", () => {
    const sum = new FunctionBuilder([valueType.i32], valueType.i32);
    const [upTo] = sum.parameters as [Local];
    const total = sum.local(valueType.i32);
    sum.emit(
      when(i32.isZero(upTo.get), leave(i32.constant(-1))),
      repeatWhile(
        i32.isAbove(upTo.get, i32.constant(0)),
        total.set(i32.add(total.get, upTo.get)),
        upTo.set(i32.subtract(upTo.get, i32.constant(1))),
      ),
      total.get,
    );
    const twice = new FunctionBuilder([valueType.i32], valueType.i32);
    const [value] = twice.parameters as [Local];
    twice.emit(i32.add(call(0, value.get), call(0, value.get)));
    const { sum: runSum, twice: runTwice } = exportsOf({ sum, twice });
    expect(runSum?.(100)).toBe(5050);
    expect(runSum?.(0)).toBe(-1);
    expect(runTwice?.(10)).toBe(110);
  });

  it("writes more locals and longer code than one byte can count", () => {
    const f = new FunctionBuilder([], valueType.i32);
    const locals = f.locals(valueType.i32, 300);
    for (const [i, local] of locals.entries()) f.emit(local.set(i32.constant(i)));
    f.emit(locals.map((local) => local.get).reduce(i32.add as (left: Code, right: Code) => Code));
    expect(exportsOf({ f }).f?.()).toBe(44_850);
  });

  it("reads and writes vectors at far offsets", () => {
    const f = new FunctionBuilder([valueType.i32]);
    const [address] = f.parameters as [Local];
    f.emit(
      v128.store(address.get, v128.xor(v128.load(address.get, windowAt), v128.constant(new Uint8Array(16).fill(0xff))), windowAt + 16),
    );
    arena.bytes.fill(0x0f, windowAt + 32, windowAt + 48);
    exportsOf({ f }).f?.(32);
    expect(arena.bytes.slice(windowAt + 48, windowAt + 64)).toEqual(new Uint8Array(16).fill(0xf0));
  });

  it("gives equal bytes for equal programs", () => {
    const make = (): Uint8Array =>
      encodeModule({ memoryPages: 1, functions: [constantFunction(valueType.i32, i32.constant(7))], exports: { f: 0 } });
    expect(make()).toEqual(make());
  });
});
