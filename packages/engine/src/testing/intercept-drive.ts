import type { Drive, DriveFile, DriveSpace, NewFile } from "../drive/drive.ts";

/** Every call one can make on a drive, its files and its new files. `append` is `NewFile.write`; closing is let through unseen. */
export const driveOperations = [
  "readFile",
  "replaceFile",
  "list",
  "listFolders",
  "remove",
  "removeFolder",
  "open",
  "create",
  "space",
  "size",
  "write",
  "sync",
  "writeDurable",
  "read",
  "truncate",
  "append",
  "finish",
  "abort",
] as const;
export type DriveOperation = (typeof driveOperations)[number];

/** One call as an interceptor sees it. */
export interface DriveCall {
  readonly operation: DriveOperation;
  /** The file or folder. */
  readonly name: string;
  /** Where in the file, for `read`, `write` and `writeDurable`; the new length, for `truncate`. */
  readonly position?: number;
  /** What is to be written. */
  readonly buffers?: readonly Uint8Array[];
  /** What is to be filled. */
  readonly into?: Uint8Array;
  /** The option of `open`. */
  readonly create?: boolean;
}

/** Stands between the caller of a drive and the drive. */
export interface Interceptor {
  /** Called for each call; `proceed` makes it, with other bytes when some are given. `abort` has to be let through and must not throw. */
  around<T>(call: DriveCall, proceed: (buffers?: readonly Uint8Array[]) => Promise<T>): Promise<T>;
  /** The failure to show, when the interceptor has made the drive fail. */
  failure?(): Error | undefined;
}

/** A drive whose every call goes through `interceptor`. */
export function interceptDrive(inner: Drive, interceptor: Interceptor): Drive {
  return new InterceptedDrive(inner, interceptor);
}

/** `write packs/0001 @128 +4096`: the operation, the file, the position, the length. */
export function formatCall(call: DriveCall): string {
  const parts: string[] = [call.operation];
  if (call.name !== "") parts.push(call.name);
  if (call.create === true) parts.push("create");
  if (call.position !== undefined) parts.push(`@${call.position}`);
  if (call.buffers !== undefined) parts.push(`+${call.buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0)}`);
  if (call.into !== undefined) parts.push(`+${call.into.byteLength}`);
  return parts.join(" ");
}

class InterceptedDrive implements Drive {
  readonly #inner: Drive;
  readonly #interceptor: Interceptor;

  constructor(inner: Drive, interceptor: Interceptor) {
    this.#inner = inner;
    this.#interceptor = interceptor;
  }

  get location(): string {
    return this.#inner.location;
  }

  get localPath(): string | undefined {
    return this.#inner.localPath;
  }

  get failure(): Error | undefined {
    return this.#interceptor.failure?.() ?? this.#inner.failure;
  }

  async readFile(name: string): Promise<Uint8Array> {
    return this.#interceptor.around({ operation: "readFile", name }, () => this.#inner.readFile(name));
  }

  async replaceFile(name: string, bytes: Uint8Array): Promise<void> {
    const call: DriveCall = { operation: "replaceFile", name, buffers: [bytes] };
    return this.#interceptor.around(call, (buffers) =>
      this.#inner.replaceFile(name, buffers === undefined ? bytes : Buffer.concat(buffers)),
    );
  }

  async list(folder: string): Promise<string[]> {
    return this.#interceptor.around({ operation: "list", name: folder }, () => this.#inner.list(folder));
  }

  async listFolders(folder: string): Promise<string[]> {
    return this.#interceptor.around({ operation: "listFolders", name: folder }, () => this.#inner.listFolders(folder));
  }

  async remove(name: string): Promise<void> {
    return this.#interceptor.around({ operation: "remove", name }, () => this.#inner.remove(name));
  }

  async removeFolder(folder: string): Promise<void> {
    return this.#interceptor.around({ operation: "removeFolder", name: folder }, () => this.#inner.removeFolder(folder));
  }

  async open(name: string, options: { readonly create: boolean }): Promise<DriveFile> {
    const open = (): Promise<DriveFile> => this.#inner.open(name, options);
    const file = await this.#interceptor.around({ operation: "open", name, create: options.create }, open);
    return new InterceptedFile(file, this.#interceptor);
  }

  async create(name: string): Promise<NewFile> {
    const file = await this.#interceptor.around({ operation: "create", name }, () => this.#inner.create(name));
    return new InterceptedNewFile(file, this.#interceptor);
  }

  async space(): Promise<DriveSpace> {
    return this.#interceptor.around({ operation: "space", name: "" }, () => this.#inner.space());
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

class InterceptedFile implements DriveFile {
  readonly name: string;
  readonly #inner: DriveFile;
  readonly #interceptor: Interceptor;

  constructor(inner: DriveFile, interceptor: Interceptor) {
    this.name = inner.name;
    this.#inner = inner;
    this.#interceptor = interceptor;
  }

  async size(): Promise<number> {
    return this.#interceptor.around({ operation: "size", name: this.name }, () => this.#inner.size());
  }

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    const call: DriveCall = { operation: "write", name: this.name, position, buffers };
    return this.#interceptor.around(call, (changed = buffers) => this.#inner.write(position, changed));
  }

  async sync(): Promise<void> {
    return this.#interceptor.around({ operation: "sync", name: this.name }, () => this.#inner.sync());
  }

  async writeDurable(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    const call: DriveCall = { operation: "writeDurable", name: this.name, position, buffers };
    return this.#interceptor.around(call, (changed = buffers) => this.#inner.writeDurable(position, changed));
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    return this.#interceptor.around({ operation: "read", name: this.name, position, into }, () => this.#inner.read(position, into));
  }

  async truncate(length: number): Promise<void> {
    return this.#interceptor.around({ operation: "truncate", name: this.name, position: length }, () => this.#inner.truncate(length));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

class InterceptedNewFile implements NewFile {
  readonly name: string;
  readonly #inner: NewFile;
  readonly #interceptor: Interceptor;

  constructor(inner: NewFile, interceptor: Interceptor) {
    this.name = inner.name;
    this.#inner = inner;
    this.#interceptor = interceptor;
  }

  async write(buffers: readonly Uint8Array[]): Promise<void> {
    const call: DriveCall = { operation: "append", name: this.name, buffers };
    return this.#interceptor.around(call, (changed = buffers) => this.#inner.write(changed));
  }

  /** However it fails, nothing is left behind. */
  async finish(): Promise<void> {
    try {
      await this.#interceptor.around({ operation: "finish", name: this.name }, () => this.#inner.finish());
    } catch (error) {
      await this.#inner.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    return this.#interceptor.around({ operation: "abort", name: this.name }, () => this.#inner.abort());
  }
}
