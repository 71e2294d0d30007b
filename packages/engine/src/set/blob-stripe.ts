/**
 * One stripe of a blob, or a range of it. Healthy: the wanted parts straight from the data shards. Otherwise the parts that could not be had,
 * and those that take too long, are reconstructed from the same parts of k other shards, while the late ones may still win.
 */
import { checksumBlockBytes } from "../base/limits.ts";
import { codeKernel } from "../codec/code-kernel.ts";
import type { BlobShards, Parts } from "./blob-shards.ts";
import type { OnRead } from "./erasure-set.ts";
import { gatherShards } from "./gather-shards.ts";
import type { Member } from "./member.ts";
import { late } from "./patience.ts";

/** What is wanted of one data shard's piece: the bytes [from, to), which lie in these parts. */
interface WantedPiece {
  readonly slot: number;
  readonly from: number;
  readonly to: number;
  readonly parts: Parts;
}

/** The bytes of a range of a stripe as views, one for each data shard touched. @throws OBJECT_DAMAGED, DRIVES_MISSING */
export async function readStripe(
  shards: BlobShards,
  stripe: number,
  range: { readonly start: number; readonly end: number },
  onRead: OnRead | undefined,
): Promise<Uint8Array[]> {
  const read = new StripeRead(shards, stripe, wantedPieces(shards.geometry.pieceBytes(stripe), range));
  const pieces = await read.read();
  shards.tellFaults();
  onRead?.(read.isDegraded ? "degraded" : "healthy");
  return pieces;
}

function wantedPieces(pieceBytes: number, range: { readonly start: number; readonly end: number }): WantedPiece[] {
  const first = Math.floor(range.start / pieceBytes);
  const last = Math.floor((range.end - 1) / pieceBytes);
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const slot = first + i;
    const from = Math.max(0, range.start - slot * pieceBytes);
    const to = Math.min(pieceBytes, range.end - slot * pieceBytes);
    return { slot, from, to, parts: { from: Math.floor(from / checksumBlockBytes), to: Math.ceil(to / checksumBlockBytes) } };
  });
}

class StripeRead {
  isDegraded = false;
  readonly #shards: BlobShards;
  readonly #stripe: number;
  readonly #wanted: readonly WantedPiece[];
  /** By slot, what the direct reads have given: undefined for what could not be had. */
  readonly #answers = new Map<number, Uint8Array | undefined>();

  constructor(shards: BlobShards, stripe: number, wanted: readonly WantedPiece[]) {
    this.#shards = shards;
    this.#stripe = stripe;
    this.#wanted = wanted;
  }

