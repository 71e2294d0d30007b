/** Drives that vanish, return and are replaced while the store is open, on real directories. */
import { execFile } from "node:child_process";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManualClock } from "../src/base/clock.ts";
import { replaceDrive } from "../src/store/replace-drive.ts";
import { type DriveWorld, makeDriveWorld, type OpenDriveWorld } from "../src/testing/drive-world.ts";
import { interceptDrive } from "../src/testing/intercept-drive.ts";
import { bodyOf, expectBodies, put } from "../src/testing/set-operations.ts";
import { whyNoMounts } from "../src/testing/small-mount.ts";
import { refusal } from "../src/testing/temporary-store.ts";

const run = promisify(execFile);
const whyNot = await whyNoMounts();
if (whyNot !== undefined) it(`drives that are mounted are not tried here: ${whyNot}`, () => {});

let world: DriveWorld;
let bodies: Map<string, Uint8Array>;
beforeEach(async () => {
  world = await makeDriveWorld();
  bodies = new Map();
});
afterEach(() => world.remove());

/** Puts a few more names. */
async function write({ set }: OpenDriveWorld, count = 10): Promise<void> {
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

async function openThree(): Promise<OpenDriveWorld> {
  return world.open({ drives: world.paths(1, 2, 3) });
}

async function reopened(open: OpenDriveWorld, ...numbers: readonly number[]): Promise<OpenDriveWorld> {
  await open.close();
  const again = await world.open({ drives: world.paths(...numbers), create: false });
  await again.watcher.look();
  await expectBodies(again.set, bodies);
  return again;
}

describe("a drive that vanishes", () => {
  it("is noticed, done without, and used again when it is back", async () => {
    const open = await openThree();
    await write(open);
    await open.watcher.look();
    expect(open.states()).toEqual(["d1 online", "d2 online", "d3 online"]);
    await rename(world.path("d2"), world.path("away"));
    await open.watcher.look();
    expect(open.states()).toEqual(["d1 online", "? offline", "d3 online"]);
    expect(open.reasonOf(1)).toContain(world.path("d2"));
    await write(open);
    await rename(world.path("away"), world.path("d2"));
    // Its place is free when everything that was asked of it has been answered.
    for (let look = 0; look < 100 && open.states()[1] === "? offline"; look++) await open.watcher.look();
    expect(open.states()).toEqual(["d1 online", "d2 rebuilding", "d3 online"]);
    expect(open.set.context.members[1]?.votes).toBe(true);
    await write(open);
    await expectBodies(open.set, bodies);
    await reopened(open, 1, 2, 3);
  });

  it("is noticed under load, when its directory is removed", async () => {
    const open = await openThree();
    await write(open, 50);
    const writing = write(open, 200);
    await rm(world.path("d1"), { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined);
    await writing;
    await open.watcher.look();
    expect(open.states()[0]).toBe("? offline");
    await rm(world.path("d1"), { recursive: true, force: true });
    await write(open);
    await expectBodies(open.set, bodies);
    await reopened(open, 1, 2, 3);
  });

  it("may come back somewhere else that the settings name", async () => {
    const spare = world.path("spare");
    await (await openThree()).close();
    await rename(world.path("d3"), world.path("away"));
    const open = await world.open({ drives: [...world.paths(1, 2), spare] });
    await open.watcher.look();
    expect(open.states()[2]).toBe("? offline");
    await rename(world.path("away"), spare);
    await open.watcher.look();
    expect(open.states()[2]).toBe("spare rebuilding");
  });

  it("is foreign when another store's drive is at its path", async () => {
    const other = await world.open({ drives: [world.path("o1")] });
    await other.close();
    const open = await openThree();
    await rename(world.path("d3"), world.path("away"));
    await rename(world.path("o1"), world.path("d3"));
    await open.watcher.look();
    expect(open.states()).toEqual(["d1 online", "d2 online", "? foreign"]);
    await rename(world.path("d3"), world.path("o1"));
    await rename(world.path("away"), world.path("d3"));
    await open.watcher.look();
    expect(open.states()[2]).toBe("d3 rebuilding");
    await (await world.open({ drives: [world.path("o1")] })).close();
  });

  it("is taken up again in its own place when drives have changed places", async () => {
    const open = await openThree();
    await write(open);
    await open.watcher.look();
    await rename(world.path("d1"), world.path("x"));
    await rename(world.path("d3"), world.path("d1"));
    await open.watcher.look();
    await rename(world.path("x"), world.path("d3"));
    await open.watcher.look();
    await open.watcher.look();
    expect(open.states()).toEqual(["d3 rebuilding", "d2 online", "d1 rebuilding"]);
    await write(open);
    await expectBodies(open.set, bodies);
  });

  it("is another one when a copy of it was put in its place", async () => {
    const open = await openThree();
    await open.watcher.look();
    await rename(world.path("d2"), world.path("x"));
    await mkdir(world.path("d2"));
    for (const name of ["label", "state"]) await rename(world.path(`x/${name}`), world.path(`d2/${name}`));
    await open.watcher.look();
    await open.watcher.look();
    expect(open.states()[1]).toBe("d2 rebuilding");
  });
});

describe("an empty directory in a lost drive's place", () => {
  it("becomes its replacement, does not vote, and is the store's from then on", async () => {
    const open = await openThree();
    await write(open);
    await open.watcher.look();
    const oldId = open.set.context.members[1]?.id;
    await rename(world.path("d2"), world.path("old"));
    await mkdir(world.path("d2"));
    await open.watcher.look();
    await open.watcher.look();
    expect(open.states()).toEqual(["d1 online", "d2 rebuilding", "d3 online"]);
    const member = open.set.context.members[1];
    expect(member).toMatchObject({ fresh: true, votes: false });
    expect(member?.id).not.toBe(oldId);
    await write(open);
    const again = await reopened(open, 1, 2, 3);
    expect(again.states()).toEqual(["d1 online", "d2 rebuilding", "d3 online"]);
    expect(again.set.context.members[1]).toMatchObject({ fresh: true, votes: false });
    await again.close();
    // The process that lost sight of it still lives.
    for (const name of await readdir(world.path("old"))) if (name.startsWith("lock.")) await rm(world.path(`old/${name}`));
    await refusal(world.open({ drives: [...world.paths(1, 3), world.path("old")] }), "DRIVE_FOREIGN", "taken out");
  });

  it("is taken at opening as well", async () => {
    const open = await openThree();
    await write(open);
    await open.close();
    await rm(world.path("d3"), { recursive: true });
    await mkdir(world.path("d3"));
    const again = await world.open({ drives: world.paths(1, 2, 3) });
    expect(again.states()[2]).toBe("? offline");
    await again.watcher.look();
    expect(again.states()[2]).toBe("d3 rebuilding");
    await expectBodies(again.set, bodies);
  });

  it("is left alone when nobody can know which drive was there", async () => {
    await (await openThree()).close();
    await rm(world.path("d3"), { recursive: true });
    await mkdir(world.path("d3"));
    const open = await world.open({ drives: world.paths(2, 1) });
    await open.watcher.look();
    expect(open.states()).toEqual(["d1 online", "d2 online", "? offline"]);
  });
});

describe("replacing a drive", () => {
  it("works for one that is there, one that is missing, and by id", async () => {
    const open = await openThree();
    await write(open);
    const steps: string[] = [];
    await replaceDrive(open.drives, world.path("d2"), world.path("d4"), { onLabelled: async () => void steps.push("labelled") });
    expect(steps).toEqual(["labelled"]);
    expect(open.states()).toEqual(["d1 online", "d4 rebuilding", "d3 online"]);
    await refusal(replaceDrive(open.drives, world.path("d3"), world.path("d5")), "DRIVES_MISSING");
    await write(open);
    await reopened(open, 1, 4, 3);
  });

  it("is refused where it cannot be", async () => {
    const open = await openThree();
    await refusal(replaceDrive(open.drives, world.path("nothing"), world.path("d4")), "DRIVE_NOT_FOUND");
    await refusal(replaceDrive(open.drives, world.path("d1"), world.path("d2")), "DRIVE_DUPLICATED");
    await refusal(replaceDrive(open.drives, world.path("d1"), world.path("d2/in")), "DRIVE_DUPLICATED");
    const other = await world.open({ drives: [world.path("o1")] });
    await other.close();
    await refusal(replaceDrive(open.drives, world.path("d1"), world.path("o1")), "DRIVE_FOREIGN");
    await mkdir(world.path("full/stuff"), { recursive: true });
    await refusal(replaceDrive(open.drives, world.path("d1"), world.path("full")), "DRIVE_NOT_EMPTY");
    expect(open.states()).toEqual(["d1 online", "d2 online", "d3 online"]);
    await reopened(open, 1, 2, 3);
  });

  it("leaves everything as it was when the settings cannot be written", async () => {
    const open = await openThree();
    const failing = replaceDrive(open.drives, world.path("d1"), world.path("d4"), {
      onLabelled: () => Promise.reject(new Error("no room")),
    });
    await expect(failing).rejects.toThrow("no room");
    expect(open.states()).toEqual(["d1 online", "d2 online", "d3 online"]);
    await replaceDrive(open.drives, world.path("d1"), world.path("d4"));
    expect(open.states()[0]).toBe("d4 rebuilding");
  });
});

describe("a drive that hangs", () => {
  it("is done without, and taken up again only when it has answered all it was asked", async () => {
    const clock = createManualClock();
    let answer: () => void = () => undefined;
    let hanging: Promise<void> | undefined;
    const open = await world.open(
      { drives: world.paths(1, 2, 3, 4), erasure: { data: 2, parity: 2 } },
      {
        clock,
        wrap: (drive, path) =>
          path !== world.path("d2")
            ? drive
            : interceptDrive(drive, {
                async around(call, proceed) {
                  if (call.operation === "writeDurable") await hanging;
                  return proceed();
                },
              }),
      },
    );
    await write(open);
    hanging = new Promise((resolve) => {
      answer = resolve;
    });
    await write(open);
    await open.watcher.look();
    expect(open.states()[1]).not.toBe("? offline");
    clock.advance(60_000);
    await open.watcher.look();
    expect(open.states()[1]).toBe("? offline");
    expect(open.reasonOf(1)).toContain("has not answered for 60 seconds");
    await open.watcher.look();
    expect(open.states()[1]).toBe("? offline");
    hanging = undefined;
    answer();
    await open.set.context.members[1]?.left();
    await open.watcher.look();
    await open.watcher.look();
    expect(open.states()[1]).toBe("d2 rebuilding");
    await write(open);
    await expectBodies(open.set, bodies);
  });
});

describe.runIf(whyNot === undefined)("a drive that is unmounted", () => {
  it("leaves an empty directory that is not taken for a new drive, and is used again when it is mounted", async () => {
    const mounts = world.paths(1, 2, 3);
    const images = mounts.map((_, i) => world.path(`image${i}`));
    for (const [i, mount] of mounts.entries()) {
      await mkdir(mount);
      await run("truncate", ["-s", String(16 << 20), images[i] as string]);
      await run("mkfs.ext4", ["-q", "-O", "^has_journal", images[i] as string]);
      await run("mount", ["-o", "loop", images[i] as string, mount]);
    }
    try {
      const open = await world.open({ drives: mounts, packSize: "64KiB" });
      await write(open);
      await open.watcher.look();
      expect(open.states()).toEqual(["d1 online", "d2 online", "d3 online"]);
      await run("umount", ["-l", mounts[2] as string]);
      await open.watcher.look();
      await open.watcher.look();
      expect(open.states()[2]).toBe("? offline");
      expect(open.reasonOf(2)).toContain("no mount point");
      expect(await readdir(mounts[2] as string)).toEqual([]);
      await write(open);
      await run("mount", ["-o", "loop", images[2] as string, mounts[2] as string]);
      await open.watcher.look();
      await open.watcher.look();
      expect(open.states()[2]).toBe("d3 rebuilding");
      await write(open);
      await expectBodies(open.set, bodies);
      await open.close();
    } finally {
      for (const mount of mounts) await run("umount", ["-l", mount]).catch(() => undefined);
    }
  });
});
