/**
 * Drives in memory that know synced from unsynced bytes, and a power switch for all of them at once.
 *
 * Every change is made of steps: before it, and where the platter lags behind the cache also in the middle. `cutAfter(n)` cuts the power at
 * the n-th step from now: from then on no call on any drive is answered, as for a process that is gone. `crash` then gives what a restart
 * could find: synced bytes and finished changes for certain; of each unsynced write all, nothing, or some sectors of 512 bytes.
 * Replacing, removing and truncating files are atomic, and durable when answered, as `Drive` promises.
 * Calls take a random number of turns of the event loop, so that each seed gives another order.
 */
import { HoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import type { Drive, DriveFile, DriveSpace, NewFile } from "../drive/drive.ts";
import { CrashBytes, type CrashKind } from "./crash-bytes.ts";

type Files = Map<string, CrashBytes>;

export class CrashWorld {
  readonly drives: readonly CrashDrive[];
  readonly #random: ReturnType<typeof createSeededRandom>;
  #stepsLeft = Number.POSITIVE_INFINITY;
  #onCut: () => void = () => undefined;
  /** Steps taken so far. */
  steps = 0;

  constructor(contents: readonly ReadonlyMap<string, Uint8Array>[], seed: number) {
    this.#random = createSeededRandom(seed);
    this.drives = contents.map((files, i) => {
      return new CrashDrive(this, `crash:${i}`, new Map([...files].map(([name, bytes]) => [name, new CrashBytes(bytes)])));
    });
  }

  /** Fresh drives. */
  static create(count: number, seed: number): CrashWorld {
    return new CrashWorld(
      Array.from({ length: count }, () => new Map()),
      seed,
    );
  }

  get isCut(): boolean {
    return this.#stepsLeft <= 0;
  }

  /** Resolves when the power is cut, at the n-th step from now. */
  cutAfter(steps: number): Promise<void> {
    return new Promise((resolve) => {
      this.#stepsLeft = steps;
      this.#onCut = resolve;
      if (steps <= 0) resolve();
    });
  }

  /** One step of a change. Never resolves once the power is cut. */
  async step(): Promise<void> {
    for (let turns = this.#random.below(3); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    if (this.isCut) return new Promise(() => undefined);
    this.steps++;
    this.#stepsLeft--;
    if (!this.isCut) return undefined;
    this.#onCut();
    return new Promise(() => undefined);
  }

  /** A call that only looks: not answered without power. */
  async look<T>(value: () => T): Promise<T> {
    if (this.isCut) return new Promise(() => undefined);
    return value();
  }

  /** Fresh drives with what a restart could find on these. */
  crash(kind: CrashKind, seed: number): CrashWorld {
    const random = createSeededRandom(seed);
    const contents = this.drives.map((drive) => drive.afterCrash(kind, (bound) => random.below(bound)));
    return new CrashWorld(contents, seed);
  }

  /** Fresh drives with exactly these files, as after everything was synced. */
  clone(seed: number): CrashWorld {
    return this.crash("process kill", seed);
  }
}

export class CrashDrive implements Drive {
  readonly location: string;
  readonly localPath = undefined;
  readonly failure = undefined;
  readonly #world: CrashWorld;
  readonly #files: Files;

  constructor(world: CrashWorld, location: string, files: Files) {
    this.#world = world;
    this.location = location;
    this.#files = files;
  }

  afterCrash(kind: CrashKind, below: (bound: number) => number): Map<string, Uint8Array> {
    return new Map([...this.#files].map(([name, file]) => [name, file.afterCrash(kind, below)]));
  }

  /** Names of all files, for tests that look for leftovers. */
  get fileNames(): string[] {
    return [...this.#files.keys()].sort();
  }

  readFile(name: string): Promise<Uint8Array> {
    return this.#world.look(() => this.#find(name).cached.slice());
  }

  async replaceFile(name: string, bytes: Uint8Array): Promise<void> {
    await this.#world.step();
    this.#files.set(name, new CrashBytes(bytes.slice()));
    await this.#world.step();
  }

  list(folder: string): Promise<string[]> {
    return this.#world.look(() => this.#below(folder).filter((name) => !name.includes("/")));
  }

  listFolders(folder: string): Promise<string[]> {
    const folders = (): string[] =>
      this.#below(folder)
        .filter((name) => name.includes("/"))
        .map((name) => name.slice(0, name.indexOf("/")));
    return this.#world.look(() => [...new Set(folders())]);
  }

  async remove(name: string): Promise<void> {
    await this.#world.step();
    this.#files.delete(name);
    await this.#world.step();
  }

  async removeFolder(): Promise<void> {}

  async open(name: string, options: { readonly create: boolean }): Promise<DriveFile> {
    if (options.create && !this.#files.has(name)) {
      await this.#world.step();
      if (!this.#files.has(name)) this.#files.set(name, new CrashBytes(new Uint8Array(0)));
    }
    return this.#world.look(() => new CrashFile(this.#world, name, this.#find(name)));
  }

  async create(name: string): Promise<NewFile> {
    await this.#world.step();
    return new CrashNewFile(this.#world, name, (bytes) => {
      if (this.#files.has(name)) throw new HoldfastError("FILE_EXISTS", `${this.location} has a file ${name}`);
      this.#files.set(name, new CrashBytes(bytes));
    });
  }

  space(): Promise<DriveSpace> {
    return this.#world.look(() => ({ totalBytes: 2 ** 40, freeBytes: 2 ** 40 }));
  }

  async close(): Promise<void> {}

  #find(name: string): CrashBytes {
    const file = this.#files.get(name);
    if (file === undefined) throw new HoldfastError("FILE_NOT_FOUND", `${this.location} has no file ${name}`);
    return file;
  }

  #below(folder: string): string[] {
    const prefix = folder === "" ? "" : `${folder}/`;
    return this.fileNames.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }
}

class CrashFile implements DriveFile {
  readonly name: string;
  readonly #world: CrashWorld;
  readonly #bytes: CrashBytes;

  constructor(world: CrashWorld, name: string, bytes: CrashBytes) {
    this.#world = world;
    this.name = name;
    this.#bytes = bytes;
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
  }

  async close(): Promise<void> {}
}

class CrashNewFile implements NewFile {
  readonly name: string;
  readonly #world: CrashWorld;
  readonly #publish: (bytes: Uint8Array) => void;
  #parts: Uint8Array[] = [];

  constructor(world: CrashWorld, name: string, publish: (bytes: Uint8Array) => void) {
    this.#world = world;
    this.name = name;
    this.#publish = publish;
  }

  async write(buffers: readonly Uint8Array[]): Promise<void> {
    await this.#world.look(() => undefined);
    this.#parts.push(Buffer.concat(buffers));
  }

  async finish(): Promise<void> {
    await this.#world.step();
    this.#publish(new Uint8Array(Buffer.concat(this.#parts)));
    await this.#world.step();
  }

  async abort(): Promise<void> {
    this.#parts = [];
  }
}
