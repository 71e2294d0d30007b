/** What every OrderedIndex does: one suite, run by each implementation. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compareBytes, utf8 } from "../base/bytes.ts";
import type { IndexMutation, IndexRange, OrderedIndex } from "../index/ordered-index.ts";

type Entry = readonly [key: Uint8Array, value: Uint8Array];

/** Registers the suite; `open` gives a fresh, empty index each time. */
export function describeIndexContract(name: string, open: () => Promise<OrderedIndex>): void {
  describe(`${name} keeps the index contract`, () => {
    let index: OrderedIndex;
    beforeEach(async () => {
      index = await open();
    });
    afterEach(() => index.close());

    describe("at points", () => describePoints(() => index));
    describe("in scans", () => describeScans(() => index));
    describe("in scans that write", () => describeSnapshots(() => index));
    describeModel(open);
  });
}

function describePoints(index: () => OrderedIndex): void {
  it("gets what was put, at once, and nothing else", () => {
    index().write([put("b", "1")]);
    expect(text(index().get(utf8("b")))).toBe("1");
    expect(index().get(utf8("a"))).toBeUndefined();
    expect(index().get(utf8("bb"))).toBeUndefined();
    index().write([put("b", "22")]);
    expect(text(index().get(utf8("b")))).toBe("22");
    index().write([remove("b"), remove("never")]);
    expect(index().get(utf8("b"))).toBeUndefined();
    expect(index().count()).toBe(0);
  });

  it("applies mutations of one write in order", () => {
    index().write([put("a", "1"), remove("a"), put("b", "1"), put("b", "2"), remove("c"), put("c", "3")]);
    expect(all(index())).toEqual(["b=2", "c=3"]);
    expect(index().count()).toBe(2);
  });

  it("keeps empty, long and shared-memory values, and keys of every length and byte", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(300)).fill(9);
    const keys = [
      new Uint8Array([0]),
      new Uint8Array([0, 0]),
      new Uint8Array([0xff, 0xff]),
      new Uint8Array(1900).fill(0xff),
      new Uint8Array(1900),
    ];
    index().write(
      keys.map((key, at) => ({
        key,
        value: [new Uint8Array(0), shared, new Uint8Array(100_000).fill(1), new Uint8Array(1025).fill(2), new Uint8Array(70)][at],
      })),
    );
    expect(keys.map((key) => index().get(key)?.byteLength)).toEqual([0, 300, 100_000, 1025, 70]);
    expect(index().get(keys[1] as Uint8Array)).toEqual(new Uint8Array(300).fill(9));
    expect(entries(index(), { start: new Uint8Array(0), end: undefined }).map(([key]) => key.byteLength)).toEqual([1, 2, 1900, 2, 1900]);
  });

  it("hands out arrays that are the caller's and keeps none of the caller's", () => {
    const key = Buffer.from("key");
    const value = Buffer.from("value");
    index().write([{ key, value }, put("other", "o")]);
    key.fill(0);
    value.fill(0);
    const got = index().get(utf8("key")) as Uint8Array;
    index().get(utf8("other"));
    expect(text(got)).toBe("value");
    got.fill(0);
    expect(text(index().get(utf8("key")))).toBe("value");
    const seen: Uint8Array[] = [];
    index().scan({ start: utf8("a"), end: undefined }, (foundKey, foundValue) => {
      seen.push(foundKey, foundValue);
      foundKey.fill(1);
      return true;
    });
    expect(seen).toHaveLength(4);
    expect(text(seen[1])).toBe("value");
    expect(all(index())).toEqual(["key=value", "other=o"]);
  });

  it("refuses keys out of bounds and changes nothing then", () => {
    expect(() => index().write([put("a", "1"), { key: new Uint8Array(0), value: undefined }])).toThrow("invariant");
    expect(() => index().write([put("a", "1"), { key: new Uint8Array(1901), value: undefined }])).toThrow("invariant");
    expect(index().count()).toBe(0);
  });

  it("clears, flushes, and says so once closed", async () => {
    index().write([put("a", "1"), put("b", "2")]);
    await Promise.all([index().flush(), index().flush()]);
    index().clear();
    expect(all(index())).toEqual([]);
    expect(index().count()).toBe(0);
    await index().close();
    await index().close();
    expect(() => index().get(utf8("a"))).toThrow(expect.objectContaining({ code: "STORE_CLOSED" }));
    expect(() => index().write([])).toThrow(expect.objectContaining({ code: "STORE_CLOSED" }));
  });
}

