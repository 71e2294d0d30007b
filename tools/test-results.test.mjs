import { expect, test } from "vitest";
import { countResults, resultLine } from "./test-results.mjs";

/** @param {string} status @param {string[]} tests */
const file = (status, ...tests) => ({ status, assertionResults: tests.map((each) => ({ status: each })) });
/** @param {object[]} testResults */
const report = (...testResults) => JSON.stringify({ testResults });

test("tests are summed over files; skipped ones count as neither", () => {
  const text = report(file("passed", "passed", "passed", "pending"), file("failed", "passed", "failed"));
  expect(countResults(text, 1)).toEqual({ passed: 3, failed: 1 });
});

test("a file that does not load is a failure", () => {
  expect(countResults(report(file("failed"), file("passed", "passed")), 1)).toEqual({ passed: 1, failed: 1 });
});

test("an exit code without a failed test, or without any report, is a failure", () => {
  expect(countResults(report(file("passed", "passed")), 1)).toEqual({ passed: 1, failed: 1 });
  expect(countResults(undefined, 1)).toEqual({ passed: 0, failed: 1 });
});

test("the last line is plain", () => {
  expect(resultLine({ passed: 12, failed: 0 })).toBe("12 passed, 0 failed");
});
