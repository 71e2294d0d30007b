/** All suites by name, and how they are run: a fresh work directory each, removed in the end. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { codecSuite } from "./codec-suite.ts";
import { keysSuite } from "./keys-suite.ts";
import { machineFacts } from "./machine.ts";
import { memorySuite } from "./memory-suite.ts";
import { largeObjectsSuite, smallObjectsSuite } from "./objects-suite.ts";
import { Report } from "./report.ts";

/** What a suite is given. */
export interface SuiteContext {
  /** An empty directory of its own. */
  readonly directory: string;
  /** Everything tiny. */
  readonly smoke: boolean;
  readonly report: Report;
}

export type Suite = (context: SuiteContext) => Promise<void>;

const suites: Readonly<Record<string, Suite>> = {
  codec: codecSuite,
  small: smallObjectsSuite,
  large: largeObjectsSuite,
  keys: keysSuite,
  memory: memorySuite,
};

export const suiteNames = Object.keys(suites);

export interface RunOptions {
  /** All when empty. */
  readonly names: readonly string[];
  readonly smoke: boolean;
  readonly directory: string | undefined;
  readonly print: (text: string) => void;
}

/** Runs suites one after another. */
export async function runSuites({ names, smoke, directory, print }: RunOptions): Promise<void> {
  for (const name of names.length > 0 ? names : suiteNames) {
    const suite = suites[name];
    if (suite === undefined) throw new Error(`no suite ${name}; there are ${suiteNames.join(", ")}`);
    const parent = path.resolve(directory ?? os.tmpdir());
    await mkdir(parent, { recursive: true });
    const own = await mkdtemp(path.join(parent, `holdfast-bench-${name}-`));
    const report = new Report(print);
    try {
      report.heading(`${name}${smoke ? " (smoke: the numbers mean nothing)" : ""}`);
      report.text(await machineFacts(own));
      await suite({ directory: own, smoke, report });
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  }
}
