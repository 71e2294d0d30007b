import { defineConfig } from "vitest/config";
import { plantBug } from "./src/testing/planted-bugs.ts";

/** Set only by the tests of the tests: see src/testing/planted-bugs.ts. */
const plant = process.env.HOLDFAST_PLANT;

export default defineConfig({
  plugins: plant === undefined ? [] : [plantBug(plant)],
  test: {
    name: "engine",
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    environment: "node",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Store tests sync real files: more workers than cores only queue for the same disk.
    maxWorkers: 2,
    maxConcurrency: 2,
  },
});
