/** Programs that use the built package: they end by themselves, and stay small while large objects stream through them. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startChild } from "../src/testing/run-child.ts";
import { makeTemporaryStore, type TemporaryStore } from "../src/testing/temporary-store.ts";

const program = fileURLToPath(new URL("./fixtures/use-store.mjs", import.meta.url));
let place: TemporaryStore;
beforeAll(() => {
  if (!existsSync(fileURLToPath(new URL("../dist/index.js", import.meta.url))))
    throw new Error("dist/index.js is missing: run `npm run build` first");
});
beforeEach(async () => {
  place = await makeTemporaryStore(6);
});
afterEach(() => place.remove());

async function linesOf(what: string): Promise<{ lines: string[]; code: number | null; stderr: string }> {
  const child = startChild(program, [what, ...place.drives]);
  const lines: string[] = [];
  for await (const line of child.lines) lines.push(line);
  return { lines, ...(await child.ended()) };
}

it.each(["exit", "leave"])("a program ends by itself: %s", async (what) => {
  expect(await linesOf(what)).toMatchObject({ lines: ["done"], code: 0, stderr: "" });
  const store = await place.open();
  expect((await (await store.bucket("things").get("large")).bytes()).byteLength).toBe(5 * 1024 * 1024);
});

it("512 MiB stream in and out within bounded memory", { timeout: 120_000 }, async () => {
  const { lines, code, stderr } = await linesOf("stream");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { grownMiB } = JSON.parse(lines[0] as string) as { grownMiB: number };
  process.stdout.write(`memory grew by ${grownMiB} MiB while 512 MiB streamed in and out\n`);
  expect(grownMiB).toBeLessThan(200);
});
