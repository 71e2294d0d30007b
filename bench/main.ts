/** The bench's command line: parses it and runs suites in this process. `bench/run.mjs` starts it once for each suite. */
import { parseArgs } from "node:util";
import { runSuites, suiteNames } from "./src/suites.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    smoke: { type: "boolean", default: false },
    dir: { type: "string" },
    suites: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const print = (text: string): void => void process.stdout.write(`${text}\n`);
if (values.help) {
  print(`npm run bench [-- [--smoke] [--dir DIRECTORY] [suite …]]

  --smoke           everything tiny: shows that it runs, measures nothing
  --dir DIRECTORY   where the stores are made, and removed again; default: the system's temporary directory
  suites            ${suiteNames.join(", ")}; default: all`);
} else if (values.suites) {
  print(suiteNames.join("\n"));
} else {
  await runSuites({ names: positionals, smoke: values.smoke, directory: values.dir, print });
}
