import { constants } from "node:fs";
import { readdir, readFile, rename, rm, stat, statfs, unlink } from "node:fs/promises";
import { resolve } from "node:path";
import { invariant } from "../base/invariant.ts";
import type { Drive, DriveFile, DriveSpace, NewFile } from "./drive.ts";
import { checkFileName, checkFolderName, folderOf, incomingFolder } from "./drive-name.ts";
import { durably, LocalContext } from "./local-context.ts";
import { LocalFile } from "./local-file.ts";
import { LocalFolders } from "./local-folders.ts";
import { LocalNewFile } from "./local-new-file.ts";
import { systemCode } from "./map-error.ts";
import { openingProblem } from "./probe-drive.ts";
import { closeFd, fdatasync, openFd, writeFully } from "./system-calls.ts";

/** How a local drive is opened. */
export interface LocalDriveOptions {
  /** Operations under way at once; further ones wait. */
  readonly inFlightMax?: number;
}

/** A drive in a local directory. */
export interface LocalDrive extends Drive {
  readonly localPath: string;
  /** Removes what a crash left unfinished; resolves with the number of files. Only for who holds the drive's lock, before any `create`. */
  clearUnfinished(): Promise<number>;
}

/** Enough to keep a drive's queue full, few enough that one drive cannot take all of the process's handles. */
const inFlightMaxDefault = 64;
/** Numbers temporary names; with the process id they are almost always free at once. */
let temporaryCount = 0;

/**
 * Opens the directory at `path` as a drive. The directory has to exist; files are made with mode 0600, folders with 0700.
 * @throws DRIVE_NOT_FOUND, DRIVE_NOT_A_DIRECTORY, DRIVE_UNREADABLE
 */
export async function openLocalDrive(path: string, options: LocalDriveOptions = {}): Promise<LocalDrive> {
  const location = resolve(path);
  await checkDirectory(location);
  return new DirectoryDrive(new LocalContext(location, options.inFlightMax ?? inFlightMaxDefault));
}

async function checkDirectory(location: string): Promise<void> {
  try {
    // Reading it tells a file, a missing directory and a missing right apart.
    await readdir(location);
  } catch (error) {
    throw openingProblem(location, error);
  }
}

class DirectoryDrive implements LocalDrive {
  readonly location: string;
  readonly localPath: string;
  readonly #context: LocalContext;
  readonly #folders: LocalFolders;

  constructor(context: LocalContext) {
    this.location = context.location;
    this.localPath = context.location;
    this.#context = context;
    this.#folders = new LocalFolders(context);
  }

  get failure(): Error | undefined {
    return this.#context.failure;
  }

