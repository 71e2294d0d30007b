import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../base/random.ts";
import {
  checkLinearizability,
  formatOperation,
  type RegisterAnswer,
  type RegisterCall,
  type RegisterOperation,
} from "./linearizability.ts";
import { plantViolation, randomHistory, violations } from "./random-history.ts";

const ever = Number.POSITIVE_INFINITY;
const done: RegisterAnswer = { kind: "done" };
const get: RegisterCall = { kind: "get" };
const remove: RegisterCall = { kind: "delete" };
const put = (tag: string, conditions: { ifMatch?: string; ifNoneMatch?: "*" } = {}): RegisterCall => ({ kind: "put", tag, ...conditions });
const found = (tag?: string): RegisterAnswer => ({ kind: "found", tag });
const refused = (tag?: string): RegisterAnswer => ({ kind: "refused", tag });

/** [call, from, to, answer]; no answer: unknown. */
type Line = readonly [RegisterCall, number, number, RegisterAnswer?];

function history(...lines: readonly Line[]): RegisterOperation[] {
  return lines.map(([call, calledAt, by, answer], client) => ({ client, key: "k", call, calledAt, by, answer }));
}

function isLinearizable(...lines: readonly Line[]): boolean {
  return checkLinearizability(history(...lines)).linearizable;
}

describe("histories that can be", () => {
  it.each<[string, ...Line[]]>([
    ["nothing at all"],
    ["one after another", [put("a"), 1, 2, done], [get, 3, 4, found("a")], [remove, 5, 6, done], [get, 7, 8, found()]],
    ["a read beside a write sees the old value", [put("a"), 1, 2, done], [put("b"), 3, 6, done], [get, 4, 5, found("a")]],
    ["a read beside a write sees the new value", [put("a"), 1, 2, done], [put("b"), 3, 6, done], [get, 4, 5, found("b")]],
    ["writes side by side land in either order", [put("a"), 1, 4, done], [put("b"), 2, 3, done], [get, 5, 6, found("a")]],
    ["a condition holds", [put("a", { ifNoneMatch: "*" }), 1, 2, done], [put("b", { ifMatch: "a" }), 3, 4, done], [get, 5, 6, found("b")]],
    [
      "one of two conditional puts wins",
      [put("a", { ifNoneMatch: "*" }), 1, 4, done],
      [put("b", { ifNoneMatch: "*" }), 2, 3, refused("a")],
    ],
    ["a condition on what is not there", [put("a", { ifMatch: "z" }), 1, 2, refused()], [get, 3, 4, found()]],
    ["an unknown write that never happened", [put("a"), 1, ever], [get, 2, 3, found()], [get, 4, 5, found()]],
    ["an unknown write that appears late", [put("a"), 1, ever], [get, 2, 3, found()], [put("b"), 4, 5, done], [get, 6, 7, found("a")]],
    ["an unknown write seen before its bound", [put("a"), 1, 4], [get, 2, 3, found("a")], [get, 5, 6, found("a")]],
    ["an unknown delete", [put("a"), 1, 2, done], [remove, 3, ever], [get, 4, 5, found("a")], [get, 6, 7, found()]],
    [
      "a chain of unknown writes",
      [put("a"), 1, ever],
      [put("b", { ifMatch: "a" }), 2, ever],
      [put("c", { ifMatch: "b" }), 3, ever],
      [get, 4, 5, found("c")],
    ],
    ["a time-out that did happen", [put("a"), 1, 2, done], [put("b"), 3, ever], [get, 9, 10, found("b")], [get, 11, 12, found("b")]],
    ["a conditional delete", [put("a"), 1, 2, done], [{ kind: "delete", ifMatch: "a" }, 3, 4, done], [get, 5, 6, found()]],
  ])("%s", (_, ...lines) => {
    expect(isLinearizable(...lines)).toBe(true);
  });
});

