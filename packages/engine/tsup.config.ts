import { defineConfig } from "tsup";

/**
 * Three entries, one graph: what they share is split into chunks, so a worker never loads the store and the command never
 * carries a second copy of it. `worker.js` is its own file because threads are started with `new URL("./worker.js", import.meta.url)`:
 * all chunks lie flat in `dist/`, so that URL holds from any of them.
 */
export default defineConfig({
  entry: { index: "src/index.ts", cli: "src/cli/main.ts", worker: "src/worker.ts" },
  format: "esm",
  platform: "node",
  target: "node20.19",
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: { entry: { index: "src/index.ts" } },
});
