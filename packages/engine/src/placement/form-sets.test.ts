import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formSets } from "./form-sets.ts";
import { planGrowth } from "./plan-growth.ts";
import type { PlannedSet } from "./set-account.ts";
import type { DriveDescription } from "./topology.ts";
import { countDomains, domainLevels, domainOf } from "./topology.ts";

/** `regions` × `zones` × `nodes` × `drives`, each level within the one before. */
function grid(regions: number, zones: number, nodes: number, drives: number): DriveDescription[] {
  return Array.from({ length: regions * zones * nodes * drives }, (_, number) => {
    const node = Math.floor(number / drives);
    const zone = Math.floor(node / nodes);
    return {
      id: `drive-${number}`,
      region: `region-${Math.floor(zone / zones)}`,
      zone: `zone-${zone % zones}`,
      node: `node-${node % nodes}`,
      capacityBytes: 1000,
    };
  });
}

const name = fc.constantFrom("a", "b", "c", "d");
const topology = fc
  .array(fc.record({ region: name, zone: name, node: name, capacityBytes: fc.integer({ min: 1, max: 1_000_000 }) }), {
    minLength: 1,
    maxLength: 60,
  })
  .map((drives) => drives.map((drive, number): DriveDescription => ({ ...drive, id: `drive-${number}` })));
const profile = fc.record({ data: fc.integer({ min: 1, max: 8 }), parity: fc.integer({ min: 0, max: 4 }) });
const planned = fc.tuple(topology, profile).filter(([drives, { data, parity }]) => data + parity <= drives.length);

const idsOf = (sets: readonly PlannedSet[]): string[][] => sets.map((set) => set.drives.map((drive) => drive.id));

describe("formSets", () => {
  it("uses every drive once, in sets of sizes that differ by one at most", () => {
    fc.assert(
      fc.property(planned, ([drives, { data, parity }]) => {
        const sets = formSets(drives, { data, parity });
        expect(idsOf(sets).flat().sort()).toEqual(drives.map((drive) => drive.id).sort());
        const sizes = sets.map((set) => set.drives.length);
        expect(Math.min(...sizes)).toBeGreaterThanOrEqual(data + parity);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("deals every domain out evenly: none has more of a set's drives than the topology forces", () => {
    fc.assert(
      fc.property(planned, ([drives, shape]) => {
        const sets = formSets(drives, shape);
        for (const level of domainLevels) {
          for (const [domain, count] of countDomains(drives, level)) {
            for (const set of sets)
              expect(set.drives.filter((drive) => domainOf(drive, level) === domain).length).toBeLessThanOrEqual(
                Math.ceil(count / sets.length),
              );
          }
        }
      }),
    );
  });

  it("gives the same sets for the same drives in any order", () => {
    fc.assert(
      fc.property(
        planned.chain(([drives, shape]) =>
          fc.tuple(fc.constant(drives), fc.shuffledSubarray(drives, { minLength: drives.length }), fc.constant(shape)),
        ),
        ([drives, shuffled, shape]) => {
          expect(idsOf(formSets(shuffled, shape))).toEqual(idsOf(formSets(drives, shape)));
        },
      ),
    );
  });

  it.each([
    ["one drive in each of six regions", grid(6, 1, 1, 1), 1, "region", { region: 2, zone: 2, node: 2, drive: 2 }],
    ["six zones of one region, two drives each", grid(1, 6, 1, 2), 2, "zone", { region: 0, zone: 2, node: 2, drive: 2 }],
    ["six nodes of one zone, four drives each", grid(1, 1, 6, 4), 4, "node", { region: 0, zone: 0, node: 2, drive: 2 }],
    ["three nodes, two drives each", grid(1, 1, 3, 2), 1, "drive", { region: 0, zone: 0, node: 1, drive: 2 }],
    ["three zones of two nodes", grid(1, 3, 2, 1), 1, "node", { region: 0, zone: 1, node: 2, drive: 2 }],
    ["one machine", grid(1, 1, 1, 6), 1, "drive", { region: 0, zone: 0, node: 0, drive: 2 }],
  ])("accounts for %s", (_, drives, sets, separation, survives) => {
    const formed = formSets(drives, { data: 4, parity: 2 });
    expect(formed).toHaveLength(sets);
    for (const set of formed) expect(set).toMatchObject({ separation, survives });
  });

  it("counts what a set can hold by its smallest drive", () => {
    const drives = grid(1, 1, 3, 1).map((drive, number) => ({ ...drive, capacityBytes: 1000 + number * 500 }));
    expect(formSets(drives, { data: 2, parity: 1 })[0]?.usableBytes).toBe(2000);
  });

  it("refuses sets wider than a slot map", () => {
    expect(() => formSets(grid(1, 1, 1, 119), { data: 60, parity: 0 })).toThrow(expect.objectContaining({ code: "SETTINGS_INVALID" }));
  });
});

describe("planGrowth", () => {
  const withIds = (sets: readonly PlannedSet[]) => sets.map((set, number) => ({ ...set, id: `set-${number}` }));
  const renamed = (drives: readonly DriveDescription[], prefix: string) =>
    drives.map((drive) => ({ ...drive, id: `${prefix}-${drive.id}`, node: `${prefix}-${drive.node}` }));

  it("makes new sets of drives that are as well separated, and leaves the others alone", () => {
    const existing = withIds(formSets(grid(1, 1, 6, 1), { data: 4, parity: 2 }));
    const plan = planGrowth(existing, renamed(grid(1, 1, 6, 2), "new"));
    expect(plan.newSets.map((set) => set.separation)).toEqual(["node", "node"]);
    expect(plan.extendedSets).toEqual([]);
  });

  it("spreads drives of one new node over the sets instead of making a set that the node's loss would end", () => {
    const existing = withIds(formSets(grid(1, 1, 6, 2), { data: 4, parity: 2 }));
    const plan = planGrowth(existing, renamed(grid(1, 1, 1, 6), "new"));
    expect(plan.newSets).toEqual([]);
    expect(plan.extendedSets.map((set) => set.drives.length)).toEqual([9, 9]);
  });

  it("lets a single drive join the set that has none of its node", () => {
    const [left, right] = [grid(1, 1, 3, 1), renamed(grid(1, 1, 3, 1), "other")];
    const existing = withIds([...formSets(left, { data: 2, parity: 1 }), ...formSets(right, { data: 2, parity: 1 })]);
    const plan = planGrowth(existing, [{ ...(left[0] as DriveDescription), id: "added" }]);
    expect(plan.extendedSets.map((set) => [set.id, set.separation])).toEqual([["set-1", "node"]]);
  });

  it("never moves a drive, loses one or overfills a set", () => {
    fc.assert(
      fc.property(planned, topology, fc.nat(70), ([drives, shape], more, repeat) => {
        const existing = withIds(formSets(drives, shape));
        const added = Array.from({ length: repeat }, (_, number) => ({
          ...(more[number % more.length] as DriveDescription),
          id: `added-${number}`,
        }));
        const plan = planGrowth(existing, added);
        const after = existing.map((set) => plan.extendedSets.find((other) => other.id === set.id) ?? set);
        for (const [number, set] of existing.entries())
          expect(idsOf(after)[number]).toEqual(expect.arrayContaining(idsOf([set])[0] as string[]));
        const all = [...idsOf(after), ...idsOf(plan.newSets)].flat().concat(plan.unplaced.map((drive) => drive.id));
        expect(all.sort()).toEqual([...drives, ...added].map((drive) => drive.id).sort());
        for (const set of [...after, ...plan.newSets]) expect(set.drives.length).toBeLessThanOrEqual(64);
      }),
    );
  });
});
