/**
 * Whether an index directory can be trusted. The index makes nothing durable by itself; a small file beside it says whether it was flushed
 * and closed, and if not, in which boot of the machine it was open: what a process has written survives the process in the page cache, but
 * not the machine.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isHoldfastError } from "../base/errors.ts";
import { deferWrites, type WritesBehind } from "./deferred-index.ts";
import { toIndexError } from "./lmdb-errors.ts";
import { openLmdbIndex } from "./lmdb-index.ts";
import type { OrderedIndex } from "./ordered-index.ts";

const indexFile = "index.lmdb";
const checkpointFile = "checkpoint.json";

interface Checkpoint {
  readonly version: 1;
  readonly setId: string;
  readonly clean: boolean;
  readonly bootId: string | undefined;
}

/**
 * An index in a directory, emptied when it could not be trusted. Its `close` marks it clean after a flush.
 * @throws DRIVE_UNREADABLE, DRIVE_UNWRITABLE, DRIVE_FULL, DRIVE_IO_ERROR
 */
export async function openIndexDirectory(directory: string, facts: { setId: string; bootId: string | undefined }): Promise<OrderedIndex> {
  const mark = (clean: boolean): Promise<void> =>
    writeCheckpoint(directory, { version: 1, setId: facts.setId, clean, bootId: facts.bootId });
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if (!isTrusted(await readCheckpoint(directory), facts)) await removeIndex(directory);
    await mark(false);
    return withCheckpoint(deferWrites(await openOrReplace(directory)), () => mark(true));
  } catch (error) {
    throw toIndexError(error, directory);
  }
}

function isTrusted(checkpoint: Checkpoint | undefined, { setId, bootId }: { setId: string; bootId: string | undefined }): boolean {
  if (checkpoint?.setId !== setId) return false;
  return checkpoint.clean || (bootId !== undefined && checkpoint.bootId === bootId);
}

/** The index itself, which calls `markClean` when it is closed with nothing written since its last flush. */
function withCheckpoint(index: OrderedIndex, markClean: () => Promise<void>): OrderedIndex {
  let writes = 0;
  let flushed: number | undefined;
  return {
    get: (key) => index.get(key),
    write: (mutations) => {
      writes++;
      index.write(mutations);
    },
    scan: (range, visit) => index.scan(range, visit),
    pressure: () => index.pressure(),
    count: () => index.count(),
    clear: () => {
      writes++;
      index.clear();
    },
    flush: async () => {
      const before = writes;
      await index.flush();
      flushed = before;
    },
    close: async () => {
      await index.close();
      if (flushed === writes) await markClean().catch(ignoreGone);
    },
  };
}

/** The drive it lay on is gone, and the index with it. */
function ignoreGone(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

async function openOrReplace(directory: string): Promise<WritesBehind> {
  try {
    return await openLmdbIndex(join(directory, indexFile));
  } catch (error) {
    if (!isHoldfastError(error, "INDEX_DAMAGED")) throw error;
    await removeIndex(directory);
    return openLmdbIndex(join(directory, indexFile));
  }
}

async function removeIndex(directory: string): Promise<void> {
  await rm(join(directory, indexFile), { force: true });
  await rm(join(directory, `${indexFile}-lock`), { force: true });
}

async function readCheckpoint(directory: string): Promise<Checkpoint | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(directory, checkpointFile), "utf8"));
    return typeof parsed === "object" && parsed !== null && (parsed as Checkpoint).version === 1 ? (parsed as Checkpoint) : undefined;
  } catch {
    return undefined;
  }
}

async function writeCheckpoint(directory: string, checkpoint: Checkpoint): Promise<void> {
  await writeFile(join(directory, checkpointFile), JSON.stringify(checkpoint), { mode: 0o600, flush: true });
}
