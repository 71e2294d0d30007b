import { checkIndex } from "../set/check-index.ts";
import type { CheckFinding, RepairStep } from "../set/finding.ts";
import type { OpenSet } from "../set/open-set.ts";
import { unhurried } from "../set/pace.ts";
import { type ScrubOptions, scrubSet } from "../set/scrub-set.ts";

/** Findings kept one by one; beyond them only the counts grow. */
const findingsKeptMax = 1000;

/** What a verification has read and found. */
export interface VerifyReport {
  readonly sets: number;
  readonly readBytes: number;
  /** Steps taken: packs in parts of a few MiB, stripes. */
  readonly checked: number;
  /** Everything that was not as it should be; the first 1,000 are in `findings`. */
  readonly faults: number;
  /** Those that were made good. */
  readonly repaired: number;
  /** Those that the other drives cannot make good. */
  readonly unrepairable: number;
  readonly findings: readonly CheckFinding[];
}

export interface VerifyOptions {
  /** False changes nothing. Default true. */
  readonly repair?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

/** How far a verification is. */
export interface VerifyProgress {
  readonly readBytes: number;
  readonly checked: number;
  readonly faults: number;
  readonly repaired: number;
}

/**
 * Reads everything on every drive of the sets, compares it with its checksums and parity, and repairs what it can, as fast as it goes: a scrub
 * somebody waits for. @throws ABORTED
 */
export async function verifyStore(sets: readonly OpenSet[], options: VerifyOptions = {}): Promise<VerifyReport> {
  const { repair = true, signal, onProgress } = options;
  const findings: CheckFinding[] = [];
  const counts = { readBytes: 0, checked: 0, faults: 0, repaired: 0, unrepairable: 0 };
  for (const set of sets) {
    for await (const step of everything(set, { pacer: unhurried, repair, signal })) {
      counts.readBytes += step.readBytes;
      counts.checked++;
      counts.faults += step.findings.length;
      counts.repaired += step.findings.filter((finding) => finding.repaired).length;
      counts.unrepairable += step.findings.filter((finding) => !finding.repairable).length;
      findings.push(...step.findings.slice(0, findingsKeptMax - findings.length));
      onProgress?.({ ...counts });
    }
  }
  return { sets: sets.length, ...counts, findings };
}

async function* everything(set: OpenSet, options: Omit<ScrubOptions, "from">): AsyncGenerator<RepairStep, void> {
  yield* scrubSet(set, options);
  yield* checkIndex(set, options);
}
