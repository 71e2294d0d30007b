import type { DriveFile, NewFile } from "../drive/drive.ts";
import type { CrashBytes } from "./crash-bytes.ts";

/** What every call on a crash drive goes through. */
export interface PowerLine {
  /** One step of a change. Never resolves once the power is cut. */
  step(): Promise<void>;
  /** A call that only looks: not answered without power. */
  look<T>(value: () => T): Promise<T>;
}

/** An open file of a crash drive. */
export class CrashFile implements DriveFile {
  readonly name: string;
  readonly #world: PowerLine;
  readonly #bytes: CrashBytes;
  readonly #onSync: () => void;

  constructor(world: PowerLine, file: { readonly name: string; readonly bytes: CrashBytes; readonly onSync: () => void }) {
    this.#world = world;
    this.name = file.name;
    this.#bytes = file.bytes;
    this.#onSync = file.onSync;
  }

  size(): Promise<number> {
    return this.#world.look(() => this.#bytes.size);
  }

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    await this.#world.step();
    this.#bytes.write(position, Buffer.concat(buffers));
  }

  async sync(): Promise<void> {
    await this.#world.step();
    this.#bytes.sync();
    this.#onSync();
  }

  async writeDurable(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    await this.write(position, buffers);
    await this.sync();
  }

  read(position: number, into: Uint8Array): Promise<number> {
    return this.#world.look(() => this.#bytes.read(position, into));
  }

  async truncate(length: number): Promise<void> {
    await this.#world.step();
    this.#bytes.truncate(length);
    await this.#world.step();
    this.#bytes.settleTruncate(length);
  }

  async close(): Promise<void> {}
}

/** An unfinished file: nothing of it is seen before its end. */
export class CrashNewFile implements NewFile {
  readonly name: string;
  readonly #world: PowerLine;
  readonly #publish: (bytes: Uint8Array) => Promise<void>;
  #parts: Uint8Array[] = [];

  constructor(world: PowerLine, name: string, publish: (bytes: Uint8Array) => Promise<void>) {
    this.#world = world;
    this.name = name;
    this.#publish = publish;
  }

  async write(buffers: readonly Uint8Array[]): Promise<void> {
    await this.#world.look(() => undefined);
    this.#parts.push(Buffer.concat(buffers));
  }

  async finish(): Promise<void> {
    await this.#publish(new Uint8Array(Buffer.concat(this.#parts)));
  }

  async abort(): Promise<void> {
    this.#parts = [];
  }
}
