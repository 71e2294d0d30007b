/** Stores that grow and shrink while they are open, on real directories. */
import { rename } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { healSet } from "../src/set/heal-set.ts";
import type { OpenSet } from "../src/set/open-set.ts";
import { unhurried } from "../src/set/pace.ts";
import { addDrives } from "../src/store/add-drives.ts";
import { drainPlace, endMoving, markDraining } from "../src/store/drain-drives.ts";
import type { DrivePlace } from "../src/store/topology.ts";
import { type DriveWorld, makeDriveWorld, type OpenDriveWorld } from "../src/testing/drive-world.ts";
import { bodyOf, expectBodies, put } from "../src/testing/set-operations.ts";
import { refusal } from "../src/testing/temporary-store.ts";

let world: DriveWorld;
let bodies: Map<string, Uint8Array>;
beforeEach(async () => {
  world = await makeDriveWorld();
  bodies = new Map();
});
afterEach(() => world.remove());

async function write(set: OpenSet, count = 20): Promise<void> {
  const from = bodies.size;
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const name = `n${String(from + i).padStart(5, "0")}`;
      const body = bodyOf(name, 1 + (((from + i) * 997) % 5000));
      await put(set, name, body);
      bodies.set(name, body);
    }),
  );
}

async function heal({ drives }: OpenDriveWorld): Promise<void> {
  for (const set of drives.sets) {
    const steps = healSet(set, { pacer: unhurried });
    while ((await steps.next()).done !== true);
  }
}

async function reopened(open: OpenDriveWorld, ...numbers: readonly number[]): Promise<OpenDriveWorld> {
  await open.close();
  const again = await world.open({ drives: world.paths(...numbers), create: false });
  await again.watcher.look();
  await expectBodies(again.set, bodies);
  return again;
}

const options = { rewriteBlobs: async () => undefined };

describe("adding drives", () => {
  it("makes a set wider by one; it is the store's from then on", async () => {
    const open = await world.open({ drives: world.paths(1, 2, 3) });
    await write(open.set);
    const added = await addDrives(open.drives, [world.path("d4")]);
    expect(added.joined).toMatchObject([{ ordinal: 3, path: world.path("d4") }]);
    expect(added.newSets).toEqual([]);
    expect(open.states()).toEqual(["d1 online", "d2 online", "d3 online", "d4 rebuilding"]);
    expect(open.set.context.members[3]).toMatchObject({ fresh: true, votes: false });
    await write(open.set);
    await heal(open);
    expect(open.states()[3]).toBe("d4 online");
    const again = await reopened(open, 4, 2, 1, 3);
    expect(again.states()).toEqual(["d1 online", "d2 online", "d3 online", "d4 online"]);
    await again.close();
    await refusal(world.open({ drives: world.paths(1, 2, 3, 4, 5) }), "SETTINGS_INVALID", "holdfast drive add");
  });

  it("makes a new set of enough of them, to which keys move", async () => {
    const open = await world.open({ drives: world.paths(1, 2, 3) });
    await write(open.set);
    const { newSets } = await addDrives(open.drives, world.paths(4, 5, 6));
    expect(newSets).toHaveLength(1);
    const [first, second] = open.drives.sets as [OpenSet, OpenSet];
    expect(open.states(second)).toEqual(["d4 online", "d5 online", "d6 online"]);
    expect(open.drives.topology).toMatchObject({
      weights: [
        { setId: first.id, weight: 3 },
        { setId: second.id, weight: 3 },
      ],
      movingFrom: [{ setId: first.id, weight: 3 }],
    });
    await refusal(addDrives(open.drives, world.paths(7, 8, 9)), "QUEUE_FULL");
    const again = await reopened(open, 1, 2, 3, 4, 5, 6);
    expect(again.drives.topology.movingFrom).toEqual([{ setId: first.id, weight: 3 }]);
    expect(await endMoving(again.drives, () => true)).toBe(true);
    const last = await reopened(again, 1, 2, 3, 4, 5, 6);
    expect(last.drives.topology.movingFrom).toBeUndefined();
    await addDrives(last.drives, [world.path("d7")]);
    expect(last.drives.topology.weights.map(({ weight }) => weight)).toEqual([3, 3]);
  });

  it("changes nothing when one of them cannot be had", async () => {
    const open = await world.open({ drives: world.paths(1, 2, 3) });
    await refusal(addDrives(open.drives, [world.path("d4"), world.path("d4")]), "DRIVE_DUPLICATED");
    await refusal(addDrives(open.drives, [world.path("d4"), world.path("d2")]), "DRIVE_DUPLICATED");
    await expect(addDrives(open.drives, [world.path("d4")], { onLabelled: () => Promise.reject(new Error("no room")) })).rejects.toThrow(
      "no room",
    );
    expect(open.states()).toHaveLength(3);
    await addDrives(open.drives, [world.path("d4")]);
    expect(open.states()[3]).toBe("d4 rebuilding");
  });
});