describe("histories that cannot be", () => {
  it.each<[string, ...Line[]]>([
    ["a stale read", [put("a"), 1, 2, done], [put("b"), 3, 4, done], [get, 5, 6, found("a")]],
    ["a lost write", [put("a"), 1, 2, done], [get, 3, 4, found()]],
    ["a value nobody wrote", [put("a"), 1, 2, done], [get, 3, 4, found("z")]],
    ["a read before its write", [get, 1, 2, found("a")], [put("a"), 3, 4, done]],
    ["a lost update", [put("a"), 1, 2, done], [put("b", { ifMatch: "a" }), 3, 6, done], [put("c", { ifMatch: "a" }), 4, 5, done]],
    ["both of two conditional puts win", [put("a", { ifNoneMatch: "*" }), 1, 4, done], [put("b", { ifNoneMatch: "*" }), 2, 3, done]],
    ["a value that flips back", [put("a"), 1, 2, done], [put("b"), 3, 8, done], [get, 4, 5, found("b")], [get, 6, 7, found("a")]],
    [
      "two readers that disagree on the order",
      [put("a"), 1, 10, done],
      [put("b"), 1, 10, done],
      [get, 11, 12, found("a")],
      [get, 13, 14, found("b")],
    ],
    ["a delete undone", [put("a"), 1, 2, done], [remove, 3, 4, done], [get, 5, 6, found("a")]],
    ["a refusal without a reason", [put("a"), 1, 2, done], [put("b", { ifMatch: "a" }), 3, 4, refused("a")]],
    [
      "a refusal by what was overwritten",
      [put("a"), 1, 2, done],
      [put("b"), 3, 4, done],
      [put("c", { ifNoneMatch: "*" }), 5, 6, refused("a")],
    ],
    ["an unknown write that comes and goes", [put("a"), 1, 2, done], [put("b"), 3, ever], [get, 4, 5, found("b")], [get, 6, 7, found("a")]],
    ["an unknown write after its bound", [put("a"), 1, 4], [get, 5, 6, found()], [get, 7, 8, found("a")]],
    ["an unknown write before its call", [get, 1, 2, found("a")], [put("a"), 3, ever]],
    ["an unknown write that cannot have been made", [put("b", { ifMatch: "a" }), 1, ever], [get, 2, 3, found("b")]],
    ["a conditional delete of something else", [put("a"), 1, 2, done], [{ kind: "delete", ifMatch: "b" }, 3, 4, done]],
  ])("%s", (_, ...lines) => {
    expect(isLinearizable(...lines)).toBe(false);
  });

  it("are told by key, with the calls that do not fit", () => {
    const good = history([put("a"), 1, 2, done]);
    const bad = history([put("a"), 1, 2, done], [put("b"), 3, 4, done], [get, 5, 6, found("a")]).map((each) => ({ ...each, key: "other" }));
    const verdict = checkLinearizability([...good, ...bad]);
    expect(verdict).toMatchObject({ linearizable: false, key: "other" });
    expect(verdict.linearizable ? "" : verdict.why).toContain("client 2: get other [5, 6] found a");
  });
});

describe("random histories of a simulated register", () => {
  it("are accepted, with crashes and time-outs in them", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const operations = randomHistory(seed, { clients: 5, operations: 120, keys: 2, crashes: seed % 4, timeouts: seed % 3 });
      const verdict = checkLinearizability(operations);
      expect(verdict.linearizable, `randomHistory(${seed}): ${verdict.linearizable ? "" : verdict.why}`).toBe(true);
    }
  });

  it.each(violations)("are refused with a planted violation: %s", (violation) => {
    let planted = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const operations = randomHistory(seed, { clients: 5, operations: 120, keys: 2, crashes: seed % 4, timeouts: seed % 3 });
      const bad = plantViolation(operations, violation, createSeededRandom(seed));
      if (bad === undefined) continue;
      planted++;
      expect(checkLinearizability(bad).linearizable, `plantViolation(randomHistory(${seed}), ${violation})`).toBe(false);
    }
    expect(planted).toBeGreaterThan(100);
  });

  it("are judged without going through all orders, however many clients", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const operations = randomHistory(seed, { clients: 8, operations: 1000, keys: 1 + (seed % 4), crashes: 6, timeouts: 10 });
      const verdict = checkLinearizability(operations, { statesMax: 100_000 });
      expect(verdict.linearizable, `randomHistory(${seed}): ${verdict.linearizable ? "" : verdict.why}`).toBe(true);
      const bad = plantViolation(operations, "stale read", createSeededRandom(seed)) ?? [];
      expect(checkLinearizability(bad, { statesMax: 1_000_000 }).linearizable, `stale read in randomHistory(${seed})`).toBe(false);
    }
  });

  it("can be read as lines", () => {
    expect(history([put("a", { ifMatch: "z" }), 1, 2, refused("b")]).map(formatOperation)).toEqual([
      "client 0: put k a if z [1, 2] refused b",
    ]);
  });
});
