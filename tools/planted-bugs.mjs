/** `npm run test:planted`: plants known bugs in the engine, one after another, and sees whether the tests catch them. */
import path from "node:path";
import { binPath, root, runNode } from "./run.mjs";

const args = ["run", "test/planted-bugs.test.ts", "--reporter=verbose", ...process.argv.slice(2)];
process.exitCode = await runNode(binPath("vitest"), args, { cwd: path.join(root, "packages/engine") });
