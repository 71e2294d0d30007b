/**
 * From a local tree into a bucket. Small files go in groups, each one commit; large ones are streamed, several at a time. What cannot be
 * read or stored is told and counted, and the rest goes on.
 *
 * Memory: (groups in flight + 1 being read) × 4 MiB, and what the engine keeps for streams.
 */
import { open } from "node:fs/promises";
import { HoldfastError } from "../base/errors.ts";
import { inlineBytesDefault } from "../base/limits.ts";
import { MiB } from "../base/units.ts";
import type { Bucket } from "../object/bucket.ts";
import { localError } from "./local-error.ts";
import { Slots } from "./slots.ts";
import type { Transfer } from "./transfer.ts";
import type { TreeEntry } from "./walk-tree.ts";

/** A group is committed at whichever comes first. */
const groupFilesMax = 256;
const groupBytesMax = 4 * MiB;
const groupsInFlightMax = 3;
const streamsInFlightMax = 4;
/** Files of a group read at the same time. */
const readsInFlightMax = 8;

type FileEntry = Extract<TreeEntry, { readonly kind: "file" }>;

export interface ImportOptions {
  readonly bucket: Bucket;
  /** What keys start with, before the file's name in the tree. */
  readonly prefix: string;
  readonly signal: AbortSignal;
}

/** Stores the files of a walk. @throws what would fail all of them */
export async function importTree(entries: AsyncIterable<TreeEntry>, transfer: Transfer, options: ImportOptions): Promise<void> {
  const groups = new Slots(groupsInFlightMax);
  const streams = new Slots(streamsInFlightMax);
  let group: FileEntry[] = [];
  let groupBytes = 0;
  const startGroup = async (): Promise<void> => {
    const files = group;
    group = [];
    groupBytes = 0;
    await groups.start(() => putGroup(files, transfer, options));
  };
  try {
    for await (const entry of entries) {
      if (entry.kind === "skipped") transfer.skip(entry.reason);
      else if (entry.kind === "failed") transfer.fail(entry.name, entry.error);
      else if (entry.sizeBytes > inlineBytesDefault) await streams.start(() => putLarge(entry, transfer, options));
      else {
        group.push(entry);
        groupBytes += entry.sizeBytes;
        if (group.length >= groupFilesMax || groupBytes >= groupBytesMax) await startGroup();
      }
    }
    if (group.length > 0) await startGroup();
    await groups.finish();
    await streams.finish();
  } finally {
    // Nothing may still run when the store is closed.
    await groups.settle();
    await streams.settle();
  }
}

async function putLarge(file: FileEntry, transfer: Transfer, options: ImportOptions): Promise<void> {
  try {
    await storeFile(file, options);
    transfer.done(file.sizeBytes);
  } catch (error) {
    transfer.fail(file.name, error);
  }
}

/** Stores one file of any size, as many bytes as it had when it was listed. @throws FILE_DENIED …, and what `Bucket.put` throws */
export async function storeFile(file: FileEntry, { bucket, prefix, signal }: ImportOptions): Promise<void> {
  let readError: unknown;
  const handle = await open(file.path, "r").catch((error: unknown) => {
    throw localError(error, { path: file.path, action: "read" });
  });
  try {
    const body = handle.createReadStream({ start: 0, end: Math.max(0, file.sizeBytes - 1), highWaterMark: MiB, autoClose: false });
    body.once("error", (error) => {
      readError = error;
    });
    await bucket.put(`${prefix}${file.name}`, file.sizeBytes === 0 ? "" : body, { contentLength: file.sizeBytes, signal });
  } catch (error) {
    // The failure to read says more than what the store makes of it.
    throw readError === undefined ? error : localError(readError, { path: file.path, action: "read" });
  } finally {
    await handle.close().catch(() => undefined);
  }
}

async function putGroup(files: readonly FileEntry[], transfer: Transfer, { bucket, prefix, signal }: ImportOptions): Promise<void> {
  const entries: { readonly file: FileEntry; readonly key: string; readonly body: Uint8Array }[] = [];
  const reads = new Slots(readsInFlightMax);
  try {
    for (const file of files) {
      await reads.start(async () => {
        try {
          entries.push({ file, key: `${prefix}${file.name}`, body: await readSmall(file) });
        } catch (error) {
          transfer.fail(file.name, error);
        }
      });
    }
    await reads.finish();
  } finally {
    await reads.settle();
  }
  const results = await bucket.putMany(entries, { signal });
  for (const [i, result] of results.entries()) {
    const { file } = entries[i] as (typeof entries)[number];
    if (result.ok) transfer.done(result.size);
    else transfer.fail(file.name, result.error);
  }
}

/** The bytes of a file, as many as it had when it was listed. */
async function readSmall(file: FileEntry): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.sizeBytes);
  if (file.sizeBytes === 0) return bytes;
  try {
    const handle = await open(file.path, "r");
    try {
      let position = 0;
      while (position < bytes.byteLength) {
        const { bytesRead } = await handle.read(bytes, position, bytes.byteLength - position, position);
        if (bytesRead === 0)
          throw new HoldfastError("BODY_LENGTH_MISMATCH", "the file became shorter while it was read", { details: { path: file.path } });
        position += bytesRead;
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw localError(error, { path: file.path, action: "read" });
  }
  return bytes;
}
