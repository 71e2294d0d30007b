import { resolve, sep } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FileFolderClashes, keyPath } from "./key-path.ts";

describe("keyPath", () => {
  it("takes what a file system can name", () => {
    expect(keyPath("a", "linux")).toEqual({ segments: ["a"], isFolder: false });
    expect(keyPath("a/b c/…/\u{1f600}\n*?", "linux")).toEqual({ segments: ["a", "b c", "…", "\u{1f600}\n*?"], isFolder: false });
    expect(keyPath("a/b/", "linux")).toEqual({ segments: ["a", "b"], isFolder: true });
    expect(keyPath("..a/b..", "linux")).toEqual({ segments: ["..a", "b.."], isFolder: false });
    expect(keyPath("ä".repeat(127), "linux").refusal).toBeUndefined();
  });

  it.each(["", "/", "/etc/passwd", "//", "a//b", "a//", ".", "..", "../x", "a/../b", "a/./b", "a/..", "./", "a\0b", "ä".repeat(128)])(
    "refuses %j",
    (key) => {
      expect(keyPath(key, "linux").refusal).toEqual(expect.any(String));
    },
  );

  it.each(["a:b", "C:", "a\\b", "..\\x", "a.", "a ", "con", "CON.txt", "dir/nul", "a\u0001", "com1.log", "a|b"])(
    "refuses %j on Windows",
    (key) => {
      expect(keyPath(key, "win32").refusal).toEqual(expect.any(String));
      expect(keyPath(key, "linux").refusal).toBeUndefined();
    },
  );

  it("never leads out of the folder, and never gives two keys one path", () => {
    const piece = fc.oneof(
      fc.constantFrom("..", ".", "", "/", "\\", "C:", "\0", "a", "..."),
      fc.string({ unit: "grapheme", maxLength: 4 }),
    );
    const key = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(key, key, (one, other) => {
        const [a, b] = [keyPath(one, process.platform), keyPath(other, process.platform)];
        if (a.refusal !== undefined) return;
        const path = resolve("/target", ...a.segments);
        expect(path.startsWith(`${sep === "\\" ? path.slice(0, 2) : ""}${sep}target${sep}`)).toBe(true);
        expect(path.split(sep).length).toBe(resolve("/target").split(sep).length + a.segments.length);
        if (b.refusal === undefined && one !== other && !a.isFolder && !b.isFolder)
          expect(resolve("/target", ...b.segments)).not.toBe(path);
      }),
    );
  });
});

describe("FileFolderClashes", () => {
  it("finds a file where a folder is needed, also with keys between the two", () => {
    const clashes = new FileFolderClashes();
    const found = ["a", "a-b", "a-b/c", "a/b", "a/b/c", "a/c", "ab/c", "b/", "b/c"].map((key) => clashes.check(key));
    expect(found).toEqual([undefined, undefined, "a-b", "a", "a", "a", undefined, undefined, undefined]);
  });

  it("agrees with looking at all pairs", () => {
    const key = fc.string({ unit: fc.constantFrom("a", "/", "-", "0"), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 30 }), (keys) => {
        const clashes = new FileFolderClashes();
        const sorted = [...keys].sort();
        const files = sorted.filter((one) => !one.endsWith("/"));
        for (const one of sorted) expect(clashes.check(one) !== undefined).toBe(files.some((file) => one.startsWith(`${file}/`)));
      }),
    );
  });
});
