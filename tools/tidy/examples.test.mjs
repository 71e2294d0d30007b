import { expect, test } from "vitest";
import { findExamples, runExample } from "./examples.mjs";
import { projectFiles } from "./files.mjs";

const examples = findExamples(projectFiles());

test.for(examples.map((example) => /** @type {const} */ ([example.name, example])))("the example at %s runs", async ([, example]) => {
  expect(await runExample(example)).toBeUndefined();
});

test("an example that fails says why", async () => {
  const works = 'import { errorCodes } from "@holdfast/engine";\nif (errorCodes.INTERNAL !== ("internal" as string)) throw new Error();\n';
  expect(await runExample({ name: "works", code: works })).toBeUndefined();
  expect(await runExample({ name: "a.md:1", code: 'throw new Error("no such luck");\n' })).toMatch(
    /^a\.md:1: the example fails[\s\S]*no such luck/,
  );
});
