/**
 * Cuts the power at every step of a scenario, opens what a restart could find, and compares it with what must be there.
 *
 * One run of the scenario gives all points: before each step the drives are frozen with everything that is in doubt. Of each point several
 * surviving states are made; each is opened, looked at, written to, closed and opened again. The first opening decides for good. At some
 * steps of that opening the power is cut again: what the opening after that finds must be allowed as well, and be the same as what was
 * shown before the cut, if anything was. At the end, everything is deleted, and nothing may be left behind.
 */
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import type { CrashKind } from "./crash-bytes.ts";
import { CrashWorld } from "./crash-drive.ts";
import { CrashLab } from "./crash-lab.ts";
import type { OracleState } from "./crash-oracle.ts";
import type { CrashScenario } from "./crash-scenario.ts";
import { emptyStore, looseFilesOn } from "./empty-store.ts";
import { type Observed, observeStore } from "./observe-store.ts";

export interface ExploreOptions {
  readonly seed: number;
  /** Surviving states of each point. */
  readonly images: number;
  /** Points in the recovery of each state at which the power is cut again. */
  readonly cutsInRecovery: number;
  /** Only this point, to look closer at a failure. */
  readonly point?: number | undefined;
  /** Only this state of each point. */
  readonly image?: number | undefined;
  /** Looked at between states: true ends the exploration. */
  readonly isOver?: (() => boolean) | undefined;
}

export interface Explored {
  readonly points: number;
  /** States opened and compared. */
  readonly states: number;
}

/** A moment of a run. */
interface CrashPoint {
  readonly drives: CrashWorld;
  readonly state: OracleState;
}

