import { type CheckFinding, checkSet } from "../set/check-set.ts";
import type { OpenSet } from "../set/open-erasure-set.ts";

/** Findings kept one by one; beyond them only the counts grow. */
const findingsKeptMax = 1000;

/** What a verification has read and found. */
export interface VerifyReport {
  readonly sets: number;
  readonly readBytes: number;
  /** Frames and stripes read. */
  readonly checked: number;
  /** Everything that is not as it should be; the first 1,000 are in `findings`. */
  readonly faults: number;
  /** Those that the other drives cannot make good. */
  readonly unrepairable: number;
  readonly findings: readonly CheckFinding[];
}

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { readonly readBytes: number; readonly checked: number; readonly faults: number }) => void) | undefined;
}

/** Reads everything on every drive of the sets and compares it with its checksums and parity. Changes nothing. @throws ABORTED */
export async function verifyStore(sets: readonly OpenSet[], options: VerifyOptions = {}): Promise<VerifyReport> {
  const findings: CheckFinding[] = [];
  const counts = { readBytes: 0, checked: 0, faults: 0, unrepairable: 0 };
  for (const set of sets) {
    for await (const step of checkSet(set, options.signal)) {
      counts.readBytes += step.readBytes;
      counts.checked++;
      counts.faults += step.findings.length;
      counts.unrepairable += step.findings.filter((finding) => !finding.repairable).length;
      findings.push(...step.findings.slice(0, findingsKeptMax - findings.length));
      options.onProgress?.(counts);
    }
  }
  return { sets: sets.length, ...counts, findings };
}
