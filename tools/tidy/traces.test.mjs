import { expect, test } from "vitest";
import { checkTraces } from "./traces.mjs";

test("places on one machine are named with their line", () => {
  /** @type {Record<string, string>} */
  const pages = {
    "a.md": ["fine", `see /${"home"}/ann/notes`, `or ..${"/shared"}/notes.md`].join("\n"),
    "b.md": "https://example.org/home/ann and ./work/a and /var/lib/holdfast",
  };
  expect(checkTraces(Object.keys(pages), (file) => pages[file] ?? "")).toEqual([
    "a.md:2: an absolute path of one machine",
    "a.md:3: a path outside the project",
  ]);
});
