/** `npm start [-- arguments]`: builds the engine, then runs the demonstration with the arguments given. */
import path from "node:path";
import { build, root, runNode } from "./run.mjs";

const demonstration = path.join(root, "examples/survive-two-drives/main.mjs");

process.exitCode = (await build(["@holdfast/engine"])) || (await runNode(demonstration, process.argv.slice(2)));
