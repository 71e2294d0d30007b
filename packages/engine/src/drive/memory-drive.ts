import { HoldfastError } from "../base/errors.ts";
import type { Drive, DriveFile, DriveSpace, NewFile } from "./drive.ts";
import { checkFileName, checkFolderName, folderOf } from "./drive-name.ts";
import { MemoryBudget, MemoryFile, MemoryNewFile, MemoryNode, MemorySession } from "./memory-file.ts";

/** What a memory drive is called and may hold. */
export interface MemoryDriveOptions {
  /** Its location, such as `memory:3`. */
  readonly name: string;
  /** Memory its files may take; unbounded when undefined. */
  readonly capacityBytes?: number;
}

/** A drive in memory. */
export interface MemoryDrive extends Drive {
  /** Closes it and gives a fresh drive with the same files, as if the process had ended without losing its memory. For tests of reopening. */
  reopen(): Promise<MemoryDrive>;
}

/**
 * A drive that lives in memory and ends with the process: every promise of `Drive` holds but surviving that. Nothing in it fails by
 * itself; space runs out at `capacityBytes`, and a write that does not fit leaves the file as it was.
 */
export function createMemoryDrive(options: MemoryDriveOptions): MemoryDrive {
  return new VolatileDrive(new MemoryBudget(options.name, options.capacityBytes ?? Number.MAX_SAFE_INTEGER), new Map(), new Set());
}

class VolatileDrive implements MemoryDrive {
  readonly location: string;
  readonly localPath = undefined;
  readonly failure = undefined;
  readonly #session: MemorySession;
  readonly #files: Map<string, MemoryNode>;
  readonly #folders: Set<string>;

  constructor(budget: MemoryBudget, files: Map<string, MemoryNode>, folders: Set<string>) {
    this.location = budget.location;
    this.#session = new MemorySession(budget);
    this.#files = files;
    this.#folders = folders;
  }

  async reopen(): Promise<MemoryDrive> {
    await this.close();
    return new VolatileDrive(this.#session.budget, this.#files, this.#folders);
  }

  async readFile(name: string): Promise<Uint8Array> {
    const { bytes } = this.#find(name);
    const content = new Uint8Array(bytes.sizeBytes);
    bytes.read(0, content);
    return content;
  }

  async replaceFile(name: string, content: Uint8Array): Promise<void> {
    checkFileName(name);
    this.#session.check();
    const node = new MemoryNode(this.#session.budget);
    this.#session.budget.write(node.bytes, 0, [content]);
    this.#place(name, node);
  }

  async list(folder: string): Promise<string[]> {
    return this.#names(folder, this.#files.keys());
  }

  async listFolders(folder: string): Promise<string[]> {
    return this.#names(folder, this.#folders);
  }

  async remove(name: string): Promise<void> {
    checkFileName(name);
    this.#session.check();
    this.#files.get(name)?.release();
    this.#files.delete(name);
  }

  async removeFolder(folder: string): Promise<void> {
    checkFileName(folder);
    this.#session.check();
    const inside = (name: string): boolean => name.startsWith(`${folder}/`);
    const taken = [...this.#files.keys()].filter(inside);
    for (const inner of [folder, ...[...this.#folders].filter(inside)]) {
      if (!taken.some((name) => name.startsWith(`${inner}/`))) this.#folders.delete(inner);
    }
  }

  async open(name: string, options: { readonly create: boolean }): Promise<DriveFile> {
    checkFileName(name);
    this.#session.check();
    if (options.create && !this.#files.has(name)) this.#place(name, new MemoryNode(this.#session.budget));
    return new MemoryFile(this.#session, name, this.#find(name));
  }

  async create(name: string): Promise<NewFile> {
    checkFileName(name);
    this.#session.check();
    return new MemoryNewFile(this.#session, name, (node) => {
      if (!this.#files.has(name)) return this.#place(name, node);
      throw new HoldfastError("FILE_EXISTS", `drive ${this.location} already has a file ${name}`, {
        details: { drive: this.location, name },
      });
    });
  }

  async space(): Promise<DriveSpace> {
    this.#session.check();
    const { capacityBytes, usedBytes } = this.#session.budget;
    return { totalBytes: capacityBytes, freeBytes: Math.max(0, capacityBytes - usedBytes) };
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  #find(name: string): MemoryNode {
    checkFileName(name);
    this.#session.check();
    const node = this.#files.get(name);
    if (node !== undefined) return node;
    throw new HoldfastError("FILE_NOT_FOUND", `drive ${this.location} has no file ${name}`, { details: { drive: this.location, name } });
  }

  #place(name: string, node: MemoryNode): void {
    for (let folder = folderOf(name); folder !== ""; folder = folderOf(folder)) this.#folders.add(folder);
    this.#files.get(name)?.release();
    this.#files.set(name, node.hold());
  }

  #names(folder: string, all: Iterable<string>): string[] {
    checkFolderName(folder);
    this.#session.check();
    const names: string[] = [];
    for (const name of all) {
      if (folderOf(name) === folder) names.push(folder === "" ? name : name.slice(folder.length + 1));
    }
    return names.sort();
  }
}
