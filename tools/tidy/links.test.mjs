import { describe, expect, test } from "vitest";
import { checkLinks } from "./links.mjs";
import { anchors, links, runnableBlocks } from "./markdown.mjs";

/** @param {Record<string, string>} pages */
const check = (pages) => checkLinks(Object.keys(pages), (file) => pages[file] ?? "");

describe("links", () => {
  test("resolve to files, folders and headings", () => {
    const guide = "# The *guide*\n## A `PUT`, step by step\n## Same\n## Same\n";
    const page =
      "[a](guide.md) [b](../src/) [c](guide.md#a-put-step-by-step) [d](guide.md#same-1) [e](https://example.org/x) [f](#top)\n# Top\n";
    expect(check({ "docs/page.md": page, "docs/guide.md": guide, "src/a.ts": "" })).toEqual([]);
  });

  test("that lead nowhere are named with their line", () => {
    const page = "# A\n\n[a](b.md) [c](#d) [e](/f.md)\n[g](../../h.md)\n\n[ref]: missing.md\n";
    expect(check({ "docs/a.md": page })).toEqual([
      "docs/a.md:3: b.md is not there",
      "docs/a.md:3: #d names no heading of that page",
      "docs/a.md:3: /f.md is absolute; link relative to this page",
      "docs/a.md:4: ../../h.md leads out of the project",
      "docs/a.md:6: missing.md is not there",
    ]);
  });

  test("in code and comments are none", () => {
    expect(links("`[a](b)` x\n```md\n[c](d)\n```\n<!-- [e](f) -->\n[g](h)\n")).toEqual([{ target: "h", line: 6 }]);
  });
});

test("headings inside code blocks have no anchor", () => {
  expect([...anchors("# A b-c_d (e)!\n```sh\n# no\n```\n")]).toEqual(["a-b-c_d-e"]);
});

test("only marked blocks run", () => {
  const text = "```ts\nno();\n```\n\n<!-- run -->\n```ts\nyes();\nagain();\n```\n<!-- run -->\n\n```sh\nno\n```\n";
  expect(runnableBlocks(text)).toEqual([{ code: "yes();\nagain();\n", line: 6 }]);
});
