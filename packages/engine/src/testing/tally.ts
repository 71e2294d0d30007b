/**
 * Counts of what tests have tried, for the table of `npm run test:reliability`: each call appends one line of JSON to the file that the
 * environment names in `HOLDFAST_TALLY`, and does nothing where it names none. Call it once at the end of a suite, with a sum: the lines of
 * all processes are added up by name.
 */
import { appendFileSync } from "node:fs";

/** One line of the file. */
export interface TallyLine {
  /** What was tried, in the plural: `crash states`, `loss patterns`. */
  readonly what: string;
  readonly count: number;
}

/** Adds to the number of things tried. */
export function tally(what: string, count: number): void {
  const file = process.env.HOLDFAST_TALLY;
  if (file === undefined || file === "" || count === 0) return;
  appendFileSync(file, `${JSON.stringify({ what, count } satisfies TallyLine)}\n`);
}
