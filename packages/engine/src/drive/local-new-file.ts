import { link, rename, stat, unlink } from "node:fs/promises";
import { HoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { NewFile } from "./drive.ts";
import { folderOf } from "./drive-name.ts";
import { type Closable, durably, type LocalContext } from "./local-context.ts";
import type { LocalFolders } from "./local-folders.ts";
import { systemCode } from "./map-error.ts";
import { OpenFd } from "./open-fd.ts";
import { fdatasync, writeFully } from "./system-calls.ts";

/** What file systems without hard links (FAT, some network mounts) answer to `link`. */
const noLinks: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL"]);

/**
 * A file on its way in. It is written under a temporary name in `incoming/` and gets its own name, by a hard link that cannot replace
 * another file, once its bytes are durable: open → (finish | abort) → ended. What a crash leaves in `incoming/` has no meaning and is
 * cleared at the next opening, so the temporary name is never synced.
 */
export class LocalNewFile implements NewFile, Closable {
  readonly name: string;
  readonly #context: LocalContext;
  readonly #folders: LocalFolders;
  readonly #temporary: string;
  readonly #fd: OpenFd;
  #position = 0;
  #state: "open" | "broken" | "ended" = "open";

  constructor(
    context: LocalContext,
    folders: LocalFolders,
    file: { readonly name: string; readonly temporary: string; readonly fd: number },
  ) {
    this.name = file.name;
    this.#context = context;
    this.#folders = folders;
    this.#temporary = context.pathOf(file.temporary);
    this.#fd = new OpenFd(file.fd, `${context.location}/${file.name}`);
    context.open.add(this);
  }

  write(buffers: readonly Uint8Array[]): Promise<void> {
    return this.#context.run({ operation: "write", name: this.name, mutates: true }, async () => {
      invariant(this.#state === "open", "a new file is written before it is finished, and not after a failed write");
      this.#state = "broken";
      await this.#fd.use((fd) => writeFully(fd, this.#position, buffers));
      for (const buffer of buffers) this.#position += buffer.byteLength;
      // An abort may have come meanwhile.
      if (this.#state === "broken") this.#state = "open";
    });
  }

  async finish(): Promise<void> {
    try {
      await this.#context.run({ operation: "finish", name: this.name, mutates: true, failsDrive: true }, () => this.#publish());
    } finally {
      await this.#discard();
    }
  }

  async abort(): Promise<void> {
    await this.#discard();
  }

  /** The drive is closing: the same as `abort`. */
  async close(): Promise<void> {
    await this.#discard();
  }

  async #publish(): Promise<void> {
    invariant(this.#state === "open", "a new file is finished once, after all its writes have succeeded");
    this.#state = "ended";
    await this.#fd.use((fd) => durably(fdatasync(fd)));
    const folder = folderOf(this.name);
    await this.#folders.within(folder, () => this.#giveName());
    try {
      await this.#folders.sync(folder);
    } catch (error) {
      await unlink(this.#context.pathOf(this.name)).catch(() => {});
      throw error;
    }
  }

  async #giveName(): Promise<void> {
    const path = this.#context.pathOf(this.name);
    try {
      await link(this.#temporary, path);
    } catch (error) {
      if (systemCode(error) === "EEXIST") throw this.#existsError(error);
      if (!noLinks.has(systemCode(error))) throw error;
      // One process owns the drive, and it makes a name once: looking first is as good as it gets here.
      const taken = await stat(path).then(
        () => true,
        () => false,
      );
      if (taken) throw this.#existsError(error);
      await rename(this.#temporary, path);
    }
  }

  #existsError(cause: unknown): HoldfastError {
    return new HoldfastError("FILE_EXISTS", `drive ${this.#context.location} already has a file ${this.name}`, {
      details: { drive: this.#context.location, name: this.name },
      cause,
    });
  }

  /** Closes and removes the temporary file. Windows cannot remove what is open, so in that order. */
  async #discard(): Promise<void> {
    this.#state = "ended";
    this.#context.open.delete(this);
    await this.#fd.close();
    await unlink(this.#temporary).catch(() => {});
  }
}
