/**
 * How the drives of a set answer, and what follows from it.
 *
 *   online --(errors in a window, far slower than its peers, or no answer at all)--> suspect --(good probes in a row)--> online
 *
 * A suspect drive is read only when it is needed; it still takes writes. Never are more drives suspect or away than the parity covers:
 * beyond that there is nothing to read from instead. Drives in any other state are left alone, and a drive that comes into a place begins
 * with nothing held against it. Times are milliseconds of the injected clock.
 *
 * Evidence costs next to nothing to gather: a read adds one number to a ring. It is looked at every `lookEveryMs`, by whoever reads.
 */
import { isHoldfastError } from "../base/errors.ts";
import type { Drive } from "../drive/drive.ts";
import { stateFileName } from "./drive-state.ts";
import type { Member } from "./member.ts";
import { late, Patience } from "./patience.ts";
import { probeRead } from "./probe-read.ts";
import type { SetContext } from "./set-context.ts";

const ringLength = 64;
const lookEveryMs = 500;

/** A drive with so many errors in the window is suspect. */
export const errorsMax = 3;
export const errorWindowMs = 60_000;
/** A drive whose median is so many times the median of its peers' medians is slow, */
export const slowFactor = 8;
/** if it is above this at all: below, nobody waits. */
export const slowMsMin = 10;
/** Of quick reads one in so many is timed, once enough is known of every drive: asking the clock is what costs most of it. */
const timedEvery = 8;
/** Samples that make a median. */
export const samplesMin = 16;
/** A read unanswered for so long, while others are answered, says enough. */
export const unansweredMsMax = 1000;
/** Good probes in a row that clear a suspect drive. */
export const goodProbesMin = 5;
const probeEveryMs = 1000;
/** The pause between probes doubles each time a drive becomes suspect again, up to this. */
const probeEveryMsMax = 60_000;

/** A read is slow after so many times the 95th percentile of all drives' reads, within bounds. */
const hedgeFactor = 3;
const hedgeMsMin = 4;
const hedgeMsMax = 100;
/** Before anything is known. */
const hedgeMsInitial = 50;
/** Reads for which others are asked at the same time: where everything is slow, asking more drives would make it slower still. */
const hedgesMax = 16;
/** A read that has waited so long asks others whatever the rest does. */
const hedgeAnywayMs = 1000;

/** What speaks for or against a drive. */
export interface DriveEvidence {
  readonly errors: number;
  /** Reads behind the median. */
  readonly samples: number;
  readonly medianMs: number;
  /** For how long a read has been unanswered while other drives answered theirs; 0 when none is. */
  readonly unansweredMs: number;
  /** Good probes since the last bad one. */
  readonly goodProbes: number;
}

/** Why a drive should be suspect, given how its peers do; undefined when it should not. */
export function suspicion(drive: DriveEvidence, peers: readonly DriveEvidence[]): string | undefined {
  if (drive.errors >= errorsMax) return `${drive.errors} errors within ${errorWindowMs / 1000} seconds`;
  if (drive.unansweredMs > unansweredMsMax) return `it has not answered for ${Math.round(drive.unansweredMs)} ms`;
  const boundMs = slowBoundMs(peers);
  if (boundMs === undefined || drive.samples < samplesMin || drive.medianMs <= boundMs) return undefined;
  return `its reads take ${Math.round(drive.medianMs)} ms, far more than those of the other drives`;
}

/** Above this median a drive is slow beyond its peers; undefined while too little is known of them. */
export function slowBoundMs(peers: readonly DriveEvidence[]): number | undefined {
  const medians = peers.filter((peer) => peer.samples >= samplesMin).map((peer) => peer.medianMs);
  return medians.length === 0 ? undefined : Math.max(slowMsMin, slowFactor * quantile(medians, 0.5));
}

