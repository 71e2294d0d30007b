/** Power cuts in the middle of compaction: at every step of one pass, and at random steps of passes that run beside a workload. */
import { describe, expect, it } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { KiB } from "../base/units.ts";
import { packsFolder } from "../format/pack-name.ts";
import { createMemoryIndex } from "../index/memory-index.ts";
import type { OrderedIndex } from "../index/ordered-index.ts";
import { CrashWorld } from "../testing/crash-drive.ts";
import { CrashWorkload } from "../testing/crash-workload.ts";
import { initSetDrive, openTestSet } from "../testing/test-set.ts";
import { compactSet } from "./compact-set.ts";
import type { OpenSet } from "./open-set.ts";

const goal = { target: 1.1, slackBytes: 2 * KiB };

interface Shape {
  readonly drives: number;
  readonly data: number;
  readonly parity: number;
  readonly durability: "full" | "relaxed";
  /** Which of the steps are tried. */
  readonly every: number;
}

const shapes: readonly Shape[] = [
  { drives: 3, data: 2, parity: 1, durability: "full", every: 2 },
  { drives: 5, data: 3, parity: 2, durability: "full", every: 5 },
  { drives: 3, data: 2, parity: 1, durability: "relaxed", every: 2 },
];

function copyOfIndex(index: OrderedIndex): OrderedIndex {
  const copy = createMemoryIndex();
  index.scan({ start: new Uint8Array(0), end: undefined }, (key, value) => {
    copy.write([{ key, value }]);
    return true;
  });
  return copy;
}

function open(shape: Shape, world: CrashWorld, options: { index?: OrderedIndex; away?: readonly number[] } = {}): Promise<OpenSet> {
  const { index, away = [] } = options;
  const drives = world.drives.map((drive, i) => (away.includes(i) ? undefined : drive));
  const settings = { packBytesMax: 16 * KiB, packRecordsBytesMax: 2 * KiB, batchOperationsMax: 3, stripeBytes: 4 * KiB };
  return openTestSet(drives, {
    profile: shape,
    settings: { ...settings, durability: shape.durability },
    ...(index === undefined ? {} : { index }),
  });
}

/** Everything as it should be, before and after another pass; no retired pack is left. Undefined where that is not decided on. */
async function inspect(
  shape: Shape,
  workload: CrashWorkload,
  world: CrashWorld,
  options: Parameters<typeof open>[2] = {},
): Promise<string | undefined> {
  const set = await open(shape, world, options).catch((error: unknown) => {
    if (!isHoldfastError(error, "TAIL_UNDECIDED")) throw error;
  });
  if (set === undefined) return undefined;
  const lenient = (options.away?.length ?? 0) > 1;
  const found = await workload.check(set, { lenient });
  if (set.status().writable) {
    await compactSet(set, goal);
    expect(await workload.check(set, { lenient })).toBe(found);
  }
  const { retired } = set.context;
  await set.close();
  for (const [i, drive] of world.drives.entries()) {
    if (options.away?.includes(i)) continue;
    for (const name of await drive.list(packsFolder)) expect(retired.has(Number.parseInt(name, 16)), `${name} is retired`).toBe(false);
  }
  return found;
}

/** A set with much garbage, from a workload that has ended. */
async function worn(
  shape: Shape,
  seed: number,
): Promise<{ workload: CrashWorkload; world: CrashWorld; set: OpenSet; index: OrderedIndex }> {
  const workload = new CrashWorkload(seed);
  const world = CrashWorld.create(shape.drives, seed);
  await Promise.all(world.drives.map((drive) => initSetDrive(drive)));
  const index = createMemoryIndex();
  const set = await open(shape, world, { index });
  await workload.run(set, 12);
  return { workload, world, set, index };
}

describe.each(shapes)("compaction of $data+$parity on $drives drives, $durability, when the power goes", (shape) => {
  it("loses nothing and brings nothing back, at every step of a pass", async () => {
    const { workload, world, set, index } = await worn(shape, 7);
    // What the workload wrote is on stable storage, also where callers are answered before it is.
    await Promise.all(set.context.members.map((member) => member.drain()));
    const moments: { world: CrashWorld; index: OrderedIndex }[] = [];
    world.onStep = () => moments.push({ world: world.freeze(), index: copyOfIndex(index) });
    const { victims } = await compactSet(set, goal);
    world.onStep = undefined;
    expect(victims.length).toBeGreaterThan(1);
    const truth = await workload.check(set, { lenient: false });
    await set.close();
    expect(moments.length).toBeGreaterThan(20);
    for (const [step, moment] of moments.entries()) {
      if (step % shape.every !== 0) continue;
      const kind = step % 7 === 0 ? "process kill" : "power cut";
      const withIndex = moment.world.crash(kind, step);
      expect(await inspect(shape, workload, withIndex, { index: moment.index }), `step ${step}, with its index`).toBe(truth);
      expect(await inspect(shape, workload, moment.world.crash(kind, step)), `step ${step}`).toBe(truth);
      const away = [step % shape.drives];
      const found = await inspect(shape, workload, moment.world.crash(kind, step), { away });
      if (found !== undefined) expect(found, `step ${step}, without drive ${away[0]}`).toBe(truth);
    }
  });

  it("brings nothing back with a drive that was away during the pass", async () => {
    const { workload, world, set: before } = await worn(shape, 11);
    await before.close();
    const index = createMemoryIndex();
    const set = await open(shape, world, { index, away: [0] });
    await workload.run(set, 20);
    await Promise.all(set.context.members.map((member) => member.drain()));
    const moments: CrashWorld[] = [];
    world.onStep = () => moments.push(world.freeze());
    expect((await compactSet(set, goal)).victims.length).toBeGreaterThan(1);
    world.onStep = undefined;
    const truth = await workload.check(set, { lenient: false });
    await set.close();
    // The last steps are those of the removal.
    for (const [step, moment] of moments.entries()) {
      if (step % shape.every !== 0 && step < moments.length - 60) continue;
      const crashed = moment.crash("power cut", step);
      const first = await inspect(shape, workload, crashed.clone(step), { away: [1 + (step % (shape.drives - 1))] });
      if (first !== undefined) expect(first, `step ${step}, with the drive that was away and without another`).toBe(truth);
      expect(await inspect(shape, workload, crashed), `step ${step}`).toBe(truth);
    }
  });

  it("loses nothing beside a workload, and with drives that come back", async () => {
    if (shape.durability === "relaxed") return;
    for (let seed = 1; seed <= 8; seed++) {
      const random = createSeededRandom(seed);
      const { workload, world, set, index } = await worn(shape, seed);
      const passes = async (): Promise<void> => {
        for (;;) await compactSet(set, goal);
      };
      const cut = world.cutAfter(1 + random.below(400));
      await Promise.race([cut, Promise.all([workload.run(set, 30), passes()])]);
      const kept = copyOfIndex(index);
      let crashed = world.crash("power cut", seed);
      const without = await inspect(shape, workload, crashed, { away: [random.below(shape.drives)] });
      const all = await inspect(shape, workload, crashed);
      expect(all).toBeDefined();
      if (without !== undefined) expect(all).toBe(without);
      crashed = world.crash("process kill", seed);
      expect(await inspect(shape, workload, crashed, { index: kept })).toBe(await inspect(shape, workload, crashed));
    }
  });
});
