/**
 * Makes a blob whole on some members, stripe by stripe: shard files that are missing, or not as long as they should be, are made anew and
 * appear when they are complete and durable; damaged pieces and headers are written again in place, durably.
 *
 * The blob is pinned meanwhile: one that is given up while it is repaired is removed everywhere, also where it has just been made. Memory:
 * one stripe. It can be broken off anywhere: an unfinished file leaves nothing behind.
 */
import { isHoldfastError, throwIfAborted } from "../base/errors.ts";
import type { DriveFile, NewFile } from "../drive/drive.ts";
import { type BlobPlace, decodeBlobLocation } from "../format/blob-location.ts";
import { formatBlobId, shardFileName } from "../format/blob-name.ts";
import { driveOfSlot } from "../format/layout.ts";
import {
  type PieceHeader,
  parseShardFileHeader,
  type ShardFileHeader,
  sameBlob,
  shardFileHeaderBytes,
  writePieceHeader,
  writeShardFileHeader,
} from "../format/shard-file.ts";
import { type ShardGeometry, shardGeometry } from "../format/shard-geometry.ts";
import type { BlobLocation } from "./erasure-set.ts";
import type { CheckFinding, RepairStep } from "./finding.ts";
import { liveBlobKey } from "./index-entry.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-set.ts";
import type { Pacer } from "./pace.ts";
import { isDriveThere, lockBlob, reluctance } from "./repair-tools.ts";
import { readWhole } from "./scan-pack.ts";
import type { SetContext } from "./set-context.ts";
import { isSoundPiece, parseKnown } from "./sound-piece.ts";
import { fillShards, type Shards, settleShards, shardsAgree } from "./wrong-shards.ts";

export interface BlobRequest {
  /** Whose shard files are looked at and made whole; those who hold none of this blob are left alone. */
  readonly targets: readonly Member[];
  /** False changes nothing: it only finds. */
  readonly write: boolean;
  /** Reads all shards and compares them with each other. */
  readonly crossCheck: boolean;
  readonly pacer: Pacer;
  readonly signal?: AbortSignal | undefined;
}

export interface BlobOutcome {
  /** True when it has been given up: there is nothing to repair. */
  readonly gone: boolean;
  /** The targets that hold all of their shards. */
  readonly whole: ReadonlySet<Member>;
}

/** A shard of the blob and the drive it belongs on. */
interface Shard {
  readonly slot: number;
  readonly member: Member;
  readonly visit: number;
  /** Undefined where there is none, or the drive cannot be asked. */
  readonly file: DriveFile | undefined;
  /** False while the drive cannot be asked: nobody knows what it has. */
  readonly isReached: boolean;
  readonly hasLength: boolean;
  readonly isTarget: boolean;
  /** The file being made in its place. */
  making: NewFile | undefined;
  /** Cannot be made, or its drive refused. */
  hasFailed: boolean;
}

/** @throws ABORTED, STORE_CLOSED */
export async function* repairBlob(set: OpenSet, location: BlobLocation, request: BlobRequest): AsyncGenerator<RepairStep, BlobOutcome> {
  const place = decodeBlobLocation(location);
  const release = await lockBlob(set.context, formatBlobId(place.blob));
  const pin = set.openBlob(location);
  try {
    if (set.context.index.get(liveBlobKey(location)) === undefined) return { gone: true, whole: new Set() };
    return yield* new BlobRepair(set.context, place, request).run();
  } finally {
    pin.close();
    release();
  }
}

class BlobRepair {
  readonly #context: SetContext;
  readonly #place: BlobPlace;
  readonly #request: BlobRequest;
  readonly #geometry: ShardGeometry;
  #shards: Shard[] = [];
  #findings: CheckFinding[] = [];
  #readBytes = 0;
  #writtenBytes = 0;
  #timeMs = 0;

