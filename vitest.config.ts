import { defineConfig } from "vitest/config";

/** Every test of the project. The engine has its own settings; the rest is small. */
export default defineConfig({
  test: {
    projects: [
      "packages/engine",
      { test: { name: "tools", root: "tools", include: ["**/*.test.mjs"], testTimeout: 60_000, hookTimeout: 60_000 } },
      { test: { name: "bench", root: "bench", include: ["**/*.test.ts"], testTimeout: 120_000 } },
      { test: { name: "examples", root: "examples", include: ["**/*.test.mjs"], testTimeout: 120_000 } },
    ],
    maxWorkers: 2,
    coverage: { provider: "v8", include: ["packages/*/src/**/*.ts"], exclude: ["**/*.test.ts"], reporter: ["text-summary", "html"] },
  },
});
