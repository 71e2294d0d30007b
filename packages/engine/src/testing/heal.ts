import { type HealOptions, type HealOutcome, healSet } from "../set/heal-set.ts";
import type { OpenSet } from "../set/open-set.ts";
import { unhurried } from "../set/pace.ts";

/** Makes every member of a set whole that is there, as upkeep does; with what became of them. */
export async function heal(set: OpenSet, options: Partial<HealOptions> = {}): Promise<HealOutcome> {
  const steps = healSet(set, { pacer: unhurried, ...options });
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
  }
}
