/**
 * Makes a pack whole on some members, frame by frame in one pass: what is missing or wrong on one is made from the others and written
 * durably in place; then what lies behind the frames is cut and the footer, which says that the copy is whole, is written.
 *
 * For packs that take no more frames. It can be broken off anywhere: a copy without a footer is looked through again.
 */
import { isHoldfastError, throwIfAborted } from "../base/errors.ts";
import { encodeFooter, type FooterEntry, parseFooter } from "../format/footer.ts";
import { driveOfSlot } from "../format/layout.ts";
import type { CheckFinding, RepairStep } from "./finding.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-set.ts";
import type { Pacer } from "./pace.ts";
import { type KnownPack, readTrailer } from "./pack-entries.ts";
import { PackWriter } from "./pack-writer.ts";
import { ReadAhead } from "./read-ahead.ts";
import { bySlot, type FrameCopy, frameParts, makeShards, readFrameCopy, settleFrame } from "./repair-frame.ts";
import { holdExclusive, isDriveThere, reluctance, untilAborted } from "./repair-tools.ts";
import { readWhole } from "./scan-pack.ts";
import { shardsAgree } from "./wrong-shards.ts";

/** Bytes gathered for a drive before they are written and synced: what a frame of a caller may have to wait for. */
const gatherBytesMax = 4 * 1024 * 1024;
/** Findings of one step, at most: then what was gathered is written. */
const findingsMax = 1000;
/** Bytes between two pauses. */
const paceBytes = 256 * 1024;

export interface PackRequest {
  /** Whose copies are looked at and made whole. */
  readonly targets: readonly Member[];
  /** False changes nothing: it only finds. */
  readonly write: boolean;
  /** Reads all shards of every frame and compares them with each other, and the bodies of the footers. */
  readonly crossCheck: boolean;
  /** Writes every frame again, also those that seem whole: after a failed sync the page cache tells lies. */
  readonly rewrite?: ((member: Member) => boolean) | undefined;
  /** Only these frames, and no footer. */
  readonly only?: ((entry: FooterEntry) => boolean) | undefined;
  /** The frames of a pack that is still being filled, as far as they are committed; it gets no footer. */
  readonly unfinished?: KnownPack | undefined;
  readonly pacer: Pacer;
  readonly signal?: AbortSignal | undefined;
}

/** A copy of the pack on one drive. */
interface Copy {
  readonly member: Member;
  /** Undefined where there is none. */
  readonly file: ReadAhead | undefined;
}

/** A target while it is worked on. */
interface Patient {
  readonly member: Member;
  readonly writer: PackWriter;
  readonly rewrite: boolean;
  readonly isSealed: boolean;
  /** False once a frame could not be made for it. */
  isWhole: boolean;
}

interface OpenFinding {
  readonly finding: CheckFinding;
  readonly patient: Patient | undefined;
}

/** @returns the targets whose copies are whole and have a footer @throws ABORTED, STORE_CLOSED */
export async function* repairPack(set: OpenSet, pack: number, request: PackRequest): AsyncGenerator<RepairStep, ReadonlySet<Member>> {
  const release = await holdExclusive(set);
  try {
    if (set.context.retired.has(pack)) return new Set();
    return yield* new PackRepair(set, pack, request).run();
  } finally {
    await release();
  }
}

class PackRepair {
  readonly #set: OpenSet;
  readonly #pack: number;
  readonly #request: PackRequest;
  #copies: readonly Copy[] = [];
  #patients: readonly Patient[] = [];
  #findings: OpenFinding[] = [];
  #readBytes = 0;
  /** Read and written since the last pause. */
  #unpacedBytes = 0;

  constructor(set: OpenSet, pack: number, request: PackRequest) {
    this.#set = set;
    this.#pack = pack;
    this.#request = request;
  }

