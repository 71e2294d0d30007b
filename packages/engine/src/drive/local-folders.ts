import { constants } from "node:fs";
import { mkdir, readdir, rmdir } from "node:fs/promises";
import { folderOf, isDriveComponent, isReserved } from "./drive-name.ts";
import { durably, isSyncFailure, type LocalContext } from "./local-context.ts";
import { systemCode } from "./map-error.ts";
import { canSyncDirectories, closeFd, fsync, openFd } from "./system-calls.ts";

/**
 * The folders of a local drive: made as needed, and synced.
 *
 * A folder counts as there only once its name is synced in its parent, also when it was found: whoever made it may have been killed
 * before the sync. Syncs of one folder that come while one is running share the next one: what a caller did before asking is covered
 * by any sync that starts after it asked.
 */
export class LocalFolders {
  readonly #context: LocalContext;
  readonly #present = new Map<string, Promise<void>>();
  readonly #syncs = new Map<string, { next: Promise<void> | undefined; running: Promise<void> }>();

  constructor(context: LocalContext) {
    this.#context = context;
  }

  /** Makes sure the folder is there, durably, with all its parents. */
  ensure(folder: string): Promise<void> {
    if (folder === "") return Promise.resolve();
    const known = this.#present.get(folder);
    if (known !== undefined) return known;
    const made = this.#make(folder);
    this.#present.set(folder, made);
    made.catch(() => this.forget(folder));
    return made;
  }

  /** Forgets that a folder is there: the next `ensure` looks again. */
  forget(folder: string): void {
    this.#present.delete(folder);
  }

  /** Runs `work`, which puts a name into `folder`; looks for the folder once more when it has gone meanwhile. */
  async within<T>(folder: string, work: () => Promise<T>): Promise<T> {
    await this.ensure(folder);
    try {
      return await work();
    } catch (error) {
      if (systemCode(error) !== "ENOENT" || folder === "") throw error;
      for (let gone = folder; gone !== ""; gone = folderOf(gone)) this.forget(gone);
      await this.ensure(folder);
      return await work();
    }
  }

  /** Makes the names in a folder durable. A failure fences the drive off, and no later sync of the folder succeeds. */
  sync(folder: string): Promise<void> {
    const current = this.#syncs.get(folder);
    if (current === undefined) {
      const entry = { running: this.#syncNow(folder), next: undefined };
      this.#syncs.set(folder, entry);
      return entry.running;
    }
    current.next ??= current.running.then(
      () => this.#syncNow(folder),
      (thrown: unknown) => {
        if (isSyncFailure(thrown)) throw thrown;
        return this.#syncNow(folder);
      },
    );
    return current.next;
  }

  /** Names of the files or of the folders in a folder, sorted; none when it is not there. */
  async list(folder: string, kind: "files" | "folders"): Promise<string[]> {
    const entries = await readdir(this.#context.pathOf(folder), { withFileTypes: true }).catch((error: unknown) => {
      if (folder !== "" && (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR")) return [];
      throw error;
    });
    const names: string[] = [];
    for (const entry of entries) {
      if (kind === "files" ? !entry.isFile() : !entry.isDirectory()) continue;
      if (!isDriveComponent(entry.name) || (folder === "" && isReserved([entry.name]))) continue;
      names.push(entry.name);
    }
    return names.sort();
  }

  /** Removes a folder and the empty folders in it; leaves it alone when a file is in there. */
  async remove(folder: string): Promise<void> {
    for (const inner of await this.list(folder, "folders")) await this.remove(`${folder}/${inner}`);
    this.forget(folder);
    try {
      await rmdir(this.#context.pathOf(folder));
    } catch (error) {
      if (["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(systemCode(error))) return;
      throw error;
    }
    await this.sync(folderOf(folder));
  }

  async #make(folder: string): Promise<void> {
    const parent = folderOf(folder);
    await this.ensure(parent);
    await mkdir(this.#context.pathOf(folder), { mode: 0o700 }).catch((error: unknown) => {
      if (systemCode(error) !== "EEXIST") throw error;
    });
    await this.sync(parent);
  }

  async #syncNow(folder: string): Promise<void> {
    const entry = this.#syncs.get(folder);
    if (entry?.next !== undefined) {
      entry.running = entry.next;
      entry.next = undefined;
    }
    try {
      await this.#fsync(folder);
    } catch (thrown) {
      if (isSyncFailure(thrown)) throw thrown;
      this.#endSync(folder);
      throw thrown;
    }
    this.#endSync(folder);
  }

  #endSync(folder: string): void {
    if (this.#syncs.get(folder)?.next === undefined) this.#syncs.delete(folder);
  }

  async #fsync(folder: string): Promise<void> {
    if (!canSyncDirectories) return;
    let fd: number;
    try {
      fd = await openFd(this.#context.pathOf(folder), constants.O_RDONLY);
    } catch (error) {
      // A folder that has been removed meanwhile holds no names that could be lost.
      if (systemCode(error) === "ENOENT" && folder !== "") return;
      throw error;
    }
    try {
      await durably(fsync(fd));
    } finally {
      await closeFd(fd).catch(() => {});
    }
  }
}
