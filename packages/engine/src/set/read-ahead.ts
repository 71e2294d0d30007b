import type { DriveFile } from "../drive/drive.ts";

/** Read at once; larger reads go to the file directly. */
const windowBytes = 64 * 1024;

/**
 * A file read in small pieces from front to back: a pack of many small frames would otherwise take several reads for each of them, on
 * every drive. What is read may be as old as the window: for files, or parts of files, that do not change meanwhile.
 */
export class ReadAhead implements Pick<DriveFile, "read" | "size"> {
  readonly #file: DriveFile;
  #window = new Uint8Array(0);
  #start = 0;

  constructor(file: DriveFile) {
    this.#file = file;
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  /** The bytes at a position as a view, valid until the next read; undefined when they have not been read yet. */
  peek(position: number, length: number): Uint8Array | undefined {
    const start = position - this.#start;
    return start < 0 || start + length > this.#window.byteLength ? undefined : this.#window.subarray(start, start + length);
  }

  /** As `DriveFile.read`. */
  async read(position: number, into: Uint8Array): Promise<number> {
    const length = into.byteLength;
    if (length > windowBytes) return this.#file.read(position, into);
    if (this.peek(position, length) === undefined) await this.#fill(position);
    const bytes = this.peek(position, length) ?? this.#window;
    into.set(bytes);
    return bytes.byteLength;
  }

  async #fill(position: number): Promise<void> {
    const buffer = new Uint8Array(windowBytes);
    const count = await this.#file.read(position, buffer);
    this.#window = buffer.subarray(0, count);
    this.#start = position;
  }
}
