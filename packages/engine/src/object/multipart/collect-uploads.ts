/**
 * Abandoned uploads: those in which nothing has happened since a given time are aborted, and their parts freed. What has happened is looked
 * at again in the commit that aborts: a part that comes in at the last moment keeps its upload.
 */
import { isHoldfastError } from "../../base/errors.ts";
import type { ErasureSet, SetTransaction } from "../../set/erasure-set.ts";
import { unhurried } from "../../set/pace.ts";
import { commitOnKey } from "../commit-on-key.ts";
import type { ObjectContext } from "../context.ts";
import { objectKeyOf } from "../key-entries.ts";
import { currentKey, keyHeadBytes, keyTags, unescapeKey } from "../keys.ts";
import { nameText } from "../list-objects.ts";
import type { ObjectUpkeepOptions } from "../upkeep-options.ts";
import type { VersionReader } from "../versions.ts";
import { clearUpload } from "./abort-upload.ts";
import { readParts, type StoredPart, type UploadAddress } from "./find-upload.ts";
import { unpackUploadRecord } from "./upload-record.ts";

export interface CollectUploadsOptions extends ObjectUpkeepOptions<CollectedUploads> {
  /** Uploads are kept in which something has happened at this time or later; milliseconds since 1970. */
  readonly idleSinceMs: number;
}

/** What was collected. */
export interface CollectedUploads {
  readonly uploads: number;
  readonly parts: number;
  readonly bytes: number;
}

/** Entries looked at in one turn. */
const sliceEntriesMax = 200;

/** Aborts abandoned uploads in all buckets. @throws ABORTED, STORE_CLOSED, WRITE_QUORUM_LOST: begin again later */
export async function collectUploads(context: ObjectContext, options: CollectUploadsOptions): Promise<CollectedUploads> {
  const { pacer = unhurried, signal, idleSinceMs, onProgress } = options;
  let collected: CollectedUploads = { uploads: 0, parts: 0, bytes: 0 };
  for (const set of context.topology.sets) {
    let start: Uint8Array | undefined = Uint8Array.of(keyTags.upload);
    while (start !== undefined) {
      const slice = findIdle(context, set, start, idleSinceMs);
      for (const address of slice.found) {
        const freed = await collect(context, address, idleSinceMs, signal);
        collected = {
          uploads: collected.uploads + freed.uploads,
          parts: collected.parts + freed.parts,
          bytes: collected.bytes + freed.bytes,
        };
      }
      start = slice.next;
      await pacer.spend(0, signal);
      onProgress?.(collected);
    }
  }
  return collected;
}

function findIdle(
  context: ObjectContext,
  set: ErasureSet,
  start: Uint8Array,
  idleSinceMs: number,
): { readonly found: readonly UploadAddress[]; readonly next: Uint8Array | undefined } {
  const candidates: UploadAddress[] = [];
  let visited = 0;
  let next: Uint8Array | undefined;
  set.scan({ start, end: Uint8Array.of(keyTags.upload + 1) }, (indexKey) => {
    if (visited++ === sliceEntriesMax) {
      next = indexKey.slice();
      return false;
    }
    const address = addressOf(context, set, indexKey.slice());
    if (address !== undefined) candidates.push(address);
    return true;
  });
  return { found: candidates.filter((address) => lastActivityMs(set, address) < idleSinceMs), next };
}

/** Undefined for what is left over from a move, or from a bucket that is gone. */
function addressOf(context: ObjectContext, set: ErasureSet, uploadKey: Uint8Array): UploadAddress | undefined {
  const objectKey = objectKeyOf(uploadKey);
  const bucket = context.buckets.byId(objectKey.bucketId);
  if (bucket === undefined || context.topology.ownerOf(objectKey) !== set) return undefined;
  const key = nameText(objectKey.keyBytes);
  const current = currentKey(objectKey.bucketId, key);
  const uploadId = uploadKey.slice(unescapeKey(uploadKey).suffixAt);
  return { key, bucket, set, currentKey: current, keyBytes: current.subarray(keyHeadBytes), uploadId, uploadKey };
}

/** When something has happened last in an upload; the far future where there is no such upload. */
function lastActivityMs(reader: VersionReader, address: UploadAddress, parts?: readonly StoredPart[]): number {
  const entry = reader.get(address.uploadKey);
  if (entry === undefined) return Number.POSITIVE_INFINITY;
  let lastMs = unpackUploadRecord(entry.value).startedMs;
  for (const { record } of parts ?? readParts(reader, address)) lastMs = Math.max(lastMs, record.modifiedMs);
  return lastMs;
}

async function collect(
  context: ObjectContext,
  address: UploadAddress,
  idleSinceMs: number,
  signal: AbortSignal | undefined,
): Promise<CollectedUploads> {
  const decide = (tx: SetTransaction): CollectedUploads => {
    const parts = readParts(tx, address);
    if (lastActivityMs(tx, address, parts) >= idleSinceMs) return nothing;
    clearUpload(tx, address, parts);
    return { uploads: 1, parts: parts.length, bytes: parts.reduce((sum, { record }) => sum + record.sizeBytes, 0) };
  };
  try {
    return await commitOnKey(context, address, { decide }, signal);
  } catch (error) {
    if (isHoldfastError(error, "BUCKET_NOT_FOUND")) return nothing;
    throw error;
  }
}

const nothing: CollectedUploads = { uploads: 0, parts: 0, bytes: 0 };
