/**
 * The small file beside an index that says whether it can be trusted: whether it was flushed and closed, with the checksum of the whole file
 * then, and if not, in which boot of the machine it was open. What is no checkpoint of this form stands for none.
 *
 * The checksum is one over the XXH3-64 of each MiB; reading a file of a gigabyte takes about as long as the drive needs for it.
 */
import { open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../base/bytes.ts";
import { checksum, checksumBytes, writeChecksum } from "../codec/xxh3.ts";

const checkpointFile = "checkpoint.json";
const version = 2;
const blockBytes = 1024 * 1024;

export interface Checkpoint {
  readonly setId: string;
  /** Name of the index's file. */
  readonly file: string;
  readonly bootId: string | undefined;
  /** Of the file as it was closed; undefined while it is open. */
  readonly closed: FileSum | undefined;
}

/** What a file holds. */
export interface FileSum {
  readonly bytes: number;
  readonly checksum: string;
}

export async function readCheckpoint(directory: string): Promise<Checkpoint | undefined> {
  try {
    const parsed = JSON.parse(await readFile(join(directory, checkpointFile), "utf8")) as Partial<Checkpoint> & {
      readonly version?: unknown;
    };
    const { setId, file, bootId, closed } = parsed;
    if (parsed.version !== version || typeof setId !== "string" || typeof file !== "string") return undefined;
    if (closed === undefined) return { setId, file, bootId, closed };
    return typeof closed?.bytes === "number" && typeof closed.checksum === "string" ? { setId, file, bootId, closed } : undefined;
  } catch {
    return undefined;
  }
}

export async function writeCheckpoint(directory: string, checkpoint: Checkpoint): Promise<void> {
  await writeFile(checkpointPath(directory), JSON.stringify({ version, ...checkpoint }), { mode: 0o600, flush: true });
}

export async function removeCheckpoint(directory: string): Promise<void> {
  await rm(checkpointPath(directory), { force: true });
}

export function checkpointPath(directory: string): string {
  return join(directory, checkpointFile);
}

/** The length and checksum of a file. */
export async function sumFile(path: string): Promise<FileSum> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const sums = new Uint8Array(Math.ceil(size / blockBytes) * checksumBytes);
    const block = new Uint8Array(Math.min(blockBytes, size));
    let bytes = 0;
    for (let at = 0; at < size; at += blockBytes) {
      const { bytesRead } = await file.read(block, 0, block.byteLength, at);
      writeChecksum(sums, (at / blockBytes) * checksumBytes, block.subarray(0, bytesRead));
      bytes += bytesRead;
    }
    return { bytes, checksum: toHex(checksum(sums)) };
  } finally {
    await file.close();
  }
}