  async *run(): AsyncGenerator<RepairStep, ReadonlySet<Member>> {
    const { signal } = this.#request;
    const frames = await this.#frames();
    if (frames === undefined) {
      this.#find("set", `pack ${this.#pack}`, "damaged", { repairable: false });
      yield await this.#flush();
      return new Set();
    }
    await this.#open(frames);
    for (const entry of frames.entries) {
      if (this.#request.only?.(entry) === false) continue;
      throwIfAborted(signal);
      await this.#examine(entry);
      await this.#pace();
      const gatheredBytes = Math.max(0, ...this.#patients.map(({ writer }) => writer.gatheredBytes));
      if (gatheredBytes >= gatherBytesMax || this.#findings.length >= findingsMax) yield await this.#flush();
    }
    yield await this.#flush();
    await this.#pace(1);
    if (this.#request.only !== undefined || this.#request.unfinished !== undefined) return new Set();
    const whole = await this.#seal(frames);
    yield await this.#flush();
    return whole;
  }

  /** Undefined when no drive that is there knows them all. */
  async #frames(): Promise<KnownPack | undefined> {
    try {
      return this.#request.unfinished ?? (await this.#set.framesOf(this.#pack));
    } catch (error) {
      if (isHoldfastError(error, "LOG_DAMAGED")) return undefined;
      throw error;
    }
  }

  async #open(frames: KnownPack): Promise<void> {
    const { context } = this.#set;
    const { targets, rewrite, signal } = this.#request;
    // Frames of this pack may still be on their way to a slow drive; later ones go to another file.
    await untilAborted(Promise.all(targets.map((member) => member.drain())), signal);
    const copies = await Promise.all(context.members.map((member) => this.#copyOf(member)));
    this.#copies = copies.filter((copy) => copy !== undefined);
    const patients = this.#copies
      .filter(({ member }) => targets.includes(member) && member.takesRepairs)
      .map(async ({ member }): Promise<Patient> => {
        const writer = new PackWriter(member, this.#pack);
        return { member, writer, rewrite: rewrite?.(member) === true, isSealed: await this.#isSealed(member, frames), isWhole: true };
      });
    this.#patients = await Promise.all(patients);
  }

  /** Undefined for a member that cannot be asked. */
  async #copyOf(member: Member): Promise<Copy | undefined> {
    if (!member.readable) return undefined;
    try {
      return { member, file: new ReadAhead(await member.packFile(this.#pack, { create: false })) };
    } catch (error) {
      // An unmounted drive has no files either, and nothing may be put in its place.
      const isThere = isHoldfastError(error, "FILE_NOT_FOUND") && (await isDriveThere(member));
      return isThere ? { member, file: undefined } : undefined;
    }
  }

  async #isSealed(member: Member, frames: KnownPack): Promise<boolean> {
    const { context } = this.#set;
    const trailer = await readTrailer(context, member, this.#pack);
    if (trailer === undefined || trailer.footerPosition !== frames.position || trailer.frames !== frames.entries.length) return false;
    if (!this.#request.crossCheck) return true;
    const read = member.withPack(this.#pack, { create: false }, (file) => readWhole(file, trailer.footerPosition, trailer.footerBytes));
    const body = await read.catch(() => undefined);
    this.#noteRead(trailer.footerBytes);
    return body !== undefined && parseFooter(trailer, body) !== undefined;
  }

  /** Looks at one frame on all targets; gathers what has to be written. */
  async #examine(entry: FooterEntry): Promise<void> {
    const { header } = entry;
    const { crossCheck } = this.#request;
    const looked = crossCheck ? this.#copies : this.#copies.filter(({ member }) => this.#patientOf(member) !== undefined);
    const copies = await Promise.all(looked.map((copy) => this.#read(copy, entry)));
    const bad = copies.filter((copy) => copy.verdict !== "whole" || this.#patientOf(copy.member)?.rewrite === true);
    const isWidelyRead = bad.length > 0 && !crossCheck && header.shardBytes > 0;
    const all = isWidelyRead ? await this.#readMore(entry, copies) : copies;
    if (crossCheck) this.#crossCheck(entry, all);
    const sick = bad.filter((copy) => this.#patientOf(copy.member) !== undefined);
    if (sick.length === 0) return;
    const shards = makeShards(entry, all);
    for (const copy of sick) {
      const patient = this.#patientOf(copy.member) as Patient;
      if (copy.verdict !== "whole") {
        this.#find(copy.member.id, placeOf(entry), copy.verdict, { repairable: shards !== undefined, patient });
      }
      if (shards === undefined) patient.isWhole = false;
      else if (this.#request.write) patient.writer.add(header.position, frameParts(entry, copy.slot, shards));
    }
  }

  /** Reads shards of members that are not looked at until k are vouched for, or there are no more. */
  async #readMore(entry: FooterEntry, copies: readonly FrameCopy[]): Promise<FrameCopy[]> {
    const { layout } = entry.header;
    const all = [...copies];
    const known = new Set(copies.map(({ member }) => member));
    const sources = this.#copies
      .filter(({ member, file }) => !known.has(member) && file !== undefined)
      .filter(({ member }) =>
        Array.from({ length: layout.data + layout.parity }, (_, slot) => driveOfSlot(layout, slot)).includes(member.ordinal),
      )
      .sort((a, b) => reluctance(a.member) - reluctance(b.member));
    while (sources.length > 0) {
      const lacking = layout.data - all.filter(({ shard }) => shard !== undefined).length;
      if (lacking <= 0) break;
      all.push(...(await Promise.all(sources.splice(0, lacking).map((copy) => this.#read(copy, entry)))));
    }
    return all;
  }

  async #read(copy: Copy, entry: FooterEntry): Promise<FrameCopy> {
    const read = await readFrameCopy(copy.member, copy.file, entry);
    if (copy.file !== undefined) this.#noteRead(entry.header.recordsBytes + (read.raw?.byteLength ?? 0));
    return read;
  }

  /** Compares shards that are each what their own headers say. */
  #crossCheck(entry: FooterEntry, copies: readonly FrameCopy[]): void {
    const { layout, shardBytes } = entry.header;
    if (shardBytes === 0) return;
    const shards = bySlot(layout.data + layout.parity, copies, (copy) => copy.shard);
    if (shards.filter((shard) => shard !== undefined).length < layout.data || shardsAgree(layout, shards)) return;
    const settled = settleFrame(entry, shards);
    if (settled === undefined) {
      this.#find("set", placeOf(entry), "parity differs", { repairable: false });
      for (const patient of this.#patients) patient.isWhole = false;
      return;
    }
    for (const copy of copies) {
      const patient = this.#patientOf(copy.member);
      if (!settled.wrong.includes(copy.slot)) continue;
      this.#find(copy.member.id, placeOf(entry), "parity differs", { repairable: true, patient });
      if (this.#request.write) patient?.writer.add(entry.header.position, frameParts(entry, copy.slot, settled.shards));
    }
  }

  /** Writes the footer where there is no sound one; those who have it are whole. */
  async #seal(frames: KnownPack): Promise<ReadonlySet<Member>> {
    const { context } = this.#set;
    const whole = new Set<Member>();
    const footer = encodeFooter({ setId: context.id, pack: this.#pack, position: frames.position, entries: frames.entries });
    await Promise.all(
      this.#patients.map(async (patient) => {
        const { member, writer } = patient;
        const isDue = !patient.isSealed || patient.rewrite;
        if (!patient.isSealed && member.isWhole)
          this.#find(member.id, `pack ${this.#pack} footer`, "damaged", { repairable: true, patient });
        if (!patient.isWhole || !this.#request.write || !writer.isGood) return;
        if (isDue && !(await writer.seal(frames.position, footer))) return;
        whole.add(member);
        member.lacking.delete(this.#pack);
      }),
    );
    return whole;
  }

  /** Makes what was gathered durable, and tells what was found. */
  async #flush(): Promise<RepairStep> {
    const writtenBytes = this.#patients.reduce((sum, { writer }) => sum + writer.gatheredBytes, 0);
    await Promise.all(this.#patients.map(({ writer }) => writer.flush()));
    const findings = this.#findings.map(({ finding, patient }) => {
      const repaired = this.#request.write && finding.repairable && patient?.writer.isGood === true;
      return { ...finding, repaired };
    });
    this.#findings = [];
    const readBytes = this.#readBytes;
    this.#readBytes = 0;
    this.#unpacedBytes += writtenBytes;
    return { readBytes, writtenBytes, findings };
  }

  #noteRead(bytes: number): void {
    this.#readBytes += bytes;
    this.#unpacedBytes += bytes;
  }

  async #pace(bytesMin = paceBytes): Promise<void> {
    const bytes = this.#unpacedBytes;
    if (bytes < bytesMin) return;
    this.#unpacedBytes = 0;
    await this.#request.pacer.spend(bytes, this.#request.signal);
  }

  #patientOf(member: Member): Patient | undefined {
    return this.#patients.find((patient) => patient.member === member && patient.writer.isGood);
  }

  #find(
    drive: string,
    place: string,
    problem: CheckFinding["problem"],
    facts: { readonly repairable: boolean; readonly patient?: Patient | undefined },
  ): void {
    const { repairable, patient } = facts;
    this.#findings.push({ finding: { place, drive, problem, repairable, repaired: false }, patient });
  }
}

function placeOf(entry: FooterEntry): string {
  return `pack ${entry.header.pack} at byte ${entry.header.position}`;
}
