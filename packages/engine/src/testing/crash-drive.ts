/**
 * Drives in memory that know synced from unsynced bytes, and a power switch for all of them at once.
 *
 * Every change is made of steps: before it, and where the platter lags behind the cache also in the middle. `cutAfter(n)` cuts the power at
 * the n-th step from now: from then on no call on any drive is answered, as for a process that is gone. `crash` then gives what a restart
 * could find, and `onStep` with `freeze` gives that for every step of one run, without cutting.
 * What is certain: synced bytes, and files replaced, finished, made, removed or cut whose call has been answered. While such a call is under
 * way the old and the new state are both possible, for each name by itself. Of an unsynced write all, nothing or some sectors are kept; see
 * `CrashKind`.
 * Calls take a random number of turns of the event loop, so that each seed gives another order.
 */
import { HoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import type { Drive, DriveFile, DriveSpace, NewFile } from "../drive/drive.ts";
import { CrashBytes, type CrashChance, type CrashKind, sectorBytes } from "./crash-bytes.ts";
import { CrashFile, CrashNewFile, type PowerLine } from "./crash-file.ts";

type Files = Map<string, CrashBytes>;

export class CrashWorld implements PowerLine {
  #drives: readonly CrashDrive[];
  readonly #random: ReturnType<typeof createSeededRandom>;
  #stepsLeft = Number.POSITIVE_INFINITY;
  #onCut: () => void = () => undefined;
  /** Steps taken so far. */
  steps = 0;
  /** Called when a step is about to be taken: nothing of it has happened. Must not change anything. */
  onStep: (() => void) | undefined;

  /** Drives with these files, all of them durable. */
  constructor(contents: readonly ReadonlyMap<string, Uint8Array>[], seed: number) {
    this.#random = createSeededRandom(seed);
    this.#drives = contents.map((content, i) => {
      return new CrashDrive(this, `crash:${i}`, new Map([...content].map(([name, bytes]) => [name, new CrashBytes(bytes)])));
    });
  }

  /** Fresh drives. */
  static create(count: number, seed: number): CrashWorld {
    return new CrashWorld(
      Array.from({ length: count }, () => new Map()),
      seed,
    );
  }

  get drives(): readonly CrashDrive[] {
    return this.#drives;
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
    this.onStep?.();
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

  /** The drives as they are now, with everything that is in doubt; `crash` it later. */
  freeze(): CrashWorld {
    return this.kill(0);
  }

  /** Fresh drives after the death of the process alone: everything written is there, and as doubtful as it was until it is synced again. */
  kill(seed: number): CrashWorld {
    const world = new CrashWorld([], seed);
    world.#drives = this.drives.map((drive) => drive.freeze(world));
    return world;
  }

  /** Fresh drives with what a restart could find on these. */
  crash(kind: CrashKind, seed: number): CrashWorld {
    const random = createSeededRandom(seed);
    return new CrashWorld(
      this.drives.map((drive) => drive.afterCrash(kind, (bound) => random.below(bound))),
      seed,
    );
  }

  /** Fresh drives with exactly these files, as after everything was synced. */
  clone(seed: number): CrashWorld {
    return this.crash("process kill", seed);
  }
}

/** A change of names that is made and not yet answered. */
interface NameChange {
  readonly name: string;
  readonly before: CrashBytes | undefined;
  readonly after: CrashBytes | undefined;
}

export class CrashDrive implements Drive {
  readonly location: string;
  readonly localPath = undefined;
  readonly failure = undefined;
  readonly #world: CrashWorld;
  readonly #files: Files;
  #doubtful: readonly NameChange[];

  constructor(world: CrashWorld, location: string, files: Files, doubtful: readonly NameChange[] = []) {
    this.#world = world;
    this.location = location;
    this.#files = files;
    this.#doubtful = doubtful;
  }