describe("draining a drive", () => {
  it("is refused where the others could not take what it holds", async () => {
    const open = await world.open({ drives: world.paths(1, 2, 3) });
    await refusal(markDraining(open.drives, world.path("d1")), "SETTINGS_INVALID", "add 1 first");
    await refusal(markDraining(open.drives, open.set.id), "SETTINGS_INVALID", "only one");
  });

  it("writes what lies on it again, then it leaves for good", async () => {
    const open = await world.open({ drives: world.paths(1, 2, 3, 4), erasure: { data: 2, parity: 1 } });
    await write(open.set, 60);
    const place = (await markDraining(open.drives, world.path("d2"))) as DrivePlace;
    const writing = write(open.set, 60);
    await writing;
    expect(await drainPlace(open.drives, place, options)).toBe("left");
    expect(open.states()).toEqual(["d1 online", "? offline", "d3 online", "d4 online"]);
    expect(open.set.status().drives).toHaveLength(3);
    await write(open.set);
    await open.watcher.look();
    expect(open.states()[1]).toBe("? offline");
    const again = await reopened(open, 1, 2, 3, 4);
    expect(again.states()).toEqual(["d1 online", "? offline", "d3 online", "d4 online"]);
    await again.close();
    await rename(world.path("d3"), world.path("away"));
    const degraded = await world.open({ drives: world.paths(1, 4) });
    await write(degraded.set);
    await expectBodies(degraded.set, bodies);
  });

  it("goes on after the store was opened again, and waits for drives that are not whole", async () => {
    const open = await world.open({ drives: world.paths(1, 2, 3, 4), erasure: { data: 2, parity: 1 } });
    await write(open.set);
    const place = (await markDraining(open.drives, world.path("d4"))) as DrivePlace;
    await rename(world.path("d1"), world.path("away"));
    await open.watcher.look();
    await write(open.set);
    expect(await drainPlace(open.drives, place, options)).toBe("waiting");
    await rename(world.path("away"), world.path("d1"));
    const again = await reopened(open, 1, 2, 3, 4);
    expect(again.drives.topology.drainingDrives).toEqual([place]);
    expect(again.set.context.members[3]?.draining).toBe(true);
    await heal(again);
    expect(await drainPlace(again.drives, place, options)).toBe("left");
    await reopened(again, 1, 2, 3);
  });
});

describe("draining a set", () => {
  it("drops it when it holds nothing", async () => {
    const open = await world.open({ drives: world.paths(1, 2, 3, 4), erasure: { data: 1, parity: 1 } });
    const [first, second] = open.drives.sets as [OpenSet, OpenSet];
    await write(first);
    const drained = open.drives.labelSetOf(second.id).drives.map((id) => open.drives.held.homeOf(id)?.split("/").at(-1));
    await markDraining(open.drives, second.id);
    expect(open.drives.topology).toMatchObject({ drainingSets: [second.id], weights: [{ setId: first.id }] });
    expect(await endMoving(open.drives, () => false)).toBe(false);
    expect(await endMoving(open.drives, () => true)).toBe(true);
    expect(open.drives.sets).toEqual([first]);
    await write(first);
    await expectBodies(first, bodies);
    const again = await reopened(open, 1, 2, 3, 4);
    expect(again.drives.sets).toHaveLength(1);
    expect(drained).toHaveLength(2);
  });
});
