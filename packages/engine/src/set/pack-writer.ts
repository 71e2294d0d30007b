/**
 * Repairs of one pack on one drive: pieces gathered into runs, written through the member's queue and synced together. What was queued for a
 * drive is never written to another one that has come to its place.
 */
import type { Member } from "./member.ts";

interface Run {
  readonly position: number;
  readonly buffers: Uint8Array[];
  endPosition: number;
}

export class PackWriter {
  readonly member: Member;
  /** Bytes gathered and not yet written. */
  gatheredBytes = 0;
  /** Why it was given up: the drive refused a write or has gone. */
  failure: unknown;
  readonly #pack: number;
  readonly #visit: number;
  #runs: Run[] = [];

  constructor(member: Member, pack: number) {
    this.member = member;
    this.#pack = pack;
    this.#visit = member.visit;
  }

  /** True while the drive is the one it began with and takes what it is given. */
  get isGood(): boolean {
    return this.failure === undefined && this.member.visit === this.#visit && this.member.takesRepairs;
  }

  /** Gathers a piece; positions grow. */
  add(position: number, buffers: readonly Uint8Array[]): void {
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    const last = this.#runs.at(-1);
    if (last !== undefined && last.endPosition === position) {
      last.buffers.push(...buffers);
      last.endPosition += bytes;
    } else {
      this.#runs.push({ position, buffers: [...buffers], endPosition: position + bytes });
    }
    this.gatheredBytes += bytes;
  }

  /** Makes what was gathered durable; true when it is. */
  async flush(): Promise<boolean> {
    const runs = this.#runs;
    this.#runs = [];
    this.gatheredBytes = 0;
    if (runs.length === 0) return this.isGood;
    return this.#write(async (file) => {
      for (const { position, buffers } of runs) await file.write(position, buffers);
      await file.sync();
    });
  }

  /** Cuts what lies behind the frames and ends the pack with its footer, when all frames are durable; true when that is so. */
  async seal(position: number, footer: Uint8Array): Promise<boolean> {
    return this.#write(async (file) => {
      if ((await file.size()) > position) await file.truncate(position);
      await file.writeDurable(position, [footer]);
    });
  }

  async #write(work: Parameters<typeof Member.prototype.withPack<void>>[2]): Promise<boolean> {
    if (!this.isGood) return false;
    try {
      // Refused by the queue when another drive comes to the place before its turn.
      await this.member.enqueue(() => this.member.withPack(this.#pack, { create: true }, work));
      return this.isGood;
    } catch (error) {
      if (this.isGood) this.member.noteWriteFailure(error);
      this.failure = error;
      return false;
    }
  }
}
