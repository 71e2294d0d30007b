/**
 * Makes every member of a set whole that is there and is not: one that was away, one that missed frames, an empty one in a lost one's place,
 * and after an unclean end all of them.
 *
 *   1  the pack being filled is ended if somebody lacks frames of it: what takes no more frames can be looked through
 *   2  what is lacked by most members, and so has the least redundancy left, comes first: packs, the oldest before the newest, then blobs
 *   3  a member for which all of it could be made, and from which is removed what does not belong there, is whole: it votes again
 *   4  what a member has missed meanwhile makes another round
 *
 * Nothing is noted on the way: footers and names say how far it has come, so it can be broken off anywhere and begun again. What cannot be
 * made is reported and left; the rest goes on.
 */
import { isHoldfastError, throwIfAborted } from "../base/errors.ts";
import { decodeBlobLocation } from "../format/blob-location.ts";
import { formatBlobId } from "../format/blob-name.ts";
import { packFileName, packsFolder, parsePackFileName } from "../format/pack-name.ts";
import type { CheckFinding, RepairStep } from "./finding.ts";
import { blobsLacking, type LackingBlob, type LackingPack, type Patient, packsLacking } from "./heal-list.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-set.ts";
import type { Pacer } from "./pace.ts";
import { repairBlob } from "./repair-blob.ts";
import { repairPack } from "./repair-pack.ts";

export interface HealOptions {
  readonly pacer: Pacer;
  readonly signal?: AbortSignal | undefined;
  /** Which of the members that are not whole; all of them when undefined. */
  readonly only?: ((member: Member) => boolean) | undefined;
}

/** How far a healing is. The total grows when more is found to be lacking. */
export interface HealProgress {
  /** Bytes made, of all members together. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** An estimate; undefined while nothing is done. */
  readonly remainingMs: number | undefined;
}

export interface HealStep {
  readonly setId: string;
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** What could not be made, or not be written. */
  readonly problems: readonly CheckFinding[];
  readonly progress: HealProgress;
}

export interface HealOutcome {
  /** Members that became whole. */
  readonly healed: readonly number[];
  /** Members that are there and still lack something. */
  readonly left: readonly number[];
}

/** True when there is a member that healing could do something for. */
export function needsHealing(set: OpenSet, options: Pick<HealOptions, "only"> = {}): boolean {
  return set.status().writable && patientsOf(set, options.only).length > 0;
}

/** @throws ABORTED, STORE_CLOSED */
export async function* healSet(set: OpenSet, options: HealOptions): AsyncGenerator<HealStep, HealOutcome> {
  const healing = new Healing(set, options);
  while (needsHealing(set, options)) {
    const madeBefore = healing.made;
    yield* healing.round();
    if (healing.made === madeBefore) break;
  }
  const left = patientsOf(set, options.only).map(({ member }) => member.ordinal);
  return { healed: [...healing.healed], left: left.filter((ordinal) => !healing.healed.has(ordinal)) };
}

/** Members that are there, take repairs and lack something. One that is slow or gives errors is left until it has recovered. */
function patientsOf(set: OpenSet, only: HealOptions["only"]): Patient[] {
  return set.context.members
    .filter((member) => member.takesRepairs && member.state !== "suspect" && only?.(member) !== false)
    .filter((member) => !member.isWhole || member.distrusted || member.state === "rebuilding")
    .map((member) => ({
      member,
      visit: member.visit,
      unchecked: member.unchecked || member.fresh || member.distrusted,
      distrusted: member.distrusted,
    }));
}

class Healing {
  /** Items made whole so far, on each member. */
  made = 0;
  readonly healed = new Set<number>();
  readonly #set: OpenSet;
  readonly #options: HealOptions;
  readonly #look: { readonly pacer: Pacer; readonly signal: AbortSignal | undefined; readonly onBlind: (patient: Patient) => void };
  readonly #startMs: number;
  #doneBytes = 0;
  #totalBytes = 0;
  /** Bytes written for the item under way, not more than it has. */
  #itemBytes = 0;
  /** Patients of this round for which something could not be made. */
  #unhealed = new Set<Patient>();

  constructor(set: OpenSet, options: HealOptions) {
    this.#set = set;
    this.#options = options;
    this.#look = { pacer: options.pacer, signal: options.signal, onBlind: (patient) => void this.#unhealed.add(patient) };
    this.#startMs = set.context.clock.monotonicMs();
  }