  freeze(world: CrashWorld): CrashDrive {
    const clones = new Map<CrashBytes, CrashBytes>();
    const cloneOf = (file: CrashBytes): CrashBytes => {
      const clone = clones.get(file) ?? file.clone();
      clones.set(file, clone);
      return clone;
    };
    const files = new Map([...this.#files].map(([name, file]) => [name, cloneOf(file)]));
    const doubtful = this.#doubtful.map(({ name, before, after }) => ({
      name,
      before: before === undefined ? undefined : cloneOf(before),
      after: after === undefined ? undefined : cloneOf(after),
    }));
    return new CrashDrive(world, this.location, files, doubtful);
  }

  afterCrash(kind: CrashKind, below: (bound: number) => number): Map<string, Uint8Array> {
    const files = new Map(this.#files);
    for (const { name, before, after } of kind === "process kill" ? [] : this.#doubtful) {
      const found = kind === "power cut" && below(2) === 0 ? after : before;
      if (found === undefined) files.delete(name);
      else files.set(name, found);
    }
    const chance: CrashChance = { below, stale: (position) => this.#staleSector(position, below) };
    return new Map([...files].map(([name, file]) => [name, file.afterCrash(kind, chance)]));
  }

  #staleSector(position: number, below: (bound: number) => number): Uint8Array | undefined {
    const all = [...this.#files.values()].map((file) => file.cached);
    const bytes = all[below(Math.max(1, all.length))];
    if (bytes === undefined || bytes.byteLength === 0) return undefined;
    // A whole header is most likely to be misread at the offset where it was.
    const sector = position < bytes.byteLength ? Math.floor(position / sectorBytes) : below(Math.ceil(bytes.byteLength / sectorBytes));
    return bytes.subarray(sector * sectorBytes, (sector + 1) * sectorBytes);
  }

  /** Names of all files, for tests that look for leftovers. */
  get fileNames(): string[] {
    return [...this.#files.keys()].sort();
  }

  /** What readers see of every file. */
  get contents(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#files].map(([name, file]) => [name, file.cached]));
  }

  /** Another drive in this one's place: empty. */
  swap(): void {
    this.#files.clear();
    this.#doubtful = [];
  }

  /** Flips one bit of a file for good. */
  rot(name: string, bit: number): void {
    this.#find(name).rot(bit);
  }

  readFile(name: string): Promise<Uint8Array> {
    return this.#world.look(() => this.#find(name).cached.slice());
  }

  async replaceFile(name: string, bytes: Uint8Array): Promise<void> {
    await this.#world.step();
    await this.#change(name, new CrashBytes(bytes.slice()));
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
    // Of a file that is not there nothing is made durable, either.
    if (this.#files.has(name)) await this.#change(name, undefined);
  }

  async removeFolder(): Promise<void> {}

  async open(name: string, options: { readonly create: boolean }): Promise<DriveFile> {
    if (options.create && !this.#files.has(name)) {
      await this.#world.step();
      if (!this.#files.has(name)) await this.#change(name, new CrashBytes(new Uint8Array(0)));
    } else if (options.create && this.#doubtful.some((change) => change.name === name)) {
      await this.#world.step();
      this.#doubtful = this.#doubtful.filter((change) => change.name !== name);
    }
    return this.#world.look(() => new CrashFile(this.#world, { name, bytes: this.#find(name), onSync: () => this.#settleName(name) }));
  }

  async create(name: string): Promise<NewFile> {
    await this.#world.step();
    return new CrashNewFile(this.#world, name, async (bytes) => {
      await this.#world.step();
      if (this.#files.has(name)) throw new HoldfastError("FILE_EXISTS", `${this.location} has a file ${name}`);
      await this.#change(name, new CrashBytes(bytes));
    });
  }

  space(): Promise<DriveSpace> {
    return this.#world.look(() => ({ totalBytes: 2 ** 40, freeBytes: 2 ** 40 }));
  }

  async close(): Promise<void> {}

  /** Puts a file under a name, or takes it away: at once to be seen, durable after a step. */
  async #change(name: string, after: CrashBytes | undefined): Promise<void> {
    const change: NameChange = { name, before: this.#files.get(name), after };
    if (after === undefined) this.#files.delete(name);
    else this.#files.set(name, after);
    this.#doubtful = [...this.#doubtful, change];
    await this.#world.step();
    // Of a name that is durable now, what a process that died has done to it before matters no more.
    this.#doubtful = this.#doubtful
      .slice(this.#doubtful.indexOf(change) + 1)
      .concat(this.#doubtful.slice(0, this.#doubtful.indexOf(change)).filter((other) => other.name !== name));
  }

  /** As on all common file systems, syncing a file makes the name durable under which it was made. */
  #settleName(name: string): void {
    if (this.#doubtful.length > 0) this.#doubtful = this.#doubtful.filter((change) => change.name !== name);
  }

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
