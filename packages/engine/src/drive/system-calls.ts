import fs from "node:fs";

/**
 * The system calls of this room as promises, straight over the callbacks of `node:fs`: numbered descriptors cost less per call than
 * `FileHandle` objects, and nothing else hides between the drive and the operating system.
 */

/** Linux takes at most 1,024 buffers in one `writev`; other systems have limits at least as high. */
const buffersPerCallMax = 1024;

/** Windows has no call that syncs a directory; NTFS journals its names by itself. */
export const canSyncDirectories = process.platform !== "win32";

function settle(resolve: () => void, reject: (error: Error) => void): (error: NodeJS.ErrnoException | null) => void {
  return (error) => (error === null ? resolve() : reject(error));
}

export function openFd(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => fs.open(path, flags, 0o600, (error, fd) => (error === null ? resolve(fd) : reject(error))));
}

export function closeFd(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fs.close(fd, (error) => (error ? reject(error) : resolve())));
}

export function fsync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fs.fsync(fd, settle(resolve, reject)));
}

/** On macOS this is F_FULLFSYNC, on Windows FlushFileBuffers. */
export function fdatasync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fs.fdatasync(fd, settle(resolve, reject)));
}

export function ftruncate(fd: number, length: number): Promise<void> {
  return new Promise((resolve, reject) => fs.ftruncate(fd, length, settle(resolve, reject)));
}

export function sizeOfFd(fd: number): Promise<number> {
  return new Promise((resolve, reject) => fs.fstat(fd, (error, stats) => (error === null ? resolve(stats.size) : reject(error))));
}

/** Fills `into` from `position` over as many calls as it takes; resolves with the bytes read, fewer only at the file's end. */
export async function readFully(fd: number, position: number, into: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < into.byteLength) {
    const count = await readSome(fd, into, filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

function readSome(fd: number, into: Uint8Array, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, into, offset, into.byteLength - offset, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** Writes all buffers end to end from `position`, over as many calls as it takes: a call may be short. */
export async function writeFully(fd: number, position: number, buffers: readonly Uint8Array[]): Promise<void> {
  const queue = buffers.filter((buffer) => buffer.byteLength > 0);
  let first = 0;
  let at = position;
  while (first < queue.length) {
    const part = queue.length <= buffersPerCallMax ? queue.slice(first) : queue.slice(first, first + buffersPerCallMax);
    let count = await writeSome(fd, part, at);
    if (count === 0) throw Object.assign(new Error("the system wrote nothing"), { code: "EIO", syscall: "writev" });
    at += count;
    for (let head = queue[first]; head !== undefined && count > 0; head = queue[first]) {
      if (count < head.byteLength) queue[first] = head.subarray(count);
      else first++;
      count -= Math.min(count, head.byteLength);
    }
  }
}

function writeSome(fd: number, buffers: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, count: number): void => (error === null ? resolve(count) : reject(error));
    const only = buffers[0];
    if (buffers.length === 1 && only !== undefined) fs.write(fd, only, 0, only.byteLength, position, done);
    else fs.writev(fd, buffers as Uint8Array[], position, done);
  });
}
