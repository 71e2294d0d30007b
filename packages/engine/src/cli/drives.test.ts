import { readFile, rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CommandWorld, makeCommandWorld } from "../testing/command-world.ts";

let world: CommandWorld;
beforeEach(async () => {
  world = await makeCommandWorld({ drives: 3 });
  await world.run(["mb", "things"]);
  for (const name of ["a", "b", "c"]) await world.run(["put", "-", `things/${name}`], { stdin: name.repeat(300_000) });
});
afterEach(() => world.remove());

async function drivesInFile(): Promise<string[]> {
  return JSON.parse(await readFile(world.at("holdfast.json"), "utf8")).drives;
}

async function expectObjects(): Promise<void> {
  for (const name of ["a", "b", "c"]) expect((await world.run(["get", `things/${name}`, "-"])).stdout).toBe(name.repeat(300_000));
}

async function states(): Promise<string[]> {
  const { entries } = await world.run(["drive", "list", "--json"]);
  return entries.map((drive) => `${drive.location?.split("/").at(-1) ?? "?"} ${drive.state}`);
}

describe("holdfast drive", () => {
  it("lists the drives", async () => {
    expect(await states()).toEqual(["d1 online", "d2 online", "d3 online"]);
    const { stdout } = await world.run(["drive", "list"]);
    expect(stdout.split("\n")[0]).toMatch(/^set 1 {2}online +\S+d1 {2}[0-9a-f]{32}$/);
  });

  it("replaces a lost drive by its id, and a healthy one by its path; the settings file follows", async () => {
    await rm(world.at("d2"), { recursive: true });
    const lost = (await world.run(["drive", "list", "--json"])).entries.find((drive) => drive.state === "offline");
    const byId = await world.run(["drive", "replace", lost.id, "d4"]);
    expect(byId.stderr).toBe("");
    expect(byId.code).toBe(0);
    expect(await drivesInFile()).toEqual(["d1", "d4", "d3"]);
    expect((await world.run(["rebuild"])).code).toBe(0);
    expect(await states()).toEqual(["d1 online", "d4 online", "d3 online"]);
    expect((await world.run(["drive", "replace", "d1", "d5"])).code).toBe(0);
    expect(await drivesInFile()).toEqual(["d5", "d4", "d3"]);
    expect((await world.run(["rebuild"])).code).toBe(0);
    await rm(world.at("d3"), { recursive: true });
    await expectObjects();
  });

  it("refuses what is no drive, and a directory that is not empty", async () => {
    expect((await world.run(["drive", "replace", "nothing", "d4"])).errorCode).toBe("DRIVE_NOT_FOUND");
    expect((await world.run(["drive", "replace", "d1", "."])).errorCode).toBe("DRIVE_DUPLICATED");
    expect(await drivesInFile()).toEqual(["d1", "d2", "d3"]);
  });
});

describe("growing and shrinking", () => {
  it("adds a drive, drains another", async () => {
    expect((await world.run(["drain", "d1"])).errorCode).toBe("SETTINGS_INVALID");
    const added = await world.run(["drive", "add", "d4"]);
    expect(added.stderr).toBe("");
    expect(added.stdout).toContain("one more of set");
    expect(await drivesInFile()).toEqual(["d1", "d2", "d3", "d4"]);
    const drained = await world.run(["drain", "d1"]);
    expect(drained.stderr).toBe("");
    expect(drained.code).toBe(0);
    expect(await drivesInFile()).toEqual(["d2", "d3", "d4"]);
    await rm(world.at("d1"), { recursive: true });
    expect(await states()).toEqual(["d2 online", "d3 online", "d4 online"]);
    await expectObjects();
    expect((await world.run(["verify"])).code).toBe(0);
  });

  it("adds a set, drains the first one", async () => {
    const added = await world.run(["drive", "add", "d4", "d5", "d6", "--json"]);
    expect(added.document.newSets).toHaveLength(1);
    await expectObjects();
    const drained = await world.run(["drain", "set:1"]);
    expect(drained.stderr).toBe("");
    expect(drained.code).toBe(0);
    expect(await drivesInFile()).toEqual(["d4", "d5", "d6"]);
    await expectObjects();
    expect((await world.run(["status", "--json"])).document.sets).toHaveLength(1);
    expect((await world.run(["mb", "more"])).code).toBe(0);
  });
});