  async *round(): AsyncGenerator<HealStep, void> {
    const set = this.#set;
    const patients = patientsOf(set, this.#options.only);
    this.#unhealed = new Set();
    for (const { member } of patients) for (const pack of member.lacking) if (set.context.retired.has(pack)) member.lacking.delete(pack);
    if (patients.some(({ member }) => member.wholeFrom > set.activePack || member.lacking.has(set.activePack))) await set.rotatePack();
    const packs = await packsLacking(set, patients, this.#look);
    const blobs = await this.#countBlobs(patients);
    this.#totalBytes = this.#doneBytes + packs.reduce((sum, { bytes, patients: lacking }) => sum + bytes * lacking.length, 0) + blobs.bytes;
    yield this.#step(undefined);
    for (let level = patients.length; level > 0; level--) {
      for (const pack of packs.filter((lacking) => lacking.patients.length === level)) yield* this.#healPack(pack);
      if (!blobs.levels.has(level)) continue;
      for await (const blob of blobsLacking(set, patients, this.#look)) {
        if (blob.patients.length === level) yield* this.#healBlob(blob);
      }
    }
    for (const patient of patients) await this.#complete(patient);
    yield this.#step(undefined);
  }

  /** How many members lack some blob, and the bytes of what they lack. */
  async #countBlobs(patients: readonly Patient[]): Promise<{ levels: ReadonlySet<number>; bytes: number }> {
    const levels = new Set<number>();
    let bytes = 0;
    for await (const blob of blobsLacking(this.#set, patients, this.#look)) {
      levels.add(blob.patients.length);
      bytes += blob.bytes * blob.patients.length;
    }
    return { levels, bytes };
  }

  async *#healPack({ pack, patients, bytes }: LackingPack): AsyncGenerator<HealStep, void> {
    const here = patients.filter(isHere);
    if (here.length === 0) return;
    const distrusted = new Set(here.filter((patient) => patient.distrusted).map(({ member }) => member));
    const repair = repairPack(this.#set, pack, {
      ...this.#look,
      targets: here.map(({ member }) => member),
      rewrite: (member) => distrusted.has(member),
      write: true,
      crossCheck: false,
    });
    const whole = yield* this.#follow(repair, bytes * patients.length);
    const isRetired = this.#set.context.retired.has(pack);
    for (const patient of patients) {
      if (isRetired || whole?.has(patient.member) === true) this.#noteMade(patient);
      else this.#unhealed.add(patient);
      if (isRetired) patient.member.lacking.delete(pack);
    }
  }

  async *#healBlob({ location, patients, bytes }: LackingBlob): AsyncGenerator<HealStep, void> {
    const here = patients.filter(isHere);
    if (here.length === 0) return;
    const targets = here.map(({ member }) => member);
    const repair = repairBlob(this.#set, location, { ...this.#look, targets, write: true, crossCheck: false });
    const outcome = yield* this.#follow(repair, bytes * patients.length);
    const id = formatBlobId(decodeBlobLocation(location).blob);
    for (const patient of patients) {
      if (outcome?.gone !== true && outcome?.whole.has(patient.member) !== true) {
        this.#unhealed.add(patient);
        continue;
      }
      if (isHere(patient)) patient.member.lackingBlobs.delete(id);
      this.#noteMade(patient);
    }
  }

  #noteMade(patient: Patient): void {
    if (isHere(patient)) this.made++;
  }

  /** Passes the steps of a repair on; undefined when it failed as a whole. */
  async *#follow<T>(repair: AsyncGenerator<RepairStep, T>, bytes: number): AsyncGenerator<HealStep, T | undefined> {
    this.#itemBytes = 0;
    try {
      for (;;) {
        const step = await repair.next();
        if (step.done === true) return step.value;
        this.#itemBytes = Math.min(bytes, this.#itemBytes + step.value.writtenBytes);
        yield this.#step(step.value);
      }
    } catch (error) {
      if (!isHoldfastError(error) || isHoldfastError(error, "ABORTED", "STORE_CLOSED")) throw error;
      throwIfAborted(this.#options.signal);
      return undefined;
    } finally {
      this.#itemBytes = 0;
      this.#doneBytes += bytes;
      await repair.return(undefined as T);
    }
  }

  #step(step: RepairStep | undefined): HealStep {
    const doneBytes = this.#doneBytes + this.#itemBytes;
    const elapsedMs = this.#set.context.clock.monotonicMs() - this.#startMs;
    const remainingMs = doneBytes === 0 ? undefined : (elapsedMs * Math.max(0, this.#totalBytes - doneBytes)) / doneBytes;
    return {
      setId: this.#set.id,
      readBytes: step?.readBytes ?? 0,
      writtenBytes: step?.writtenBytes ?? 0,
      problems: step?.findings.filter((finding) => !finding.repaired) ?? [],
      progress: { doneBytes, totalBytes: Math.max(this.#totalBytes, doneBytes), remainingMs },
    };
  }

  /** Takes away what does not belong on a member, and tells the set that it is whole. */
  async #complete(patient: Patient): Promise<void> {
    const { member } = patient;
    if (!isHere(patient)) return;
    try {
      if (patient.unchecked) {
        await this.#removeRetired(patient);
        await this.#set.removeOrphans(member.ordinal);
      }
      if (!isHere(patient) || this.#unhealed.has(patient)) return;
      if (patient.unchecked) {
        member.unchecked = false;
        if (patient.distrusted) member.distrusted = false;
      }
      if (!(await this.#set.completeMember(member.ordinal))) return;
      this.healed.add(member.ordinal);
      this.made++;
    } catch (error) {
      if (!isHoldfastError(error) || isHoldfastError(error, "ABORTED", "STORE_CLOSED")) throw error;
      if (isHere(patient) && member.drive?.failure !== undefined) member.noteWriteFailure(error);
    }
  }

  async #removeRetired({ member }: Patient): Promise<void> {
    const { context } = this.#set;
    const { drive } = member;
    if (drive === undefined) return;
    for (const name of await drive.list(packsFolder)) {
      const pack = parsePackFileName(name);
      if (pack === undefined || !context.retired.has(pack)) continue;
      await this.#set.exclusive(async () => {
        await this.#set.unread(pack);
        member.forgetPack(pack);
        await drive.remove(packFileName(pack));
      });
    }
  }
}

/** True while the drive is the one the round began with, and takes what it is given. */
function isHere({ member, visit }: Patient): boolean {
  return member.visit === visit && member.takesRepairs;
}
