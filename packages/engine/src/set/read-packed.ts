/**
 * Reading a packed payload. Healthy: one read on the drive that holds it (two where it crosses a shard's edge), checked by the payload's
 * own checksum. Degraded: the same aligned range of k other shards. Where the result still does not match, whole shards are read and
 * checked one by one against their frames' headers, so that a drive with wrong bytes is told from one with right ones.
 *
 * A healthy read that takes too long goes on beside a degraded one that leaves its drives out, and the first to have checked bytes wins.
 * Suspect drives are read last. Every attempt has buffers of its own, so that one that comes too late harms nobody.
 */
import { isHoldfastError } from "../base/errors.ts";
import { matchesChecksum } from "../codec/xxh3.ts";
import { sameBatch } from "../format/frame.ts";
import { driveOfSlot } from "../format/layout.ts";
import { decodePackedLocation, type PackedLocation } from "../format/packed-location.ts";
import type { OnRead } from "./erasure-set.ts";
import { gatherShards } from "./gather-shards.ts";
import type { Member } from "./member.ts";
import { alignedRange, assemblePayload, partOfSlot, type ShardRange, touchedSlots } from "./packed-stripe.ts";
import { late, type Waiting } from "./patience.ts";
import type { ReadTools } from "./read-tools.ts";
import type { SetContext } from "./set-context.ts";
import { unreadableError } from "./unreadable-error.ts";
import { readVouchedShard, type VouchedShard } from "./vouched-shard.ts";

/** Rejects with OBJECT_DAMAGED, DRIVES_MISSING. @throws FORMAT_DAMAGED when the location is not one */
export function readPackedPayload(context: SetContext, payload: Uint8Array, tools: ReadTools, onRead?: OnRead): Promise<Uint8Array> {
  const location = decodePackedLocation(payload);
  if (location.length === 0) return Promise.resolve(new Uint8Array(0));
  return new PackedRead(context, location, tools, onRead).read();
}

const none: readonly number[] = [];

class PackedRead {
  readonly #context: SetContext;
  readonly #location: PackedLocation;
  readonly #tools: ReadTools;
  readonly #onRead: OnRead | undefined;
  readonly #first: number;
  readonly #last: number;
  /** NaN where it is not timed. */
  #startMs: number;
  /** Touched slots that have answered the direct read, and those of them whose bytes could not be had. */
  #answered = none;
  #failed = none;
  /** Drives that have been asked and have not said what they hold. */
  #silent: Set<Member> | undefined;
  /** Something was met that is not as it should be, and can be repaired. */
  #isFaulty = false;

  constructor(context: SetContext, location: PackedLocation, tools: ReadTools, onRead: OnRead | undefined) {
    this.#context = context;
    this.#location = location;
    this.#tools = tools;
    this.#onRead = onRead;
    const { first, last } = touchedSlots(location);
    this.#first = first;
    this.#last = last;
    this.#startMs = tools.health.startMs();
  }

  /** The healthy way is written out without a step too many: most reads of small objects are one of these. */
  read(): Promise<Uint8Array> {
    if (!this.#mayReadDirectly()) return this.#readAround(none).then((bytes) => this.#finish(undefined, bytes));
    const { health } = this.#tools;
    const direct = this.#readDirectly();
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        dueMs: this.#startMs + health.hedgeMs,
        onLate: () => {
          this.#startMs = waiting.dueMs - health.hedgeMs;
          this.#readPatiently(direct).then(resolve, reject);
        },
      };
      health.patience.watch(waiting);
      direct.then((bytes) => {
        if (!health.patience.forget(waiting)) return;
        if (bytes !== undefined) resolve(this.#finish(bytes, bytes));
        else resolve(this.#readAround(none).then((around) => this.#finish(undefined, around)));
      }, reject);
    });
  }

  /** It takes long. */
  async #readPatiently(direct: Promise<Uint8Array | undefined>): Promise<Uint8Array> {
    const { health } = this.#tools;
    const bytes = await health.patiently(direct, this.#startMs);
    if (bytes === late) return this.#hedge(direct).finally(() => health.endHedge());
    return this.#finish(bytes, bytes ?? (await this.#readAround(none)));
  }

  #finish(healthy: Uint8Array | undefined, bytes: Uint8Array | undefined): Uint8Array {
    const { counters, faults } = this.#tools;
    if (healthy === undefined) counters.degraded++;
    else counters.healthy++;
    if (bytes === undefined) throw this.#unreadable();
    this.#onRead?.(healthy === undefined ? "degraded" : "healthy");
    const { pack, shardPosition } = this.#location;
    if (this.#isFaulty) faults.tell({ kind: "packed", pack, position: shardPosition });
    return bytes;
  }