function describeScans(index: () => OrderedIndex): void {
  beforeEach(() => index().write(["a", "b", "ba", "bb", "c", "d"].map((key) => put(key, key.toUpperCase()))));

  it.each([
    ["b", "c", false, "b ba bb"],
    ["b", "c", true, "bb ba b"],
    ["b0", "bz", false, "ba bb"],
    ["b0", "bz", true, "bb ba"],
    ["", undefined, false, "a b ba bb c d"],
    ["", undefined, true, "d c bb ba b a"],
    ["c", undefined, true, "d c"],
    ["", "a", false, ""],
    ["", "a", true, ""],
    ["", "aa", true, "a"],
    ["", "", false, ""],
    ["", "", true, ""],
    ["c", "c", false, ""],
    ["c", "c", true, ""],
    ["d", "b", false, ""],
    ["d", "b", true, ""],
    ["e", undefined, false, ""],
    ["e", undefined, true, ""],
    ["a", "z", true, "d c bb ba b a"],
  ])("scans [%j, %j) reverse %s", (start, end, reverse, expected) => {
    expect(keysOf(index(), { start: utf8(start), end: end === undefined ? undefined : utf8(end), reverse })).toBe(expected);
  });

  it("stops when told to, and when the visitor throws", () => {
    expect(keysOf(index(), { start: utf8("a"), end: undefined }, (key) => key !== "b")).toBe("a b");
    const boom = new Error("boom");
    expect(() =>
      index().scan({ start: utf8("a"), end: undefined }, () => {
        throw boom;
      }),
    ).toThrow(boom);
    index().write([put("e", "E")]);
    expect(keysOf(index(), { start: utf8("d"), end: undefined })).toBe("d e");
  });

  it("seeks to the first entry at or above, or backwards to the first below", () => {
    expect(keysOf(index(), { start: utf8("a"), end: undefined }, (key) => (key === "a" ? utf8("ba") : true))).toBe("a ba bb c d");
    expect(keysOf(index(), { start: utf8("a"), end: undefined }, (key) => (key === "a" ? utf8("bab") : true))).toBe("a bb c d");
    expect(keysOf(index(), { start: utf8(""), end: undefined, reverse: true }, (key) => (key === "d" ? utf8("bb") : true))).toBe(
      "d ba b a",
    );
    expect(keysOf(index(), { start: utf8("b"), end: undefined, reverse: true }, (key) => (key === "d" ? utf8("bz") : true))).toBe(
      "d bb ba b",
    );
  });

  it("ends a seek at the range's bound and never goes back", () => {
    expect(keysOf(index(), { start: utf8("a"), end: utf8("c") }, () => utf8("z"))).toBe("a");
    expect(keysOf(index(), { start: utf8("b"), end: undefined, reverse: true }, () => utf8("a"))).toBe("d");
    expect(keysOf(index(), { start: utf8("b"), end: undefined, reverse: true }, () => new Uint8Array(0))).toBe("d");
    expect(keysOf(index(), { start: utf8("b"), end: undefined }, () => utf8("a"))).toBe("b ba bb c d");
    expect(keysOf(index(), { start: utf8("b"), end: utf8("c"), reverse: true }, () => utf8("z"))).toBe("bb ba b");
  });
}

function describeSnapshots(index: () => OrderedIndex): void {
  it.each([false, true])("scans the state at its start while writing and seeking, reverse %s", (reverse) => {
    index().write(["a", "b", "c", "d", "e"].map((key) => put(key, "old")));
    const seen: string[] = [];
    index().scan({ start: utf8("a"), end: utf8("z"), reverse }, (key, value) => {
      seen.push(`${text(key)}=${text(value)}`);
      index().write([put("b", "new"), remove("c"), put("cc", "new"), put("d", "new")]);
      expect(text(index().get(utf8("b")))).toBe("new");
      expect(all(index()).join(" ")).toBe("a=old b=new cc=new d=new e=old");
      return seen.length % 2 === 0 ? key : true;
    });
    const expected = ["a=old", "b=old", "c=old", "d=old", "e=old"];
    expect(seen).toEqual(reverse ? expected.reverse() : expected);
  });

  it("keeps each nested scan to the state it began with", () => {
    index().write([put("a", "0"), put("b", "0")]);
    const seen: string[] = [];
    index().scan({ start: utf8("a"), end: undefined }, (key, value) => {
      seen.push(`outer ${text(key)}=${text(value)}`);
      index().write([put("b", text(key))]);
      index().scan({ start: utf8("b"), end: undefined }, (innerKey, innerValue) => {
        seen.push(`inner ${text(innerKey)}=${text(innerValue)}`);
        index().clear();
        return utf8("b");
      });
      return utf8("b");
    });
    expect(seen).toEqual(["outer a=0", "inner b=a", "outer b=0", "inner b=b"]);
  });
}