  async read(): Promise<Uint8Array[]> {
    const { health, counters } = this.#shards.reads;
    const startMs = health.nowMs();
    const asked = this.#wanted.filter(({ slot }) => health.isFine(this.#shards.member(slot)));
    const direct = Promise.all(asked.map((piece) => this.#readDirectly(piece)));
    const isLate = (await health.patiently(direct, startMs)) === late;
    const pieces = isLate
      ? await this.#hedge(direct, asked, startMs).finally(() => health.endHedge())
      : (this.#directPieces() ?? (await this.#readAround()));
    if (this.isDegraded) counters.degraded++;
    else counters.healthy++;
    return pieces;
  }

  async #readDirectly({ slot, parts }: WantedPiece): Promise<void> {
    this.#answers.set(slot, await this.#shards.readParts(slot, this.#stripe, parts));
  }

  /** Everything wanted, when the direct reads have given it. */
  #directPieces(): Uint8Array[] | undefined {
    const found: Uint8Array[] = [];
    for (const piece of this.#wanted) {
      const bytes = this.#answers.get(piece.slot);
      if (bytes === undefined) return undefined;
      found.push(within(bytes, piece.parts, piece));
    }
    return found;
  }

  /** Whoever has the bytes first: the drives that are late, or the others. */
  #hedge(direct: Promise<unknown>, asked: readonly WantedPiece[], startMs: number): Promise<Uint8Array[]> {
    const { health, counters } = this.#shards.reads;
    counters.hedged++;
    const answered = asked
      .filter(({ slot }) => !this.#answers.has(slot))
      .map(({ slot }) => health.noteLate(this.#shards.member(slot), startMs));
    return new Promise((resolve, reject) => {
      let isOver = false;
      const around = this.#readAround();
      around.then(resolve, reject).finally(() => {
        isOver = true;
      });
      void direct.then(() => {
        for (const note of answered) note();
        const pieces = isOver ? undefined : this.#directPieces();
        if (pieces === undefined) return;
        this.isDegraded = false;
        resolve(pieces);
      });
    });
  }

  /** What the direct reads have not given so far, from k shards: those of fine drives first, those that are late or have failed last. */
  async #readAround(): Promise<Uint8Array[]> {
    this.isDegraded = true;
    const { data, parity } = this.#shards.place.layout;
    const found = new Map(this.#answers);
    const lost = this.#wanted.filter(({ slot }) => found.get(slot) === undefined);
    const lostSlots = new Set(lost.map(({ slot }) => slot));
    const isPoor = (slot: number): boolean => lostSlots.has(slot) || !this.#shards.reads.health.isFine(this.#shards.member(slot));
    const slots = Array.from({ length: data + parity }, (_, slot) => slot)
      .filter((slot) => this.#shards.member(slot).readable)
      .sort((a, b) => Number(isPoor(a)) - Number(isPoor(b)) || a - b);
    const parts = { from: Math.min(...lost.map((piece) => piece.parts.from)), to: Math.max(...lost.map((piece) => piece.parts.to)) };
    const rebuilt = await this.#gather(slots, [...lostSlots], parts, found);
    if (rebuilt === undefined) throw this.#shards.unreadable(this.#stripe);
    return this.#wanted.map((piece) => {
      const bytes = found.get(piece.slot);
      return bytes === undefined ? within(rebuilt.get(piece.slot) as Uint8Array, parts, piece) : within(bytes, piece.parts, piece);
    });
  }

  #gather(
    slots: readonly number[],
    lost: readonly number[],
    parts: Parts,
    found: ReadonlyMap<number, Uint8Array | undefined>,
  ): Promise<Map<number, Uint8Array> | undefined> {
    const { layout } = this.#shards.place;
    const read = async (slot: number): Promise<Uint8Array | undefined> => {
      const piece = this.#wanted.find((wanted) => wanted.slot === slot);
      const bytes = found.get(slot);
      if (bytes !== undefined && piece?.parts.from === parts.from && piece.parts.to === parts.to) return bytes;
      return this.#shards.readParts(slot, this.#stripe, parts);
    };
    const combine = (have: ReadonlyMap<number, Uint8Array>): Map<number, Uint8Array> => {
      const length =
        Math.min(this.#shards.geometry.pieceBytes(this.#stripe), parts.to * checksumBlockBytes) - parts.from * checksumBlockBytes;
      const made = new Map(lost.map((slot) => [slot, have.get(slot) ?? new Uint8Array(length)]));
      const wanted = new Map([...made].filter(([slot]) => !have.has(slot)));
      const shards = Array.from({ length: layout.data + layout.parity }, (_, slot) => have.get(slot));
      if (wanted.size > 0) codeKernel().reconstruct(layout, shards, wanted);
      return made;
    };
    const member = (slot: number): Member => this.#shards.member(slot);
    return gatherShards({ slots, needed: layout.data, read, combine, member }, this.#shards.reads.health);
  }
}

/** The part of some parts' bytes that was asked for. */
function within(bytes: Uint8Array, parts: Parts, piece: WantedPiece): Uint8Array {
  const base = parts.from * checksumBlockBytes;
  return bytes.subarray(piece.from - base, piece.to - base);
}
