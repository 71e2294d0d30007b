/**
 * A workload for sets whose power may be cut at any moment, and the oracle for what a restart may find: of each unit (one key, or several
 * keys put together) the generation acknowledged last, or the one that was under way, whole; never a mixture, never other bytes.
 */
import { utf8 } from "../base/bytes.ts";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import type { BlobLocation, ErasureSet, SetEntry, SetTransaction } from "../set/erasure-set.ts";

interface Unit {
  readonly keys: readonly string[];
  readonly kind: "packed" | "blob" | "copy";
  /** The last generation acknowledged; 0 is "not there". */
  acked: number;
  /** The generation under way. */
  pending: number | undefined;
}

const clients = 4;
const bodyBytesMax = 3000;
const blobBytesMax = 20_000;
const generationBytes = 4;

export class CrashWorkload {
  readonly #seed: number;
  readonly #units: Unit[] = [];
  #generation = 0;

  constructor(seed: number) {
    this.#seed = seed;
    for (let client = 0; client < clients; client++) {
      this.#units.push(unit("packed", `p${client}a`), unit("packed", `p${client}b`), unit("blob", `b${client}`));
      this.#units.push(unit("packed", `g${client}x`, `g${client}y`, `g${client}z`), unit("copy", `c${client}`));
    }
  }

  /** Operations that were acknowledged. */
  acknowledged = 0;

  /** Runs clients side by side; ends when all are done, or never, when the power is cut. */
  async run(set: ErasureSet, operationsPerClient: number): Promise<void> {
    const perClient = this.#units.length / clients;
    await Promise.all(
      Array.from({ length: clients }, async (_, client) => {
        const random = createSeededRandom(this.#seed * clients + client);
        const own = this.#units.slice(client * perClient, (client + 1) * perClient);
        for (let i = 0; i < operationsPerClient; i++)
          await this.#operate(set, own[random.below(own.length)] as Unit, random.below(4) === 0);
      }),
    );
  }

  async #operate(set: ErasureSet, unit: Unit, remove: boolean): Promise<void> {
    const generation = remove ? 0 : ++this.#generation;
    unit.pending = generation;
    if (remove) await set.commit({ decide: (transaction) => this.#forget(transaction, unit) });
    else if (unit.kind === "blob") await this.#putBlob(set, unit, generation);
    else if (unit.kind === "copy") await this.#copy(set, unit);
    else await this.#put(set, unit, generation);
    unit.acked = unit.pending;
    unit.pending = undefined;
    this.acknowledged++;
  }

  #forget(transaction: SetTransaction, unit: Unit): void {
    for (const key of unit.keys) {
      const old = transaction.get(keyOf(key));
      if (old !== undefined && unit.kind === "blob") transaction.removeBlob(old.value.slice(generationBytes) as BlobLocation);
      transaction.delete(keyOf(key));
    }
  }

  #put(set: ErasureSet, unit: Unit, generation: number): Promise<void> {
    const payloads = unit.keys.map((key) => packedBody(key, generation));
    return set.commit({
      payloads,
      decide: (transaction) => {
        for (const [i, key] of unit.keys.entries()) transaction.put(keyOf(key), valueBytes(generation), i);
      },
    });
  }

