import { describe, expect, test } from "vitest";
import { compareSizes, oversized } from "./sizes.mjs";

/** @param {number} count */
const lines = (count) => "  work();\n".repeat(count);

describe("what is oversized", () => {
  test("a file of more than 500 lines", () => {
    expect(oversized("a.ts", "work();\n".repeat(500))).toEqual({});
    expect(oversized("a.ts", "work();\n".repeat(501))).toEqual({ "a.ts": 501 });
  });

  test("a function of more than 70 lines, by its name", () => {
    expect(oversized("a.ts", `function small() {\n${lines(68)}}\n`)).toEqual({});
    expect(oversized("a.ts", `function large() {\n${lines(69)}}\n`)).toEqual({ "a.ts#large": 71 });
    expect(oversized("a.ts", `const large = () => {\n${lines(69)}};\n`)).toEqual({ "a.ts#large": 71 });
    expect(oversized("a.ts", `class A {\n  large(): void {\n${lines(69)}  }\n}\n`)).toEqual({ "a.ts#large": 71 });
  });

  test("a suite of tests counts its own lines only", () => {
    const text = `describe("a", () => {\n  test("b", () => {\n${lines(69)}  });\n});\n`;
    expect(Object.keys(oversized("a.ts", text))).toEqual(["a.ts#anonymous"]);
    expect(oversized("a.ts", text)["a.ts#anonymous"]).toBe(73);
    expect(oversized("a.test.ts", text)["a.test.ts#anonymous"]).toBe(71);
    expect(oversized("a.test.ts", text.replace("  work();\n", ""))).toEqual({});
  });
});

test("the record may only shrink", () => {
  expect(compareSizes({ "a.ts": 600 }, { "a.ts": 600 })).toEqual([]);
  expect(compareSizes({ "a.ts": 601 }, { "a.ts": 600 })).toHaveLength(1);
  expect(compareSizes({ "a.ts": 599 }, { "a.ts": 600 })).toHaveLength(1);
  expect(compareSizes({}, { "a.ts": 600 })).toHaveLength(1);
  expect(compareSizes({ "b.ts#large": 71 }, {})).toHaveLength(1);
});