  constructor(context: SetContext, place: BlobPlace, request: BlobRequest) {
    this.#context = context;
    this.#place = place;
    this.#request = request;
    this.#geometry = shardGeometry({ data: place.layout.data, stripeBytes: place.stripeBytes, sizeBytes: place.sizeBytes });
  }

  async *run(): AsyncGenerator<RepairStep, BlobOutcome> {
    const { layout } = this.#place;
    try {
      this.#shards = await Promise.all(Array.from({ length: layout.data + layout.parity }, (_, slot) => this.#open(slot)));
      await this.#headers();
      yield await this.#step();
      for (let stripe = 0; stripe < this.#geometry.stripes; stripe++) {
        await this.#repairStripe(stripe);
        yield await this.#step();
      }
      await this.#finish();
      yield await this.#step();
    } finally {
      for (const { file, making } of this.#shards) {
        await making?.abort();
        await file?.close().catch(() => undefined);
      }
    }
    return { gone: false, whole: new Set(this.#shards.filter((shard) => shard.isTarget && !shard.hasFailed).map(({ member }) => member)) };
  }

  async #open(slot: number): Promise<Shard> {
    const member = this.#context.members[driveOfSlot(this.#place.layout, slot)] as Member;
    const isTarget = this.#request.targets.includes(member) && member.takesRepairs;
    const shard = { slot, member, visit: member.visit, isTarget, making: undefined, hasFailed: false };
    const unknown: Shard = { ...shard, file: undefined, isReached: false, hasLength: false, isTarget: false };
    if (member.drive === undefined) return unknown;
    try {
      const file = await member.drive.open(shardFileName(this.#place.blob), { create: false });
      const hasLength = (await file.size().catch(() => 0)) === this.#geometry.fileBytes;
      return { ...shard, file, isReached: true, hasLength };
    } catch (error) {
      // An unmounted drive has no files either, and nothing may be put in its place.
      const isThere = isHoldfastError(error, "FILE_NOT_FOUND") && (await isDriveThere(member));
      return isThere ? { ...shard, file: undefined, isReached: true, hasLength: false } : unknown;
    }
  }

  /** Looks at the headers of the files; begins those that have to be made anew. */
  async #headers(): Promise<void> {
    const headers = await Promise.all(this.#shards.map((shard) => this.#readHeader(shard)));
    this.#timeMs = headers.find((header) => header !== undefined)?.timeMs ?? 0;
    for (const [i, shard] of this.#shards.entries()) {
      if (!shard.isTarget) continue;
      const header = headers[i];
      if (shard.file === undefined || !shard.hasLength) await this.#begin(shard);
      else if (header === undefined || !sameBlob(header, this.#header(shard.slot))) {
        const repaired = await this.#writeInPlace(shard, 0, [this.#headerBytes(shard.slot)]);
        this.#find(shard, this.#name, "damaged", { repairable: true, repaired });
      }
    }
  }

  async #readHeader(shard: Shard): Promise<ShardFileHeader | undefined> {
    const bytes = shard.file === undefined ? undefined : await readWhole(shard.file, 0, shardFileHeaderBytes);
    const header = bytes === undefined ? undefined : parseKnown(() => parseShardFileHeader(bytes));
    if (header === undefined || header.slot !== shard.slot) return undefined;
    return sameBlob(header, { ...this.#header(shard.slot), timeMs: header.timeMs }) ? header : undefined;
  }

  #header(slot: number): ShardFileHeader {
    const { blob, layout, stripeBytes } = this.#place;
    return { setId: this.#context.id, blob, layout, slot, stripeBytes, timeMs: this.#timeMs };
  }

  #headerBytes(slot: number): Uint8Array {
    const bytes = new Uint8Array(shardFileHeaderBytes);
    writeShardFileHeader(bytes, 0, this.#header(slot));
    return bytes;
  }

  async #begin(shard: Shard): Promise<void> {
    if (!this.#request.write) {
      this.#find(shard, this.#name, shard.file === undefined ? "missing" : "damaged", { repairable: true, repaired: false });
      shard.hasFailed = true;
      return;
    }
    await this.#onDrive(shard, async () => {
      shard.making = await (shard.member.drive as NonNullable<Member["drive"]>).create(shardFileName(this.#place.blob));
      await shard.making.write([this.#headerBytes(shard.slot)]);
    });
  }

  async #repairStripe(stripe: number): Promise<void> {
    const { layout } = this.#place;
    const pieces = await this.#readStripe(stripe);
    const count = pieces.filter((piece) => piece !== undefined).length;
    const where = `${this.#name} stripe ${stripe}`;
    const isMakeable = count >= layout.data;
    const agree = !this.#request.crossCheck || !isMakeable || shardsAgree(layout, pieces);
    const wrong = agree ? [] : settleShards(layout, pieces, {})?.wrong;
    if (wrong === undefined) this.#find(undefined, where, "parity differs", { repairable: false, repaired: false });
    const sick = this.#shards.filter((shard) => this.#isSick(shard, pieces, wrong ?? []));
    if (sick.length === 0) return;
    const right = pieces.map((piece, slot) => (wrong?.includes(slot) === true ? undefined : piece));
    const whole = isMakeable && wrong !== undefined ? fillShards(layout, right) : undefined;
    for (const shard of sick) await this.#repairPiece(shard, stripe, whole?.[shard.slot], pieces[shard.slot] !== undefined);
  }

  #isSick(shard: Shard, pieces: Shards, wrong: readonly number[]): boolean {
    if (!shard.isTarget || shard.hasFailed) return false;
    return shard.making !== undefined || pieces[shard.slot] === undefined || wrong.includes(shard.slot);
  }

  /** Sound pieces by slot: those of the targets, and as many others as are needed. */
  async #readStripe(stripe: number): Promise<Shards> {
    const { data } = this.#place.layout;
    const { crossCheck } = this.#request;
    const isLookedAt = (shard: Shard): boolean => crossCheck || (shard.isTarget && !shard.hasFailed && shard.making === undefined);
    const pieces: (Uint8Array | undefined)[] = new Array(this.#shards.length).fill(undefined);
    const read = async (shard: Shard): Promise<void> => {
      pieces[shard.slot] = await this.#readPiece(shard, stripe);
    };
    await Promise.all(this.#shards.filter(isLookedAt).map(read));
    const isNeeded = this.#shards.some((shard) => this.#isSick(shard, pieces, []));
    const others = this.#shards
      .filter((shard) => !isLookedAt(shard) && shard.file !== undefined)
      .sort((a, b) => reluctance(a.member) - reluctance(b.member));
    while (isNeeded && others.length > 0) {
      const lacking = data - pieces.filter((piece) => piece !== undefined).length;
      if (lacking <= 0) break;
      await Promise.all(others.splice(0, lacking).map(read));
    }
    return pieces;
  }

  /** Undefined unless everything in it matches its checksums. */
  async #readPiece(shard: Shard, stripe: number): Promise<Uint8Array | undefined> {
    if (shard.file === undefined) return undefined;
    const headerBytes = this.#geometry.pieceHeaderBytes(stripe);
    const bytes = await readWhole(shard.file, this.#geometry.position(stripe), headerBytes + this.#geometry.pieceBytes(stripe));
    if (bytes === undefined) return undefined;
    this.#readBytes += bytes.byteLength;
    return isSoundPiece(bytes, headerBytes, this.#piece(shard.slot, stripe)) ? bytes.subarray(headerBytes) : undefined;
  }

  #piece(slot: number, stripe: number): PieceHeader {
    const pieceBytes = this.#geometry.pieceBytes(stripe);
    return { blob: this.#place.blob, slot, stripe, pieceBytes, dataBytes: this.#geometry.dataBytes(stripe) };
  }

  async #repairPiece(shard: Shard, stripe: number, piece: Uint8Array | undefined, wasSound: boolean): Promise<void> {
    const where = `${this.#name} stripe ${stripe}`;
    if (piece === undefined) {
      this.#find(shard, where, shard.making === undefined ? "damaged" : "missing", { repairable: false, repaired: false });
      // While a drive is away it may have what is needed. With all of them there the piece is lost; the rest is worth keeping.
      if (shard.making === undefined) return;
      if (this.#shards.some(({ isReached, member }) => !isReached && !member.hasLeft)) await this.#giveUp(shard);
      else await this.#append(shard, [new Uint8Array(this.#geometry.pieceHeaderBytes(stripe) + this.#geometry.pieceBytes(stripe))]);
      return;
    }
    const header = new Uint8Array(this.#geometry.pieceHeaderBytes(stripe));
    writePieceHeader(header, 0, this.#piece(shard.slot, stripe), piece);
    if (shard.making !== undefined) {
      await this.#append(shard, [header, piece]);
      return;
    }
    const repaired = await this.#writeInPlace(shard, this.#geometry.position(stripe), [header, piece]);
    this.#find(shard, where, wasSound ? "parity differs" : "damaged", { repairable: true, repaired });
  }

  async #append(shard: Shard, buffers: readonly Uint8Array[]): Promise<void> {
    await this.#onDrive(shard, () => (shard.making as NewFile).write(buffers));
    this.#writtenBytes += buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
  }

  /** True when it is durable. */
  async #writeInPlace(shard: Shard, position: number, buffers: readonly Uint8Array[]): Promise<boolean> {
    if (!this.#request.write) {
      shard.hasFailed = true;
      return false;
    }
    this.#writtenBytes += buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    return this.#onDrive(shard, () => shard.member.enqueue(() => (shard.file as DriveFile).writeDurable(position, buffers)));
  }

  async #finish(): Promise<void> {
    for (const shard of this.#shards) {
      const { making, member } = shard;
      if (making === undefined) continue;
      const name = shardFileName(this.#place.blob);
      const finished = await this.#onDrive(shard, async () => {
        if (shard.file !== undefined) await (member.drive as NonNullable<Member["drive"]>).remove(name);
        await making.finish();
      });
      if (!finished) continue;
      shard.making = undefined;
      this.#find(shard, this.#name, shard.file === undefined ? "missing" : "damaged", { repairable: true, repaired: true });
    }
  }

  /** A change of a shard's drive; true when it is made. One that fails fences the drive off, as any failed write does. */
  async #onDrive(shard: Shard, change: () => Promise<void>): Promise<boolean> {
    const { member, visit } = shard;
    try {
      if (member.visit !== visit || !member.takesRepairs) throw member.missingError();
      await change();
      return true;
    } catch (error) {
      if (member.visit === visit && !isHoldfastError(error, "FILE_EXISTS")) member.noteWriteFailure(error);
      const isAnew = shard.file === undefined || !shard.hasLength;
      if (isAnew) this.#find(shard, this.#name, shard.file === undefined ? "missing" : "damaged", { repairable: true, repaired: false });
      await this.#giveUp(shard);
      return false;
    }
  }

  async #giveUp(shard: Shard): Promise<void> {
    shard.hasFailed = true;
    await shard.making?.abort();
    shard.making = undefined;
  }

  get #name(): string {
    return `blob ${formatBlobId(this.#place.blob)}`;
  }

  #find(
    shard: Shard | undefined,
    place: string,
    problem: CheckFinding["problem"],
    facts: { readonly repairable: boolean; readonly repaired: boolean },
  ): void {
    this.#findings.push({ place, drive: shard?.member.id ?? "set", problem, ...facts });
  }

  async #step(): Promise<RepairStep> {
    const { pacer, signal } = this.#request;
    const step = { readBytes: this.#readBytes, writtenBytes: this.#writtenBytes, findings: this.#findings };
    this.#readBytes = 0;
    this.#writtenBytes = 0;
    this.#findings = [];
    throwIfAborted(signal);
    await pacer.spend(step.readBytes + step.writtenBytes, signal);
    return step;
  }
}