  #member(slot: number): Member {
    return this.#context.members[driveOfSlot(this.#location.layout, slot)] as Member;
  }

  /** Of suspect drives the bytes are had more surely from the others. */
  #mayReadDirectly(): boolean {
    for (let slot = this.#first; slot <= this.#last; slot++) if (!this.#tools.health.isFine(this.#member(slot))) return false;
    return true;
  }

  /** Straight from the data shards; undefined when a read fails or the checksum does not match. */
  async #readDirectly(): Promise<Uint8Array | undefined> {
    const { length, offset, shardBytes } = this.#location;
    const bytes = new Uint8Array(length);
    const isWhole = await (this.#first === this.#last
      ? this.#readInto(this.#first, offset - this.#first * shardBytes, bytes, this.#startMs)
      : this.#readParts(bytes));
    if (!isWhole) {
      if (this.#first === this.#last) this.#failed = [this.#first];
      return undefined;
    }
    if (matchesChecksum(this.#location.checksum, 0, bytes)) return bytes;
    // Where one of them need not have the bytes, nothing is known of the others.
    for (let slot = this.#first; slot <= this.#last; slot++) if (this.#isExcused(this.#member(slot))) return undefined;
    for (let slot = this.#first; slot <= this.#last; slot++) this.#noteFault(this.#member(slot));
    return undefined;
  }

  async #readParts(bytes: Uint8Array): Promise<boolean> {
    const reads: Promise<boolean>[] = [];
    for (let at = 0, slot = this.#first; slot <= this.#last; slot++) {
      const { start, end } = partOfSlot(this.#location, slot);
      reads.push(this.#readPart(slot, start, bytes.subarray(at, at + end - start)));
      at += end - start;
    }
    return (await Promise.all(reads)).every((complete) => complete);
  }

  async #readPart(slot: number, start: number, into: Uint8Array): Promise<boolean> {
    const complete = await this.#readInto(slot, start, into, this.#startMs);
    this.#answered = [...this.#answered, slot];
    if (!complete) this.#failed = [...this.#failed, slot];
    return complete;
  }

  /** Whoever has the bytes first: the drives that are late, or the others. */
  #hedge(direct: Promise<Uint8Array | undefined>): Promise<Uint8Array> {
    const { health, counters } = this.#tools;
    counters.hedged++;
    const lateSlots: number[] = [];
    for (let slot = this.#first; slot <= this.#last; slot++) if (!this.#answered.includes(slot)) lateSlots.push(slot);
    const answered = lateSlots.map((slot) => health.noteLate(this.#member(slot), this.#startMs));
    return new Promise((resolve, reject) => {
      const finish = (healthy: Uint8Array | undefined, bytes: Uint8Array | undefined): void => {
        try {
          resolve(this.#finish(healthy, bytes));
        } catch (error) {
          reject(error);
        }
      };
      let isOver = false;
      void this.#readAround(lateSlots).then((bytes) => {
        if (!isOver) finish(undefined, bytes);
        isOver = true;
      });
      void direct.then((bytes) => {
        for (const note of answered) note();
        if (!isOver && bytes !== undefined) finish(bytes, bytes);
        isOver ||= bytes !== undefined;
      });
    });
  }

  /** From k shards of the stripe; those of fine drives first, those that are late or have failed last. */
  async #readAround(lateSlots: readonly number[]): Promise<Uint8Array | undefined> {
    const { data, parity } = this.#location.layout;
    const isTouched = (slot: number): boolean => slot >= this.#first && slot <= this.#last;
    const isPoor = (slot: number): boolean =>
      lateSlots.includes(slot) || this.#failed.includes(slot) || !this.#tools.health.isFine(this.#member(slot));
    const slots = Array.from({ length: data + parity }, (_, slot) => slot)
      .filter((slot) => this.#member(slot).readable)
      .sort((a, b) => Number(isPoor(a)) - Number(isPoor(b)) || Number(isTouched(b)) - Number(isTouched(a)) || a - b);
    return (await this.#gatherRanges(slots)) ?? (await this.#gatherVouched(slots));
  }

  #gatherRanges(slots: readonly number[]): Promise<Uint8Array | undefined> {
    const range = alignedRange(this.#location);
    const read = async (slot: number): Promise<Uint8Array | undefined> => {
      const bytes = new Uint8Array(range.end - range.start);
      return (await this.#readInto(slot, range.start, bytes, this.#tools.health.nowMs())) ? bytes : undefined;
    };
    return this.#gather(slots, read, (shards) => this.#assemble(shards, range));
  }

  /** Takes the touched shards as they are, then one by one, then all, for lost. */
  #assemble(shards: ReadonlyMap<number, Uint8Array>, range: ShardRange): Uint8Array | undefined {
    const touched: number[] = [];
    for (let slot = this.#first; slot <= this.#last; slot++) if (shards.has(slot)) touched.push(slot);
    const trials = [[], ...touched.map((slot) => [slot]), ...(touched.length > 1 ? [touched] : [])];
    for (const lost of trials) {
      const bytes = assemblePayload(this.#location, shards, range, lost);
      if (bytes === undefined) continue;
      for (const slot of lost) this.#noteFault(this.#member(slot));
      return bytes;
    }
    return undefined;
  }

  /**
   * Reads whole shards, keeps those their own frame headers vouch for, and reconstructs from those of one batch: a drive that was away
   * when the tail of the log was cut may have a sound frame of another batch there.
   */
  #gatherVouched(slots: readonly number[]): Promise<Uint8Array | undefined> {
    const combine = (vouched: ReadonlyMap<number, VouchedShard>): Uint8Array | undefined => {
      for (const sample of vouched.values()) {
        const batch = [...vouched].filter(([, other]) => sameBatch(other.header, sample.header));
        const shards = new Map(batch.map(([slot, { shard }]) => [slot, shard]));
        const bytes = assemblePayload(this.#location, shards, { start: 0, end: this.#location.shardBytes });
        if (bytes !== undefined) return bytes;
      }
      return undefined;
    };
    return this.#gather(slots, (slot) => this.#readVouched(slot), combine);
  }

  async #readVouched(slot: number): Promise<VouchedShard | undefined> {
    const member = this.#member(slot);
    try {
      const vouched = await readVouchedShard(this.#context, this.#location, slot, member);
      this.#silent?.delete(member);
      if (vouched === undefined) this.#noteFault(member);
      return vouched;
    } catch (error) {
      this.#noteError(member, error);
      return undefined;
    }
  }

  #gather<Shard>(
    slots: readonly number[],
    read: (slot: number) => Promise<Shard | undefined>,
    combine: (shards: ReadonlyMap<number, Shard>) => Uint8Array | undefined,
  ): Promise<Uint8Array | undefined> {
    this.#silent ??= new Set();
    const silent = this.#silent;
    const ask = (slot: number): Promise<Shard | undefined> => {
      silent.add(this.#member(slot));
      return read(slot);
    };
    const member = (slot: number): Member => this.#member(slot);
    return gatherShards({ slots, needed: this.#location.layout.data, read: ask, combine, member }, this.#tools.health);
  }

  async #readInto(slot: number, start: number, into: Uint8Array, startMs: number): Promise<boolean> {
    const member = this.#member(slot);
    const { pack, shardPosition } = this.#location;
    try {
      const read = await member.withPack(pack, { create: false }, (file) => file.read(shardPosition + start, into));
      this.#tools.health.noteRead(member, startMs);
      this.#silent?.delete(member);
      if (read === into.byteLength) return true;
      this.#noteFault(member);
    } catch (error) {
      this.#noteError(member, error);
    }
    return false;
  }

  #noteError(member: Member, error: unknown): void {
    this.#tools.health.noteError(member, error);
    if (isHoldfastError(error, "FILE_NOT_FOUND", "DRIVE_IO_ERROR")) {
      this.#silent?.delete(member);
      this.#noteFault(member);
    } else if (member.readable && !isHoldfastError(error, "STORE_CLOSED", "DRIVES_MISSING")) member.readFaults++;
  }

  /** True of a drive that is away or is being filled: that it does not have the bytes is no fault. */
  #isExcused(member: Member): boolean {
    const { pack } = this.#location;
    if (!member.readable || member.fresh || member.state === "rebuilding" || member.lacking.has(pack)) return true;
    return member.unchecked && pack < member.wholeFrom;
  }

  /** What cannot be repaired, because the drive has failed, is only counted. */
  #noteFault(member: Member): void {
    if (this.#isExcused(member)) return;
    member.readFaults++;
    if (member.state !== "failed") this.#isFaulty = true;
  }

  #unreadable(): Error {
    const { layout, pack, shardPosition } = this.#location;
    const holders = Array.from({ length: layout.data + layout.parity }, (_, slot) => this.#member(slot));
    return unreadableError({ holders, silent: this.#silent ?? new Set(), layout, what: { pack, position: shardPosition } });
  }
}
