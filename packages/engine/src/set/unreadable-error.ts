import { HoldfastError } from "../base/errors.ts";
import type { StripeLayout } from "../format/layout.ts";
import type { Member } from "./member.ts";

/**
 * Why k shards could not be read: while drives are missing, or do not answer, they may have what is needed; with all of them there it is
 * damage.
 */
export function unreadableError(facts: {
  holders: readonly Member[];
  /** Those that are there and have not said what they hold. */
  silent: ReadonlySet<Member>;
  layout: StripeLayout;
  what: Readonly<Record<string, unknown>>;
}): HoldfastError {
  const { data, parity } = facts.layout;
  const missing = facts.holders.filter((member) => !member.readable || facts.silent.has(member)).map((member) => member.id);
  const details = { ...facts.what, data, parity, missingDrives: missing };
  if (missing.length > 0) {
    return new HoldfastError(
      "DRIVES_MISSING",
      `too few of the ${data + parity} shards of this object can be read; bring back drives ${missing.join(", ")}`,
      { details },
    );
  }
  return new HoldfastError("OBJECT_DAMAGED", "the object is damaged on more drives than its parity covers; restore it from a copy", {
    details,
  });
}