/** Random writes, reopen-free, against a sorted array; after each, random scans with random seeks. */
function describeModel(open: () => Promise<OrderedIndex>): void {
  const byte = fc.constantFrom(0, 1, 0x61, 0x62, 0xfe, 0xff);
  const key = fc.uint8Array({ minLength: 1, maxLength: 4 }).chain((any) =>
    fc.oneof(
      fc.constant(any),
      fc.array(byte, { minLength: 1, maxLength: 4 }).map((bytes) => new Uint8Array(bytes)),
    ),
  );
  const mutation = fc.record({ key, value: fc.oneof(fc.constant(undefined), fc.uint8Array({ maxLength: 20 })) });
  const bound = fc.oneof(fc.constant(new Uint8Array(0)), key);
  const scan = fc.record({
    start: bound,
    end: fc.oneof(fc.constant(undefined), bound),
    reverse: fc.boolean(),
    answers: fc.array(fc.oneof(fc.boolean(), key), { maxLength: 6 }),
  });
  const round = fc.record({ mutations: fc.array(mutation, { maxLength: 40 }), scans: fc.array(scan, { maxLength: 4 }) });

  it("agrees with a sorted array", async () => {
    const index = await open();
    try {
      fc.assert(
        fc.property(fc.array(round, { minLength: 1, maxLength: 8 }), (rounds) => {
          index.clear();
          let model: Entry[] = [];
          for (const { mutations, scans } of rounds) {
            index.write(mutations);
            model = applyToModel(model, mutations);
            expect(index.count()).toBe(model.length);
            for (const { answers, ...range } of scans) expect(runScan(index, range, answers)).toEqual(scanModel(model, range, answers));
            for (const { key: wanted } of mutations)
              expect(hex(index.get(wanted))).toBe(hex(model.find(([found]) => compareBytes(found, wanted) === 0)?.[1]));
          }
          expect(entries(index, { start: new Uint8Array(0), end: undefined })).toEqual(model);
        }),
        { numRuns: 60 },
      );
    } finally {
      await index.close();
    }
  });
}

function applyToModel(model: readonly Entry[], mutations: readonly IndexMutation[]): Entry[] {
  const map = new Map(model.map((entry) => [hex(entry[0]) as string, entry]));
  for (const { key, value } of mutations) {
    if (value === undefined) map.delete(hex(key) as string);
    else map.set(hex(key) as string, [key, value]);
  }
  return [...map.values()].sort((a, b) => compareBytes(a[0], b[0]));
}

function scanModel(model: readonly Entry[], range: IndexRange, answers: readonly (boolean | Uint8Array)[]): Entry[] {
  const inRange = model.filter(
    ([key]) => compareBytes(key, range.start) >= 0 && (range.end === undefined || compareBytes(key, range.end) < 0),
  );
  const left = range.reverse === true ? inRange.reverse() : inRange;
  const seen: Entry[] = [];
  while (left.length > 0) {
    const answer = answers[seen.length] ?? true;
    seen.push(left.shift() as Entry);
    if (answer === false) break;
    if (answer === true) continue;
    while (
      left.length > 0 &&
      (range.reverse === true ? compareBytes((left[0] as Entry)[0], answer) >= 0 : compareBytes((left[0] as Entry)[0], answer) < 0)
    )
      left.shift();
  }
  return seen;
}

function runScan(index: OrderedIndex, range: IndexRange, answers: readonly (boolean | Uint8Array)[]): Entry[] {
  const seen: Entry[] = [];
  index.scan(range, (key, value) => {
    seen.push([key, value]);
    return answers[seen.length - 1] ?? true;
  });
  return seen;
}

function entries(index: OrderedIndex, range: IndexRange): Entry[] {
  return runScan(index, range, []);
}

function all(index: OrderedIndex): string[] {
  return entries(index, { start: new Uint8Array(0), end: undefined }).map(([key, value]) => `${text(key)}=${text(value)}`);
}

function keysOf(index: OrderedIndex, range: IndexRange, answer: (key: string) => boolean | Uint8Array = () => true): string {
  const seen: string[] = [];
  index.scan(range, (key) => {
    seen.push(text(key));
    return answer(text(key));
  });
  return seen.join(" ");
}

function put(key: string, value: string): IndexMutation {
  return { key: utf8(key), value: utf8(value) };
}

function remove(key: string): IndexMutation {
  return { key: utf8(key), value: undefined };
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");
}
