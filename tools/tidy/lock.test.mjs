import { expect, test } from "vitest";
import { checkLock } from "./lock.mjs";

/** @param {object} packages */
const check = (packages) => checkLock(() => JSON.stringify({ packages }));

test("optional packages are found beside and around the one that wants them", () => {
  const wanting = { optionalDependencies: { fast: "1.0.0" } };
  expect(check({ "node_modules/a": wanting, "node_modules/fast": {} })).toEqual([]);
  expect(check({ "node_modules/b/node_modules/a": wanting, "node_modules/b/node_modules/fast": {} })).toEqual([]);
  expect(check({ "node_modules/a": wanting, "node_modules/b/node_modules/fast": {} })).toHaveLength(1);
});

test("a registry's address is a problem, a workspace's folder is none", () => {
  expect(check({ "node_modules/a": { resolved: `${"https"}://registry.example.org/a.tgz` } })).toHaveLength(1);
  expect(check({ "node_modules/@holdfast/engine": { resolved: "packages/engine", link: true } })).toEqual([]);
});