  async readFile(name: string): Promise<Uint8Array> {
    checkFileName(name);
    return this.#context.run({ operation: "read", name, mutates: false, needsFile: true }, async () => {
      const buffer = await readFile(this.#context.pathOf(name));
      return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    });
  }

  async replaceFile(name: string, bytes: Uint8Array): Promise<void> {
    checkFileName(name);
    await this.#context.run({ operation: "replace", name, mutates: true, failsDrive: true }, async () => {
      const { temporary, fd } = await this.#openTemporary();
      const temporaryPath = this.#context.pathOf(temporary);
      try {
        await writeThenClose(fd, bytes);
        await this.#folders.within(folderOf(name), () => rename(temporaryPath, this.#context.pathOf(name)));
      } catch (error) {
        await unlink(temporaryPath).catch(() => {});
        throw error;
      }
      await this.#folders.sync(folderOf(name));
    });
  }

  async list(folder: string): Promise<string[]> {
    checkFolderName(folder);
    return this.#context.run({ operation: "list", name: folder, mutates: false }, () => this.#listed(folder, "files"));
  }

  async listFolders(folder: string): Promise<string[]> {
    checkFolderName(folder);
    return this.#context.run({ operation: "list", name: folder, mutates: false }, () => this.#listed(folder, "folders"));
  }

  async remove(name: string): Promise<void> {
    checkFileName(name);
    await this.#context.run({ operation: "remove", name, mutates: true }, async () => {
      try {
        await unlink(this.#context.pathOf(name));
      } catch (error) {
        if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
        return this.#checkRoot();
      }
      await this.#folders.sync(folderOf(name));
    });
  }

  async removeFolder(folder: string): Promise<void> {
    checkFileName(folder);
    await this.#context.run({ operation: "remove", name: folder, mutates: true }, () => this.#folders.remove(folder));
  }

  async open(name: string, options: { readonly create: boolean }): Promise<DriveFile> {
    checkFileName(name);
    const call = { operation: "open", name, mutates: options.create, needsFile: !options.create };
    return this.#context.run(call, async () => (options.create ? this.#openOrMake(name) : this.#openExisting(name)));
  }

  async create(name: string): Promise<NewFile> {
    checkFileName(name);
    return this.#context.run({ operation: "create", name, mutates: true }, async () => {
      return new LocalNewFile(this.#context, this.#folders, { name, ...(await this.#openTemporary()) });
    });
  }

  async space(): Promise<DriveSpace> {
    return this.#context.run({ operation: "get the space of", name: "", mutates: false }, async () => {
      const { blocks, bavail, bsize } = await statfs(this.location);
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
    });
  }

  async close(): Promise<void> {
    await this.#context.close();
  }

  async clearUnfinished(): Promise<number> {
    invariant(this.#context.open.size === 0, "unfinished files are cleared before any file is opened");
    return this.#context.run({ operation: "clear", name: incomingFolder, mutates: true }, async () => {
      const folder = this.#context.pathOf(incomingFolder);
      const left = await readdir(folder).catch((error: unknown) => {
        if (systemCode(error) === "ENOENT") return [];
        throw error;
      });
      for (const entry of left) await rm(resolve(folder, entry), { recursive: true, force: true });
      return left.length;
    });
  }

  async #listed(folder: string, kind: "files" | "folders"): Promise<string[]> {
    const names = await this.#folders.list(folder, kind);
    if (names.length === 0) await this.#checkRoot();
    return names;
  }

  /** Tells a drive without that file or folder from one that is gone. */
  async #checkRoot(): Promise<void> {
    await stat(this.location);
  }

  async #openOrMake(name: string): Promise<DriveFile> {
    const flags = constants.O_RDWR | constants.O_CREAT;
    const fd = await this.#folders.within(folderOf(name), () => openFd(this.#context.pathOf(name), flags));
    try {
      await this.#folders.sync(folderOf(name));
    } catch (error) {
      await closeFd(fd).catch(() => {});
      throw error;
    }
    return new LocalFile(this.#context, name, fd, { readOnly: false });
  }

  /** A drive that cannot be written to still opens for reading. */
  async #openExisting(name: string): Promise<DriveFile> {
    const path = this.#context.pathOf(name);
    try {
      return new LocalFile(this.#context, name, await openFd(path, constants.O_RDWR), { readOnly: false });
    } catch (error) {
      if (!["EROFS", "EACCES", "EPERM"].includes(systemCode(error))) throw error;
      return new LocalFile(this.#context, name, await openFd(path, constants.O_RDONLY), { readOnly: true });
    }
  }

  /** A new, empty file under a name in `incoming/` that nobody uses; what a crash left there may have taken some. */
  async #openTemporary(): Promise<{ temporary: string; fd: number }> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    for (;;) {
      const temporary = `${incomingFolder}/${process.pid}-${++temporaryCount}`;
      try {
        return { temporary, fd: await this.#folders.within(incomingFolder, () => openFd(this.#context.pathOf(temporary), flags)) };
      } catch (error) {
        if (systemCode(error) !== "EEXIST") throw error;
      }
    }
  }
}

async function writeThenClose(fd: number, bytes: Uint8Array): Promise<void> {
  try {
    await writeFully(fd, 0, [bytes]);
    await durably(fdatasync(fd));
  } finally {
    await closeFd(fd).catch(() => {});
  }
}
