import { expect, test } from "vitest";
import { checkChangesets } from "./changesets.mjs";

/** @param {string} text */
function check(text) {
  /** @type {Record<string, string>} */
  const pages = { "packages/engine/package.json": '{ "name": "@holdfast/engine" }', ".changeset/one.md": text, ".changeset/README.md": "" };
  return checkChangesets(Object.keys(pages), (file) => pages[file] ?? "");
}

test("changesets name packages, bumps and the change", () => {
  expect(check('---\n"@holdfast/engine": minor\n---\n\nMore.\n')).toEqual([]);
  expect(check('---\n"@holdfast/engin": minor\n---\n\nMore.\n')).toHaveLength(1);
  expect(check('---\n"@holdfast/engine": big\n---\n\nMore.\n')).toHaveLength(1);
  expect(check('---\n"@holdfast/engine": minor\n---\n')).toHaveLength(1);
  expect(check("More.\n")).toHaveLength(1);
});
