import { nameDigits } from "./pack-name.ts";

/** The folder of the blobs' folders, one for each epoch. */
export const blobsFolder = "blobs";

/** Names a blob within its set: the epoch it was begun in and a number counted up in that epoch. */
export interface BlobId {
  readonly epoch: number;
  readonly counter: number;
}

/** `blobs/00000003`: the folder of the blobs begun in an epoch. */
export function blobFolder(epoch: number): string {
  return `${blobsFolder}/${nameDigits(epoch)}`;
}

/** The epoch of a folder of blobs from its name, with or without `blobs/`; undefined for other names. */
export function parseBlobFolder(name: string): number | undefined {
  const match = /^(?:blobs\/)?([0-9a-f]{8})$/.exec(name);
  return match === null ? undefined : Number.parseInt(match[1] as string, 16);
}

/** `blobs/00000003/0000002a.shard`. */
export function shardFileName(blob: BlobId): string {
  return `${blobFolder(blob.epoch)}/${nameDigits(blob.counter)}.shard`;
}

/** The blob's id from the whole name of its shard file; undefined for other names. */
export function parseShardFileName(name: string): BlobId | undefined {
  const match = /^blobs\/([0-9a-f]{8})\/([0-9a-f]{8})\.shard$/.exec(name);
  return match === null ? undefined : { epoch: Number.parseInt(match[1] as string, 16), counter: Number.parseInt(match[2] as string, 16) };
}

/** `00000003-0000002a`: a blob's id for maps, logs and people. */
export function formatBlobId(blob: BlobId): string {
  return `${nameDigits(blob.epoch)}-${nameDigits(blob.counter)}`;
}

/** The id in that form; undefined for other text. */
export function parseBlobId(text: string): BlobId | undefined {
  const match = /^([0-9a-f]{8})-([0-9a-f]{8})$/.exec(text);
  return match === null ? undefined : { epoch: Number.parseInt(match[1] as string, 16), counter: Number.parseInt(match[2] as string, 16) };
}