/** True when a suspect drive has shown that it is well. */
export function isCleared(drive: DriveEvidence): boolean {
  return drive.goodProbes >= goodProbesMin;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

interface LateRead {
  readonly startMs: number;
  /** How long it has waited while other drives answered. */
  waitedMs: number;
}

/** What is known of the drive in one place. */
class DriveRecord {
  readonly drive: Drive | undefined;
  readonly #ring = new Float64Array(ringLength);
  #samples = 0;
  errorsAtMs: number[] = [];
  /** The reads that are late now. */
  readonly unanswered = new Set<LateRead>();
  answeredAtMs = Number.NEGATIVE_INFINITY;
  goodProbes = 0;
  isProbed = false;
  nextProbeMs = 0;
  probeEveryMs = probeEveryMs;

  constructor(drive: Drive | undefined) {
    this.drive = drive;
  }

  note(startMs: number, nowMs: number): void {
    this.#ring[this.#samples++ % ringLength] = nowMs - startMs;
    this.answeredAtMs = nowMs;
  }

  get latencies(): Float64Array {
    return this.#ring.subarray(0, Math.min(this.#samples, ringLength));
  }

  /** Forgets what made it suspect. */
  clear(): void {
    this.#samples = 0;
    this.errorsAtMs = [];
    this.unanswered.clear();
    this.goodProbes = 0;
  }
}

export class DriveHealth {
  readonly patience: Patience;
  /** How long a read may take before other drives are asked as well. */
  hedgeMs = hedgeMsInitial;
  readonly #context: Pick<SetContext, "members" | "profile" | "clock">;
  readonly #records: DriveRecord[] = [];
  #lastLookMs = 0;
  #nextLookMs = 0;
  #suspects = 0;
  #hedges = 0;
  #turn = 0;
  /** Too little is known of some drive. */
  #isLearning = true;
  #probeTurn = 0;

  constructor(context: Pick<SetContext, "members" | "profile" | "clock">) {
    this.#context = context;
    this.patience = new Patience(context.clock, () => this.hedgeMs);
  }

  nowMs(): number {
    return this.#context.clock.monotonicMs();
  }

  /** When a read begins, if it is one of those to be timed; NaN otherwise. */
  startMs(): number {
    this.#turn = (this.#turn + 1) % timedEvery;
    return this.#isLearning || this.#turn === 0 ? this.#context.clock.monotonicMs() : Number.NaN;
  }

  /** True when a drive is to be read before others: it is there and not suspect. */
  isFine(member: Member): boolean {
    return member.readable && member.state !== "suspect";
  }

  /**
   * Waits for a read of drives that was begun at `startMs`; `late` when it takes so long that others should be asked. Then `endHedge` has to
   * be called when that is over.
   */
  async patiently<T>(read: Promise<T>, startMs: number): Promise<T | typeof late> {
    let outcome = await this.patience.until(read, startMs + this.hedgeMs);
    while (outcome === late && this.#hedges >= hedgesMax && this.nowMs() < startMs + hedgeAnywayMs) {
      outcome = await this.patience.until(read, this.nowMs() + this.hedgeMs);
    }
    if (outcome === late) this.#hedges++;
    return outcome;
  }

  endHedge(): void {
    this.#hedges--;
  }

  /** A read was answered with bytes. */
  noteRead(member: Member, startMs: number): void {
    if (Number.isNaN(startMs)) return;
    const nowMs = this.#context.clock.monotonicMs();
    this.#recordOf(member).note(startMs, nowMs);
    if (nowMs >= this.#nextLookMs) this.look(nowMs);
  }

  /** A drive could not do what it was asked. What it says about one file alone is nothing against the drive. */
  noteError(member: Member, error: unknown): void {
    if (member.drive === undefined || isHoldfastError(error, "FILE_NOT_FOUND", "STORE_CLOSED", "DRIVES_MISSING", "DRIVE_FULL")) return;
    this.#noteTrouble(member);
  }

  /** A write was left behind because the drive took too long. */
  noteLag(member: Member): void {
    this.#noteTrouble(member);
  }

  #noteTrouble(member: Member): void {
    const { errorsAtMs } = this.#recordOf(member);
    errorsAtMs.push(this.nowMs());
    if (errorsAtMs.length > ringLength) errorsAtMs.shift();
    if (member.state === "online" && errorsAtMs.length >= errorsMax) this.look();
  }

  /** A read takes long; call what is returned when it is answered. */
  noteLate(member: Member, startMs: number): () => void {
    const { unanswered } = this.#recordOf(member);
    const read: LateRead = { startMs, waitedMs: 0 };
    unanswered.add(read);
    return () => void unanswered.delete(read);
  }

  /** Looks at all drives: which are suspect from now on, which no more, and which are to be probed. */
  look(nowMs = this.nowMs()): void {
    this.#countUnanswered(nowMs);
    this.#lastLookMs = nowMs;
    this.#nextLookMs = nowMs + lookEveryMs;
    const evidence = this.#context.members.map((member) => this.#evidenceOf(member, nowMs));
    this.#measure();
    this.#isLearning = evidence.some(({ samples }, i) => samples < samplesMin && this.isFine(this.#context.members[i] as Member));
    this.#suspects = this.#context.members.filter((member) => !this.isFine(member)).length;
    this.#context.members.forEach((member, i) => {
      const peers = evidence.filter((_, other) => other !== i && this.isFine(this.#context.members[other] as Member));
      if (member.state === "online") this.#suspect(member, suspicion(evidence[i] as DriveEvidence, peers), nowMs);
      else if (member.state === "suspect") this.#tryClear(member, evidence[i] as DriveEvidence, slowBoundMs(peers), nowMs);
    });
  }

  /** Waiting counts against a drive only while others answer, and not much at once: when all come back from a stop, one is the last. */
  #countUnanswered(nowMs: number): void {
    const records = this.#context.members.map((member) => this.#recordOf(member));
    for (const record of records) {
      if (record.unanswered.size === 0) continue;
      if (!records.some((other) => other !== record && other.answeredAtMs > this.#lastLookMs)) continue;
      for (const read of record.unanswered) {
        read.waitedMs += Math.min(nowMs - Math.max(this.#lastLookMs, read.startMs), 2 * lookEveryMs);
      }
    }
  }

  #suspect(member: Member, reason: string | undefined, nowMs: number): void {
    if (reason === undefined || this.#suspects >= this.#context.profile.parity) return;
    const record = this.#recordOf(member);
    record.clear();
    record.nextProbeMs = nowMs + record.probeEveryMs;
    this.#suspects++;
    member.transition("suspect", reason);
  }

  #tryClear(member: Member, evidence: DriveEvidence, slowMs: number | undefined, nowMs: number): void {
    const record = this.#recordOf(member);
    if (isCleared(evidence)) {
      record.clear();
      record.probeEveryMs = Math.min(probeEveryMsMax, 2 * record.probeEveryMs);
      this.#suspects--;
      member.transition(member.isWhole ? "online" : "rebuilding", undefined);
    } else if (!record.isProbed && nowMs >= record.nextProbeMs) void this.#probe(record, slowMs ?? slowMsMin);
  }

  /** One small read, from the medium where possible. A drive that does not answer is not asked again. */
  async #probe(record: DriveRecord, slowMs: number): Promise<void> {
    record.isProbed = true;
    const startMs = this.nowMs();
    const tookMs = await probeRead(record.drive as Drive, stateFileName, { turn: this.#probeTurn++, nowMs: () => this.nowMs() }).catch(
      () => Number.POSITIVE_INFINITY,
    );
    record.goodProbes = tookMs <= slowMs ? record.goodProbes + 1 : 0;
    record.isProbed = false;
    record.nextProbeMs = startMs + record.probeEveryMs;
  }

  #evidenceOf(member: Member, nowMs: number): DriveEvidence {
    const record = this.#recordOf(member);
    const { latencies, goodProbes, unanswered } = record;
    record.errorsAtMs = record.errorsAtMs.filter((atMs) => atMs > nowMs - errorWindowMs);
    return {
      errors: record.errorsAtMs.length,
      samples: latencies.length,
      medianMs: quantile([...latencies], 0.5),
      unansweredMs: Math.max(0, ...[...unanswered].map(({ waitedMs }) => waitedMs)),
      goodProbes,
    };
  }

  /** Brings the patience with reads to what they take now. */
  #measure(): void {
    const all = this.#context.members.filter((member) => this.isFine(member)).flatMap((member) => [...this.#recordOf(member).latencies]);
    if (all.length >= samplesMin) this.hedgeMs = Math.min(hedgeMsMax, Math.max(hedgeMsMin, hedgeFactor * quantile(all, 0.95)));
  }

  #recordOf(member: Member): DriveRecord {
    const known = this.#records[member.ordinal];
    if (known !== undefined && known.drive === member.drive) return known;
    const fresh = new DriveRecord(member.drive);
    this.#records[member.ordinal] = fresh;
    return fresh;
  }
}
