/**
 * One random history of a whole store against the reference: operations, several at a time, on few keys; drives lost and returned, bits
 * flipped, errors, full and stuck drives; restarts, with and without power cuts; jumps of the clock.
 *
 * Faults keep within what the store stands: they strike only the victims of the moment, as many as `survive`. Victims are drawn anew only
 * when the store says, after its faults have ended and upkeep has run, that every drive holds everything: then any others may be struck. So
 * nothing may ever be unreadable, and every read must give the value acknowledged last. Writes may be refused while drives are lost; what is
 * refused must not have happened. With the same seed the same things happen.
 */

import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import type { CrashClient } from "./crash-client.ts";
import { type CrashDrive, CrashWorld } from "./crash-drive.ts";
import { CrashLab, type CrashShape } from "./crash-lab.ts";
import { emptyStore, looseFilesOn } from "./empty-store.ts";
import { keyUnit, observeStore, uploadUnit, versionLine } from "./observe-store.ts";

const shapes: readonly (CrashShape & { readonly victims: number })[] = [
  { erasure: { data: 2, parity: 1 }, victims: 1 },
  { erasure: { data: 4, parity: 2 }, settings: { survive: 2 }, victims: 2 },
  { erasure: { data: 4, parity: 2 }, victims: 1 },
  { erasure: { data: 2, parity: 2 }, settings: { survive: 2 }, victims: 2 },
  { erasure: { data: 1, parity: 1 }, victims: 1 },
  { erasure: { data: 1, parity: 0 }, victims: 0 },
];

const keys = ["a", "a/b", "b", "c", "d", "dir/1", "dir/2", "\u{1f600}"];
const buckets = ["crash-bucket", "versioned-bucket"];

/** How many drives the store of a history has. */
export function drivesOfHistory(seed: number): number {
  const { data, parity } = (shapes[seed % shapes.length] as (typeof shapes)[number]).erasure;
  return data + parity;
}

/** What happened in a history. */
export interface HistoryCounts {
  operations: number;
  refused: number;
  restarts: number;
  powerCuts: number;
  faults: number;
  /** How often everything was whole again. */
  recuperations: number;
  packsCompacted: number;
}

export class History {
  readonly counts: HistoryCounts = { operations: 0, refused: 0, restarts: 0, powerCuts: 0, faults: 0, recuperations: 0, packsCompacted: 0 };
  readonly #random: ReturnType<typeof createSeededRandom>;
  readonly #lab: CrashLab;
  readonly #seed: number;
  readonly #shape: (typeof shapes)[number];
  readonly #isPacking: boolean;
  #victims: readonly number[] = [];
  #absent: readonly number[] = [];
  #uploads: { readonly bucket: string; readonly key: string; readonly uploadId: string }[] = [];

  constructor(seed: number) {
    const shape = shapes[seed % shapes.length] as (typeof shapes)[number];
    // In every other history bodies are larger and packed, so that packs are filled and compacted.
    this.#isPacking = Math.floor(seed / shapes.length) % 2 === 1;
    this.#shape = this.#isPacking ? { ...shape, settings: { ...shape.settings, inlineLimit: "32KiB" } } : shape;
    const { data, parity } = this.#shape.erasure;
    this.#seed = seed;
    this.#random = createSeededRandom(seed);
    this.#lab = new CrashLab(CrashWorld.create(data + parity, seed), this.#shape, { seed });
    this.#drawVictims();
  }

