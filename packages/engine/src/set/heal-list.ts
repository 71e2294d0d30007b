/**
 * What members lack: packs without a footer, blobs without a shard file. Of a drive whose holes are known only those are looked at; of one
 * that was away, or of which the last end was unclean, every name is.
 */
import { throwIfAborted } from "../base/errors.ts";
import { decodeBlobLocation } from "../format/blob-location.ts";
import { type BlobId, blobFolder, formatBlobId, parseShardFileName } from "../format/blob-name.ts";
import { noSlot, slotOfDrive } from "../format/layout.ts";
import { shardGeometry } from "../format/shard-geometry.ts";
import type { BlobLocation } from "./erasure-set.ts";
import { decodeEntry, liveBlobRange } from "./index-entry.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-set.ts";
import type { Pacer } from "./pace.ts";
import { listPacks, readTrailer } from "./pack-entries.ts";

/** A member that is being made whole. */
export interface Patient {
  readonly member: Member;
  readonly visit: number;
  /** Everything on it is looked at. */
  readonly unchecked: boolean;
  /** What its reads give is not believed; see `Member.distrusted`. */
  readonly distrusted: boolean;
}

export interface LackingPack {
  readonly pack: number;
  readonly patients: readonly Patient[];
  /** Bytes of one copy, about. */
  readonly bytes: number;
}

export interface LackingBlob {
  readonly location: BlobLocation;
  readonly patients: readonly Patient[];
  /** Bytes of one shard file. */
  readonly bytes: number;
}

interface Look {
  readonly pacer: Pacer;
  readonly signal?: AbortSignal | undefined;
  /** Told of patients whose names cannot be read. */
  readonly onBlind?: ((patient: Patient) => void) | undefined;
}

/** Packs that a failed sync may have left with a footer only in the page cache: the last ones below the one being filled. */
const distrustedPacks = 2;
/** Trailers read at once, and names compared between two pauses. */
const lookedAtOnce = 64;
/** What looking at a name is worth to the pacer. */
const lookBytes = 4096;

/** Packs that patients lack: those lacked by most of them first, and of these the oldest. */
export async function packsLacking(set: OpenSet, patients: readonly Patient[], look: Look): Promise<LackingPack[]> {
  const packs = (await listPacks(set.context)).filter((pack) => pack < set.activePack);
  const lastTrusted = packs.at(-distrustedPacks - 1) ?? 0;
  const found: LackingPack[] = [];
  for (let start = 0; start < packs.length; start += lookedAtOnce) {
    const some = packs.slice(start, start + lookedAtOnce);
    const looked = await Promise.all(
      some.map(async (pack): Promise<LackingPack | undefined> => {
        const lacking: Patient[] = [];
        for (const patient of patients) {
          const { member, unchecked, distrusted } = patient;
          const isKnown = member.lacking.has(pack) || (distrusted && pack > lastTrusted);
          if (isKnown || (unchecked && (await readTrailer(set.context, member, pack)) === undefined)) lacking.push(patient);
        }
        return lacking.length === 0 ? undefined : { pack, patients: lacking, bytes: await sizeOf(set, pack, lacking) };
      }),
    );
    found.push(...looked.filter((pack) => pack !== undefined));
    await look.pacer.spend(lookBytes, look.signal);
  }
  return found.sort((a, b) => b.patients.length - a.patients.length || a.pack - b.pack);
}

/** Bytes of a pack where it is whole. */
async function sizeOf(set: OpenSet, pack: number, lacking: readonly Patient[]): Promise<number> {
  for (const member of set.context.members) {
    if (!member.readable || lacking.some((patient) => patient.member === member)) continue;
    const size = await member.withPack(pack, { create: false }, (file) => file.size()).catch(() => undefined);
    if (size !== undefined) return size;
  }
  return 0;
}

/** Blobs that patients lack, in the order of their names. */
export async function* blobsLacking(set: OpenSet, patients: readonly Patient[], look: Look): AsyncGenerator<LackingBlob, void> {
  if (patients.some((patient) => patient.unchecked)) yield* blobsMissing(set, patients, look);
  else yield* blobsKnownLacking(patients);
}

function* blobsKnownLacking(patients: readonly Patient[]): Generator<LackingBlob, void> {
  const seen = new Set<string>();
  for (const { member } of patients) {
    for (const [id, location] of [...member.lackingBlobs]) {
      if (seen.has(id)) continue;
      seen.add(id);
      yield lackingBlob(
        location,
        patients.filter((patient) => patient.member.lackingBlobs.has(id)),
      );
    }
  }
}

/** Compares all live blobs with the names on the drives. */
async function* blobsMissing(set: OpenSet, patients: readonly Patient[], look: Look): AsyncGenerator<LackingBlob, void> {
  let names: EpochNames | undefined;
  for await (const location of liveBlobs(set, look)) {
    const { blob, layout } = decodeBlobLocation(location);
    if (names?.epoch !== blob.epoch) names = await readNames(blob.epoch, patients, look);
    const id = formatBlobId(blob);
    const lacking = patients.filter((patient) => {
      const { member, unchecked } = patient;
      if (slotOfDrive(layout, member.ordinal) === noSlot) return false;
      return member.lackingBlobs.has(id) || (unchecked && names?.counters.get(patient)?.has(blob.counter) === false);
    });
    if (lacking.length > 0) yield lackingBlob(location, lacking);
  }
}

function lackingBlob(location: BlobLocation, patients: readonly Patient[]): LackingBlob {
  const { layout, stripeBytes, sizeBytes } = decodeBlobLocation(location);
  return { location, patients, bytes: shardGeometry({ data: layout.data, stripeBytes, sizeBytes }).fileBytes };
}

/** The blobs begun in one epoch that patients have, by their counters; nothing of a drive that cannot be asked. */
interface EpochNames {
  readonly epoch: number;
  readonly counters: ReadonlyMap<Patient, ReadonlySet<number>>;
}

async function readNames(epoch: number, patients: readonly Patient[], look: Look): Promise<EpochNames> {
  const counters = new Map<Patient, ReadonlySet<number>>();
  for (const patient of patients) {
    const names = await patient.member.drive?.list(blobFolder(epoch)).catch(() => undefined);
    if (names === undefined) {
      look.onBlind?.(patient);
      continue;
    }
    const blobs = names.map((name) => parseShardFileName(`${blobFolder(epoch)}/${name}`));
    counters.set(patient, new Set(blobs.filter((blob): blob is BlobId => blob !== undefined).map((blob) => blob.counter)));
  }
  return { epoch, counters };
}

/** Live blobs in the order of their names, a page at a time: the index is not held while they are worked on. */
export async function* liveBlobs(set: OpenSet, look: Look, from: Uint8Array = liveBlobRange.start): AsyncGenerator<BlobLocation, void> {
  let start: Uint8Array | undefined = from;
  while (start !== undefined) {
    throwIfAborted(look.signal);
    const page: { key: Uint8Array; location: BlobLocation }[] = [];
    set.context.index.scan({ start, end: liveBlobRange.end }, (key, value) => {
      page.push({ key: key.slice(), location: decodeEntry(value).value.slice() as BlobLocation });
      return page.length < lookedAtOnce;
    });
    for (const { location } of page) yield location;
    const last: Uint8Array | undefined = page.length < lookedAtOnce ? undefined : page.at(-1)?.key;
    start = last === undefined ? undefined : keyAfter(last);
    await look.pacer.spend(lookBytes, look.signal);
  }
}

/** The least key above another one. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.byteLength + 1);
  after.set(key);
  return after;
}
