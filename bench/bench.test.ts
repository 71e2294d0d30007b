import { describe, expect, it } from "vitest";
import { runSuites, suiteNames } from "./src/suites.ts";

/** The numbers mean nothing here: a suite has run when it has printed its tables. */
describe("smoke runs", () => {
  it.each(suiteNames)("%s", async (name) => {
    const printed: string[] = [];
    await runSuites({ names: [name], smoke: true, directory: undefined, print: (text) => printed.push(text) });
    const rows = printed
      .join("\n")
      .split("\n")
      .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
    expect(rows.length).toBeGreaterThan(2);
    expect(printed.join("\n")).not.toContain("NaN");
  });
});