/** @throws with the line that replays it, when a state is found that is not allowed */
export async function exploreCrashes(scenario: CrashScenario, options: ExploreOptions): Promise<Explored> {
  const { points, bodies } = await runScenario(scenario, options.seed);
  let states = 0;
  for (const [number, point] of points.entries()) {
    if (options.point !== undefined && options.point !== number) continue;
    for (let image = 0; image < options.images; image++) {
      if (options.image !== undefined && options.image !== image) continue;
      if (options.isOver?.() === true) return { points: points.length, states };
      try {
        const seed = (options.seed * 100_003 + number) * 16 + image;
        states += await new Examination(scenario, bodies, seed).examine(point, { image, cuts: options.cutsInRecovery });
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : String(error)}\n${replayLine(scenario, options, number, image)}`, {
          cause: error,
        });
      }
    }
  }
  return { points: points.length, states };
}

function replayLine(scenario: CrashScenario, { seed, images, cutsInRecovery }: ExploreOptions, point: number, image: number): string {
  return `replay: npm run test:crash -- --scenario "${scenario.name}" --seed ${seed} --images ${images} --cuts ${cutsInRecovery} --point ${point} --image ${image}`;
}

/** Runs the whole scenario; gives every moment of it. */
async function runScenario(scenario: CrashScenario, seed: number): Promise<{ points: CrashPoint[]; bodies: Map<string, Uint8Array> }> {
  const { data, parity } = scenario.erasure;
  const { fixture } = scenario;
  const fresh = fixture === undefined ? CrashWorld.create(data + parity, seed) : new CrashWorld(fixture.drives, seed);
  const before = new CrashLab(fresh, scenario, { seed, state: { acknowledged: fixture?.shown ?? new Map(), underWay: [] } });
  if (scenario.prepare !== undefined) {
    await scenario.prepare(before);
    if (scenario.unclean !== true) await before.close();
  }
  const world = scenario.unclean === true ? before.world.crash("power cut", seed) : before.world.clone(seed);
  const lab = new CrashLab(world, scenario, { seed: seed + 1, bodies: before.bodies, state: before.oracle.state });
  const points: CrashPoint[] = [];
  const note = (): void => void points.push({ drives: world.freeze(), state: lab.oracle.state });
  world.onStep = note;
  if (scenario.unclean === true) await settleDoubts(lab);
  await scenario.run(lab);
  note();
  return { points, bodies: lab.bodies };
}

/** The script goes on from what the first opening shows. */
async function settleDoubts(lab: CrashLab): Promise<void> {
  await lab.open();
  const observed = await observeStore(lab.store);
  const problem = lab.oracle.problemWith(observed);
  if (problem !== undefined) throw new Error(problem);
  lab.oracle.adopt(observed);
  await lab.close();
}

const kinds: readonly CrashKind[] = ["power cut", "process kill", "power cut", "nothing unsynced"];

class Examination {
  readonly #scenario: CrashScenario;
  readonly #bodies: Map<string, Uint8Array>;
  readonly #seed: number;
  readonly #random: ReturnType<typeof createSeededRandom>;

  constructor(scenario: CrashScenario, bodies: Map<string, Uint8Array>, seed: number) {
    this.#scenario = scenario;
    this.#bodies = bodies;
    this.#seed = seed;
    this.#random = createSeededRandom(seed);
  }

  /** Gives the number of states it has opened. */
  async examine(point: CrashPoint, { image, cuts }: { image: number; cuts: number }): Promise<number> {
    const kind = kinds[Math.floor(this.#seed / 16 + image) % kinds.length] as CrashKind;
    const found = kind === "process kill" ? point.drives.kill(this.#seed) : point.drives.crash(kind, this.#seed);
    const lab = this.#lab(found, point.state);
    const inRecovery = new Reservoir<CrashPoint>(cuts, this.#random);
    found.onStep = () => inRecovery.offer(() => ({ drives: found.freeze(), state: lab.oracle.state }));
    const shown = await this.#recover(lab, { absent: this.#absent(image) });
    await this.#goOn(lab, shown);
    found.onStep = undefined;
    await this.#expectUnchanged(lab, found.crash("power cut", this.#seed), {
      empty: this.#random.below(4) === 0,
      wasKilled: kind === "process kill",
    });
    for (const again of inRecovery.items) {
      const cut = again.drives.crash("power cut", this.#seed + 1);
      await this.#recover(this.#lab(cut, again.state), { absent: [] });
    }
    return 2 + inRecovery.items.length;
  }

  #lab(world: CrashWorld, state: OracleState): CrashLab {
    return new CrashLab(world, this.#scenario, { seed: this.#seed, bodies: this.#bodies, state });
  }

  /** Every other time a drive is away when the store is opened, if it stands that. */
  #absent(image: number): number[] {
    const { data, parity } = this.#scenario.erasure;
    const stands = Math.min(parity, this.#scenario.settings?.survive ?? 1);
    return image % 2 === 0 && stands > 0 && this.#random.below(2) === 0 ? [this.#random.below(data + parity)] : [];
  }

  /** Opens and compares. A store that cannot decide without a drive is opened with it. */
  async #recover(lab: CrashLab, { absent }: { absent: readonly number[] }): Promise<Observed> {
    try {
      await lab.open({ absent });
    } catch (error) {
      if (absent.length === 0 || !isHoldfastError(error, "TAIL_UNDECIDED", "DRIVES_MISSING")) throw error;
      return this.#recover(lab, { absent: [] });
    }
    const observed = await observeStore(lab.store);
    const problem = lab.oracle.problemWith(observed);
    if (problem !== undefined) throw new Error(`after a power cut: ${problem}`);
    // With too few drives to write, an opening shows what it finds and decides nothing.
    if ((await lab.store.status()).writable) lab.oracle.adopt(observed);
    return observed;
  }

  /** A recovered store takes writes, where it can, and closes. */
  async #goOn(lab: CrashLab, shown: Observed): Promise<void> {
    const bucket = [...shown.keys()].find((unit) => unit.startsWith("bucket "))?.slice("bucket ".length);
    const { writable } = await lab.store.status();
    if (bucket !== undefined && writable) {
      const client = lab.client(bucket);
      await client.put("written after the crash", lab.body(200));
      await client.delete("written after the crash");
    }
    await lab.close();
  }

  /** Every drive holds all it should. */
  async #heal(lab: CrashLab): Promise<void> {
    const { left, problems } = await lab.store.rebuild();
    const { sets } = await lab.store.status();
    const lacking = sets.flatMap(({ drives }) => drives).filter(({ whole }) => !whole);
    if (problems + left.length + lacking.length > 0) throw new Error(`not healed: ${JSON.stringify({ left, problems, lacking })}`);
  }

  /** What was decided once stays, whatever is lost when the power goes after closing; and in the end nothing is left. */
  async #expectUnchanged(
    before: CrashLab,
    world: CrashWorld,
    { empty, wasKilled }: { readonly empty: boolean; readonly wasKilled: boolean },
  ): Promise<void> {
    const lab = this.#lab(world, before.oracle.state);
    await this.#recover(lab, { absent: [] });
    await this.#heal(lab);
    const report = await lab.store.verify();
    // What a dead process had not synced looks whole until the power goes, and of a footer only the end is looked at: a scrub finds both.
    const faults = report.findings.filter(({ place }) => !wasKilled && !place.endsWith(" footer"));
    if (faults.length + report.unrepairable > 0) throw new Error(`after healing there is left: ${JSON.stringify(report.findings)}`);
    if (empty) await emptyStore(lab.store);
    await lab.close();
    const loose = empty ? looseFilesOn(world) : [];
    if (loose.length > 0) throw new Error(`left behind when everything is deleted: ${loose.join(", ")}`);
  }
}

/** A fair choice of a few of many items, without holding them all. */
class Reservoir<T> {
  readonly items: T[] = [];
  readonly #size: number;
  readonly #random: { below(bound: number): number };
  #offered = 0;

  constructor(size: number, random: { below(bound: number): number }) {
    this.#size = size;
    this.#random = random;
  }

  offer(make: () => T): void {
    const at = this.items.length < this.#size ? this.items.length : this.#random.below(this.#offered + 1);
    this.#offered++;
    if (at < this.#size) this.items[at] = make();
  }
}
