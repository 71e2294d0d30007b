/**
 * `npm run test:crash -- [options]`: power cuts at every step of short scripts on whole stores, more of them than `npm test` tries.
 *
 *   --long              goes on, seed after seed, until a million states were tried (--states N: as many as this; --minutes N: so long)
 *   --seed N            the first seed                                  (1)
 *   --scenario NAME     only scenarios with this in their name
 *   --images N          surviving states of each point                  (4)
 *   --cuts N            further cuts in the recovery of each state      (2)
 *   --processes N       processes side by side                          (as many as there are processors)
 *   --point N --image N only this state: what the line printed with a failure says
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { binPath, root, runNode } from "./run.mjs";
import { readTally } from "./tally.mjs";

const text = { type: /** @type {const} */ ("string") };
const { values } = parseArgs({
  options: {
    long: { type: "boolean", default: false },
    seed: text,
    scenario: text,
    images: { ...text, default: "4" },
    cuts: { ...text, default: "2" },
    states: text,
    minutes: text,
    processes: text,
    point: text,
    image: text,
  },
});

const goesOn = values.long || values.states !== undefined || values.minutes !== undefined;
const states = values.states ?? (values.long && values.minutes === undefined ? "1000000" : undefined);
const shards = goesOn ? Number(values.processes ?? availableParallelism()) : 1;

const folder = await mkdtemp(path.join(tmpdir(), "holdfast-crash-"));
try {
  const startMs = performance.now();
  const codes = await Promise.all(Array.from({ length: shards }, (_, shard) => runShard(shard)));
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  const counts = [...(await readTally(path.join(folder, "tally")))].map(([what, count]) => `${count.toLocaleString("en")} ${what}`);
  process.stdout.write(
    `\n${counts.join(", ")} in ${seconds} s: ${codes.every((code) => code === 0) ? "nothing found" : "FAILED, see above"}\n`,
  );
  process.exitCode = Math.max(...codes);
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** @param {number} shard */
function runShard(shard) {
  const asked = {
    ...numbers({ seed: values.seed, images: values.images, cuts: values.cuts, point: values.point, image: values.image }),
    ...numbers({ states, minutes: values.minutes }),
    ...(values.scenario === undefined ? {} : { scenario: values.scenario }),
    shard: [shard, shards],
  };
  const env = { HOLDFAST_CRASH: JSON.stringify(asked), HOLDFAST_TALLY: path.join(folder, "tally") };
  return runNode(binPath("vitest"), ["run", "test/crash-points.test.ts"], { cwd: path.join(root, "packages/engine"), env });
}

/** @param {Record<string, string | undefined>} texts */
function numbers(texts) {
  return Object.fromEntries(Object.entries(texts).flatMap(([name, value]) => (value === undefined ? [] : [[name, Number(value)]])));
}
