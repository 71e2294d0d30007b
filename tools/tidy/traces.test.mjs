import { expect, test } from "vitest";
import { checkTraces } from "./traces.mjs";

test("places on one machine and registries' addresses are named with their line", () => {
  /** @type {Record<string, string>} */
  const pages = {
    "a.md": ["fine", `see /${"home"}/ann/notes`, `or ..${"/shared"}/notes.md`].join("\n"),
    "b.md": "https://example.org/home/ann and ./work/a and /var/lib/holdfast",
    "package-lock.json": `"resolved": "${"https"}://registry.example.org/a.tgz"`,
  };
  expect(checkTraces(Object.keys(pages), (file) => pages[file] ?? "")).toEqual([
    "a.md:2: an absolute path of one machine",
    "a.md:3: a path outside the project",
    "package-lock.json:1: a registry's address",
  ]);
});
