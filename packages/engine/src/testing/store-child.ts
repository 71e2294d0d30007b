/**
 * A process that opens a store, for tests. Arguments: `open` or `hold`, then the settings as JSON. It prints one line of JSON, the code
 * and message of the error or the states of the drives, and with `hold` stays until it is ended.
 */
import { systemClock } from "../base/clock.ts";
import { isHoldfastError } from "../base/errors.ts";
import { openStore } from "../engine.ts";
import type { StoreSettings } from "../store/settings.ts";

/** What it prints. */
export interface ChildAnswer {
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly states: readonly string[] | undefined;
  /** Reasons of drives that are not online. */
  readonly reasons: readonly string[] | undefined;
}

const [mode, settings = "{}"] = process.argv.slice(2);

async function run(): Promise<void> {
  const store = await openStore(JSON.parse(settings) as StoreSettings);
  const drives = (await store.status()).sets.flatMap((set) => set.drives);
  answer({
    code: undefined,
    message: undefined,
    states: drives.map(({ state }) => state),
    reasons: drives.flatMap(({ reason }) => reason ?? []),
  });
  if (mode === "hold") await systemClock.sleep(120_000);
  else await store.close();
}

function answer(value: ChildAnswer): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

try {
  await run();
} catch (error) {
  if (!isHoldfastError(error)) throw error;
  answer({ code: error.code, message: error.message, states: undefined, reasons: undefined });
}
