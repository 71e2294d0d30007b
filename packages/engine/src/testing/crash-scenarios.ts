/**
 * Short scripts on whole stores, for `exploreCrashes`. `prepare` runs with the power on; the power may be cut at every step of `run`.
 * Operations in one `Promise.all` are under way together, so that batches and drives overlap.
 */
import { type CrashScenario, small, three } from "./crash-scenario.ts";
import { driveScenarios } from "./drive-scenarios.ts";
import { objectScenarios } from "./object-scenarios.ts";
import { readStoreFixture, storeFixtures } from "./store-fixture.ts";

export const crashScenarios: readonly CrashScenario[] = [
  ...objectScenarios,
  ...driveScenarios,
  ...storeFixtures.map(
    (name): CrashScenario => ({
      name: `a store of format ${name} is opened`,
      ...three,
      fixture: readStoreFixture(name),
      async run(lab) {
        const client = await lab.open();
        await client.put("small", lab.body(small));
        await client.delete("large");
        await lab.close();
      },
    }),
  ),
];