  /** Runs a history of so many operations and ends it with everything there, whole and then empty. @throws what was found wrong */
  async run(operations: number): Promise<void> {
    const client = await this.#lab.open();
    await client.createBucket();
    await client.in(buckets[1] as string).createBucket({ versioning: "enabled" });
    while (this.counts.operations < operations) {
      await this.#operateTogether(1 + this.#random.below(4));
      await this.#maybeFault();
      if (this.#random.below(24) === 0) await this.#restart();
      if (this.#random.below(10) === 0) this.#jump();
      if (this.#random.below(30) === 0) await this.#upkeep();
      if (this.#random.below(60) === 0) await this.#recuperate();
    }
    await this.#end();
  }

  // -- operations

  /** Some operations side by side, each on a key of its own. */
  async #operateTogether(count: number): Promise<void> {
    const places = new Map<string, { bucket: string; key: string }>();
    for (let i = 0; i < count; i++) {
      const bucket = this.#pick(buckets);
      const key = this.#pick(keys);
      if (!this.#lab.oracle.isInDoubt(keyUnit(bucket, key))) places.set(keyUnit(bucket, key), { bucket, key });
    }
    const working = [...places.values()].map(({ bucket, key }) => this.#operate(this.#lab.client(bucket), key));
    this.counts.operations += working.length;
    await this.#withTime(Promise.all(working));
  }

  /** One operation; an error of ours is a refusal. */
  async #operate(client: CrashClient, key: string): Promise<void> {
    try {
      await this.#drawOperation(client, key);
    } catch (error) {
      if (!isHoldfastError(error) || !["unavailable", "exhausted"].includes(error.kind)) throw error;
      this.counts.refused++;
    }
  }

  #drawOperation(client: CrashClient, key: string): Promise<void> {
    const exists = this.#hasObject(client, key);
    switch (this.#random.below(14)) {
      case 0:
      case 1:
      case 2:
        return client.put(key, this.#body(300));
      case 3:
      case 4:
        return client.put(key, this.#body(this.#isPacking ? 30_000 : 3000));
      case 5:
        return client.put(key, this.#random.below(8) === 0 ? this.#body(150_000) : this.#body(1));
      case 6:
      case 7:
        return client.delete(key);
      case 8:
        return exists ? client.setTags(key, { n: String(this.#random.below(9)) }) : client.putMany([{ key, body: this.#body(300) }]);
      case 9:
        return exists ? client.copy(key, key === "d" ? "copy of d" : key) : client.deleteMany([key]);
      case 10:
        return this.#workOnUpload(client, key);
      default:
        return this.#read(client, key);
    }
  }

  #hasObject(client: CrashClient, key: string): boolean {
    const newest = this.#lab.oracle.get(keyUnit(client.bucket.name, key))?.[0];
    return newest !== undefined && !newest.endsWith(" marker");
  }

  /** Begins an upload for the key, or goes on with its own. */
  async #workOnUpload(client: CrashClient, key: string): Promise<void> {
    const bucket = client.bucket.name;
    const own = this.#uploads.find((other) => other.bucket === bucket && other.key === key);
    const unit = uploadUnit(bucket, key, own?.uploadId ?? "?");
    if (this.#lab.oracle.isInDoubt(unit)) return;
    if (own === undefined) {
      const upload = await client.createUpload(key);
      this.#uploads.push({ bucket, key, uploadId: upload.uploadId });
      return client.uploadPart(upload, 1 + this.#random.below(3), this.#body(this.#random.below(2) === 0 ? 300 : 3000));
    }
    this.#uploads = this.#uploads.filter((other) => other !== own);
    const upload = client.bucket.upload(key, own.uploadId);
    const parts = this.#lab.oracle.get(unit) ?? [];
    return parts.length === 0 || this.#random.below(3) === 0 ? client.abort(upload) : client.complete(upload);
  }

  /** What a get gives is what was acknowledged last: nobody else is at this key. */
  async #read(client: CrashClient, key: string): Promise<void> {
    const newest = this.#lab.oracle.get(keyUnit(client.bucket.name, key))?.[0];
    if (!this.#hasObject(client, key)) {
      const code = await client.bucket.get(key).then(
        () => "it was there",
        (error: unknown) => (isHoldfastError(error) ? error.code : String(error)),
      );
      if (code !== "OBJECT_NOT_FOUND") throw new Error(`a get of ${key}, which is not there, gave ${code}`);
      return;
    }
    const [id] = (newest as string).split(" ") as [string];
    const got = await client.bucket.get(key);
    const line = versionLine(id, got.etag, await got.bytes(), await client.bucket.getTags(key));
    if (line !== newest) throw new Error(`a get of ${key} gave ${line}, acknowledged was ${newest}`);
  }

  #body(length: number): Uint8Array {
    return this.#lab.body(1 + this.#random.below(length));
  }

  // -- faults

  async #maybeFault(): Promise<void> {
    if (this.#victims.length === 0 || this.#random.below(8) !== 0) return;
    const number = this.#pick(this.#victims);
    if (this.#absent.includes(number)) return;
    const drive = this.#lab.drive(number);
    this.counts.faults++;
    const nth = 1 + this.#random.below(6);
    switch (this.#random.below(9)) {
      case 0:
        return drive.goOffline();
      case 1:
        return drive.comeBack();
      case 2:
        return drive.setFaults(`writeDurable * #${nth}: error DRIVE_IO_ERROR`);
      case 3:
        return drive.setFaults(`read * #${nth}+: error DRIVE_IO_ERROR`);
      case 4:
        return drive.setFaults(`writeDurable * #${nth}+: error DRIVE_FULL`, `append * #${nth}+: error DRIVE_FULL`);
      case 5:
        return drive.setFaults(`any * #${nth}: delay 20000`);
      case 6:
        return drive.setFaults("read * 20%: flip");
      case 7:
        return drive.setFaults();
      default:
        return this.#rot(number);
    }
  }

  #rot(number: number): void {
    const drive = this.#lab.world.drives[number] as CrashDrive;
    const files = drive.fileNames.filter((name) => name.includes("/"));
    if (files.length > 0) drive.rot(this.#pick(files), this.#random.below(2 ** 31));
  }

  #drawVictims(): void {
    const { data, parity } = this.#shape.erasure;
    const order = Array.from({ length: data + parity }, (_, i) => ({ i, at: this.#random.below(1000) })).sort((a, b) => a.at - b.at);
    this.#victims = order.slice(0, this.#shape.victims).map(({ i }) => i);
  }

  // -- upkeep

  /** Some upkeep, perhaps beside operations. */
  async #upkeep(): Promise<void> {
    const { store } = this.#lab;
    const work = [() => store.maintain(), () => this.#compact(), () => store.rebuild(), () => store.verify()][
      this.#random.below(4)
    ] as () => Promise<unknown>;
    const working = work().catch((error: unknown) => {
      if (!isHoldfastError(error) || !["unavailable", "exhausted"].includes(error.kind)) throw error;
    });
    if (this.#random.below(2) === 0) await this.#operateTogether(3);
    await this.#withTime(working);
  }

  async #compact(): Promise<void> {
    this.counts.packsCompacted += (await this.#lab.store.compact()).packs;
  }

  /** All faults end, a lost drive may come back empty, and upkeep makes everything whole: then other drives may be struck. */
  async #recuperate(): Promise<void> {
    for (const number of this.#victims) {
      if (this.#absent.includes(number)) continue;
      this.#lab.drive(number).setFaults();
      this.#lab.drive(number).comeBack();
    }
    if (this.#absent.length > 0) return;
    if (!(await this.#becomesWhole())) return;
    this.counts.recuperations++;
    this.#drawVictims();
  }

  async #becomesWhole(): Promise<boolean> {
    const { store } = this.#lab;
    for (let round = 0; round < 3; round++) {
      await this.#withTime(store.maintain());
      await this.#withTime(store.rebuild());
      const { faults } = await this.#withTime(store.verify());
      const { sets } = await store.status();
      const isWhole = sets.every(({ drives }) => drives.every(({ whole, state }) => whole && state === "online"));
      if (isWhole && faults === 0) return true;
    }
    return false;
  }

  // -- restarts

  async #restart(): Promise<void> {
    this.counts.restarts++;
    const fate = this.#random.below(4);
    if (fate < 2) await this.#withTime(this.#lab.close());
    const seed = this.#random.below(2 ** 31);
    if (fate >= 2) {
      this.counts.powerCuts++;
      await this.#leaveUnderWay();
    }
    // A drive that never came back has kept what is on it; what is open on it is gone with the process.
    this.#lab.restart(fate === 3 ? this.#lab.world.kill(seed) : this.#lab.world.crash("power cut", seed));
    this.#absent = this.#victims.filter(() => this.#random.below(3) === 0);
    await this.#open();
  }

  /** Puts that are under way when the power is cut. */
  async #leaveUnderWay(): Promise<void> {
    const free = keys.filter((key) => !this.#lab.oracle.isInDoubt(keyUnit(buckets[0] as string, key)));
    for (const key of free.slice(0, this.#random.below(4))) void this.#operate(this.#lab.client(), key).catch(() => undefined);
    for (let turns = this.#random.below(12); turns > 0; turns--) await turn();
    void this.#lab.world.cutAfter(0);
  }

  /** Opens, with drives brought back when nothing can be decided without them, and compares everything. */
  async #open(): Promise<void> {
    try {
      await this.#withTime(this.#lab.open({ absent: this.#absent }));
    } catch (error) {
      if (this.#absent.length === 0 || !isHoldfastError(error, "TAIL_UNDECIDED", "DRIVES_MISSING")) throw error;
      this.#absent = [];
      return this.#open();
    }
    const observed = await this.#withTime(observeStore(this.#lab.store));
    const problem = this.#lab.oracle.problemWith(observed);
    if (problem !== undefined) throw new Error(problem);
    const { writable } = await this.#lab.store.status();
    if (writable) this.#lab.oracle.adopt(observed);
    this.#uploads = this.#uploads.filter(({ bucket, key, uploadId }) => observed.has(uploadUnit(bucket, key, uploadId)));
  }

  #jump(): void {
    const ms = this.#random.below(3_600_000);
    if (this.#random.below(2) === 0) this.#lab.clock.advance(ms);
    else this.#lab.clock.step(this.#random.below(2) === 0 ? -ms : ms);
  }

  /** Everything is there and whole, and can be deleted without leaving anything behind. */
  async #end(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      await this.#withTime(this.#lab.close());
      this.#lab.restart(this.#lab.world.clone(this.#seed));
      this.#absent = [];
      await this.#open();
    }
    const report = await this.#withTime(this.#lab.store.verify());
    if (report.unrepairable > 0) throw new Error(`in the end ${report.unrepairable} cannot be repaired`);
    await this.#withTime(emptyStore(this.#lab.store));
    await this.#withTime(this.#lab.close());
    const loose = looseFilesOn(this.#lab.world).filter((file) => !this.#victims.some((number) => file.startsWith(`crash:${number} `)));
    if (loose.length > 0) throw new Error(`left behind when everything is deleted: ${loose.join(", ")}`);
  }

  // -- time

  /** Lets time pass while something is waited for: whoever waits for a stuck drive goes on once it answers. */
  async #withTime<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const done = work.finally(() => {
      settled = true;
    });
    done.catch(() => undefined);
    for (let turns = 0; !settled; turns++) {
      await turn();
      if (turns > 200) this.#lab.clock.advance(50);
      if (turns > 200_000) throw new Error("an operation hangs");
    }
    return done;
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.below(items.length)] as T;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
