import { HoldfastError } from "../base/errors.ts";

/** What everything is refused with once a set is being closed. */
export function closedError(): HoldfastError {
  return new HoldfastError("STORE_CLOSED", "the store is closed; open it again");
}