  /** Takes the payload of the client's first packed key over, which may be in the same batch. */
  #copy(set: ErasureSet, unit: Unit): Promise<void> {
    const source = `p${(unit.keys[0] as string).slice(1)}a`;
    return set.commit({
      decide: (transaction) => {
        const entry = transaction.get(keyOf(source));
        unit.pending = entry === undefined ? 0 : generationOf(entry);
        if (entry === undefined) transaction.delete(keyOf(unit.keys[0] as string));
        else transaction.put(keyOf(unit.keys[0] as string), entry.value, entry.payload);
      },
    });
  }

  async #putBlob(set: ErasureSet, unit: Unit, generation: number): Promise<void> {
    const key = unit.keys[0] as string;
    const { blob } = await set.writeBlob(inPieces(blobBody(key, generation)), { digests: [] });
    await set.commit({
      decide: (transaction) => {
        this.#forget(transaction, unit);
        transaction.addBlob(blob);
        transaction.put(keyOf(key), Buffer.concat([valueBytes(generation), blob]));
      },
    });
  }

  /** The generation of every key, after checking all of them; with `lenient`, bytes that absent drives keep from us are let pass. */
  async check(set: ErasureSet, options: { lenient: boolean }): Promise<string> {
    const found: string[] = [];
    for (const unit of this.#units) {
      const entries = unit.keys.map((key) => set.get(keyOf(key)));
      const generations = entries.map((entry) => (entry === undefined ? 0 : generationOf(entry)));
      const [generation = 0] = generations;
      if (!generations.every((other) => other === generation))
        throw new Error(`half an operation: ${unit.keys.join()} are of ${generations.join()}`);
      if (generation !== unit.acked && generation !== unit.pending) {
        throw new Error(`${unit.keys.join()}: found ${generation}, acknowledged ${unit.acked}, under way ${unit.pending}`);
      }
      for (const [i, entry] of entries.entries()) if (entry !== undefined) await checkBody(set, unit, i, entry, options);
      found.push(`${unit.keys[0]}=${generation}`);
    }
    return found.join(" ");
  }

  /** Takes what a restart has found for acknowledged: from now on it must stay. */
  adopt(set: ErasureSet): void {
    for (const unit of this.#units) {
      const entry = set.get(keyOf(unit.keys[0] as string));
      unit.acked = entry === undefined ? 0 : generationOf(entry);
      unit.pending = undefined;
    }
  }

  /** The blobs that are there. */
  blobsOf(set: ErasureSet): BlobLocation[] {
    const entries = this.#units.filter((unit) => unit.kind === "blob").map((unit) => set.get(keyOf(unit.keys[0] as string)));
    return entries.filter((entry) => entry !== undefined).map((entry) => entry.value.slice(generationBytes) as BlobLocation);
  }
}

async function checkBody(set: ErasureSet, unit: Unit, place: number, entry: SetEntry, options: { lenient: boolean }): Promise<void> {
  const key = unit.keys[place] as string;
  const generation = generationOf(entry);
  const source = unit.kind === "copy" ? `p${key.slice(1)}a` : key;
  const expected = unit.kind === "blob" ? blobBody(key, generation) : packedBody(source, generation);
  try {
    const bytes =
      unit.kind === "blob" ? await readBlob(set, entry) : await set.readPacked(entry.payload as Parameters<ErasureSet["readPacked"]>[0]);
    if (Buffer.compare(bytes, expected) !== 0) throw new Error(`wrong bytes of ${key}, generation ${generation}`);
  } catch (error) {
    if (!options.lenient || !isHoldfastError(error, "DRIVES_MISSING")) throw error;
  }
}

async function readBlob(set: ErasureSet, entry: SetEntry): Promise<Uint8Array> {
  const reader = set.openBlob(entry.value.slice(generationBytes) as BlobLocation);
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of reader.read({ start: 0, end: reader.sizeBytes })) pieces.push(piece);
  } finally {
    reader.close();
  }
  return Buffer.concat(pieces);
}

function unit(kind: Unit["kind"], ...keys: string[]): Unit {
  return { keys, kind, acked: 0, pending: undefined };
}

function keyOf(name: string): Uint8Array {
  return utf8(`K${name}`);
}

function valueBytes(generation: number): Uint8Array {
  const value = new Uint8Array(generationBytes);
  new DataView(value.buffer).setUint32(0, generation, true);
  return value;
}

function generationOf(entry: SetEntry): number {
  return new DataView(entry.value.buffer, entry.value.byteOffset).getUint32(0, true);
}

function packedBody(key: string, generation: number): Uint8Array {
  return bodyOf(key, generation, bodyBytesMax);
}

function blobBody(key: string, generation: number): Uint8Array {
  return bodyOf(key, generation, blobBytesMax);
}

/** Bytes that no other key or generation has. */
function bodyOf(key: string, generation: number, bytesMax: number): Uint8Array {
  let seed = generation;
  for (const char of key) seed = (seed * 31 + (char.codePointAt(0) as number)) >>> 0;
  const random = createSeededRandom(seed);
  return random.bytes(random.below(bytesMax));
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 3000) yield bytes.subarray(at, at + 3000);
}
