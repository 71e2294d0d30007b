/**
 * A drive keeps named files of bytes. It knows nothing of frames, shards or sets.
 *
 * Names are relative, made of 1 to 4 components of `[a-z0-9._-]` joined by "/"; folders come into being as needed. Object
 * keys never become names.
 *
 * What is atomic: `replaceFile` and `NewFile.finish` (all or nothing, also over a power cut), `remove`. A `write` is not: a crash
 * before `sync` may leave any part of it, in any order of sectors.
 * What is durable: what `replaceFile`, `finish`, `remove` and `sync` have resolved for. Everything else may be lost by a power cut.
 * Overlap: calls on different files may overlap freely; on one `DriveFile`, reads may overlap everything, while writes, syncs and
 * truncates are issued one after another by the caller.
 * After an error: a failed `sync`, `finish` or `replaceFile` fails the drive: from then on every mutating call rejects with
 * `DRIVE_FAILED` (its unsynced pages may be gone, so it is never retried as if nothing had happened) and reads go on.
 * A failed `write` with no space rejects with `DRIVE_FULL` and does not fail the drive: the caller truncates or aborts. Other errors:
 * `DRIVE_IO_ERROR`, `DRIVE_UNREADABLE`, `DRIVE_UNWRITABLE`, `FILE_NOT_FOUND`.
 * Buffers handed to `write` belong to the drive until the call settles, then to the caller again; they are not changed.
 */
export interface Drive {
  /** Where it is, for people and logs: a path, or `memory:3`. */
  readonly location: string;
  /** The directory behind a local drive, for the index that lives beside the packs; undefined for others. */
  readonly localPath: string | undefined;
  /** The failure that fenced this drive off, once there is one. */
  readonly failure: Error | undefined;

  /** The whole content of a small file. @throws FILE_NOT_FOUND */
  readFile(name: string): Promise<Uint8Array>;
  /** Puts a small file in place, atomically and durably. */
  replaceFile(name: string, bytes: Uint8Array): Promise<void>;
  /** Names of the files in a folder (not of its folders, nor of unfinished files), sorted; empty when there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** Names of the folders in a folder, sorted; "" is the drive itself. */
  listFolders(folder: string): Promise<string[]>;
  /** Removes a file, durably; nothing happens when it is not there. */
  remove(name: string): Promise<void>;
  /** Removes a folder with no files in it, if it is there; leaves one with files alone. */
  removeFolder(folder: string): Promise<void>;

  /** Opens a file for reading and writing in place. With `create`, makes it (durably named) when it is not there. @throws FILE_NOT_FOUND */
  open(name: string, options: { readonly create: boolean }): Promise<DriveFile>;
  /** Starts a file that appears under its name only when finished. @throws FILE_EXISTS at finish */
  create(name: string): Promise<NewFile>;

  /** Bytes on the file system behind the drive. */
  space(): Promise<DriveSpace>;
  /** Releases handles; unfinished files are aborted. The drive is not used again. */
  close(): Promise<void>;
}

export interface DriveSpace {
  readonly totalBytes: number;
  /** What an ordinary user may still write. */
  readonly freeBytes: number;
}

/** An open file written in place. */
export interface DriveFile {
  readonly name: string;
  size(): Promise<number>;
  /** Writes all buffers end to end from `position`; may leave a hole before it. Not durable. @throws DRIVE_FULL */
  write(position: number, buffers: readonly Uint8Array[]): Promise<void>;
  /** Makes everything written and the size durable (fdatasync). */
  sync(): Promise<void>;
  /** `write` and `sync` in one, in as few system calls as the platform allows. */
  writeDurable(position: number, buffers: readonly Uint8Array[]): Promise<void>;
  /** Fills `into` from `position`; resolves with the bytes read, fewer only at the end of the file. Holes read as zeros. */
  read(position: number, into: Uint8Array): Promise<number>;
  /** Cuts the file to `length` and makes that durable. */
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** A file on its way in: end it with exactly one of `finish` and `abort`. */
export interface NewFile {
  readonly name: string;
  /** Appends all buffers. Calls are issued one after another. @throws DRIVE_FULL */
  write(buffers: readonly Uint8Array[]): Promise<void>;
  /** Makes content and name durable; the file is visible from now on. */
  finish(): Promise<void>;
  /** Leaves nothing behind. Never throws; also right after a failed write. */
  abort(): Promise<void>;
}
