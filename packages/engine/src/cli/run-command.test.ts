/** The command line itself: finding the store, exit codes, JSON, errors. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { errorCodes, HoldfastError } from "../base/errors.ts";
import { type CommandWorld, makeCommandWorld } from "../testing/command-world.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { printable } from "./printable.ts";
import { errorExitCode, errorLine } from "./report-error.ts";

let world: CommandWorld;
beforeEach(async () => {
  world = await makeCommandWorld();
});
afterEach(() => world.remove());

describe("a wrong command line", () => {
  it.each([
    [[]],
    [["frob"]],
    [["ls", "--frob"]],
    [["ls", "a", "b"]],
    [["put", "x"]],
    [["get", "bucket-only"]],
    [["cp", "-r", "a", "b"]],
    [["init", "d", "--erasure", "4"]],
  ])("%j ends with code 2 and one line", async (args) => {
    const result = await world.run(args);
    expect(result).toMatchObject({ code: 2, stdout: "", errorCode: "ARGUMENT_INVALID" });
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("is told as JSON when JSON is asked for", async () => {
    const { code, stderr } = await world.run(["frob", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stderr).error).toMatchObject({ kind: "invalid", code: "ARGUMENT_INVALID" });
  });

  it("help and version are no errors", async () => {
    for (const args of [["--help"], ["help", "cp"], ["ls", "-h"]]) {
      const { code, stdout, stderr } = await world.run(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain("Usage: holdfast");
    }
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    expect((await world.run(["--version"])).stdout).toBe(`${version}\n`);
  });
});

describe("the store", () => {
  it("is found in the current folder, by --store and by HOLDFAST_STORE, with paths relative to its file", async () => {
    await world.run(["init", "d1", "--store", "sub/s.json"]);
    expect(existsSync(world.at("sub"))).toBe(false);
    await mkdir(world.at("sub"));
    expect((await world.run(["init", "d1", "sub/d2", "--store", "sub/s.json"])).code).toBe(0);
    expect(JSON.parse(await readFile(world.at("sub/s.json"), "utf8"))).toEqual({ drives: ["../d1", "d2"] });
    expect((await world.run(["mb", "one", "--store", "sub/s.json"])).code).toBe(0);
    expect((await world.run(["ls"], { env: { HOLDFAST_STORE: "sub/s.json" } })).stdout).toBe("one\n");
    expect(await world.run(["ls"])).toMatchObject({ code: 3, errorCode: "STORE_NOT_FOUND" });
  });

  it.each([
    ["{", "SETTINGS_INVALID", 2],
    ["[]", "SETTINGS_INVALID", 2],
    ["null", "SETTINGS_INVALID", 2],
    ['{"drives":"d1"}', "SETTINGS_INVALID", 2],
    ['{"drives":[""]}', "SETTINGS_INVALID", 2],
    ['{"drives":["d1"],"frob":1}', "SETTINGS_INVALID", 2],
    ['{"drives":["d1"]}', "STORE_NOT_FOUND", 3],
  ])("settings %s end with %s", async (text, errorCode, code) => {
    await writeFile(world.at("holdfast.json"), text);
    expect(await world.run(["ls"])).toMatchObject({ code, errorCode, stdout: "" });
    expect(existsSync(world.at("d1"))).toBe(false);
  });

  it("init makes one, refuses to make it again, and can write the settings of one that is there", async () => {
    const made = await world.run(["init", "d1", "d2", "d3", "d4", "d5", "d6", "--erasure", "4+2", "--json"]);
    expect(made.document).toMatchObject({ file: world.at("holdfast.json"), sets: [{ profile: { data: 4, parity: 2 } }] });
    expect(await world.run(["init", "e1"])).toMatchObject({ code: 4, errorCode: "STORE_EXISTS" });
    const drives = ["d1", "d2", "d3", "d4", "d5", "d6"];
    expect(await world.run(["init", ...drives, "--store", "other.json"])).toMatchObject({ code: 4, errorCode: "STORE_EXISTS" });
    expect(existsSync(world.at("other.json"))).toBe(false);
    const found = await world.run(["init", ...drives, "--existing", "--store", "other.json", "--json"]);
    expect(found.document.storeId).toBe(made.document.storeId);
  });

  it("init that fails leaves no settings file", async () => {
    await mkdir(world.at("d1"));
    await writeFile(world.at("d1/precious"), "");
    expect(await world.run(["init", "d1", "d2"])).toMatchObject({ code: 2, errorCode: "DRIVE_NOT_EMPTY" });
    expect(await world.run(["init", "d2", "d3", "--erasure", "4+2"])).toMatchObject({ code: 2, errorCode: "SETTINGS_INVALID" });
    expect(existsSync(world.at("holdfast.json"))).toBe(false);
    expect((await world.run(["init", "--existing", "d2"])).code).toBe(3);
  });
});

describe("drives", () => {
  it("status and verify tell of drives that are away, and too few end with code 5", async () => {
    await world.run(["init", "d1", "d2", "d3"]);
    await world.run(["mb", "files"]);
    await world.run(["put", "-", "files/a"], { stdin: "some text" });
    const { document } = await world.run(["status", "--json"]);
    expect(document).toMatchObject({ writable: true, file: world.at("holdfast.json"), sets: [{ profile: { data: 2, parity: 1 } }] });
    expect((await world.run(["status"])).stdout).toContain("stands the loss of 1");
    expect(await world.run(["verify"])).toMatchObject({ code: 0 });

    await rename(world.at("d2"), world.at("away"));
    const degraded = (await world.run(["status", "--json"])).document;
    expect(degraded.sets[0].drives.map((drive: { state: string }) => drive.state).sort()).toEqual(["offline", "online", "online"]);
    expect((await world.run(["get", "files/a"])).stdout).toBe("some text");

    await rename(world.at("d3"), world.at("away3"));
    expect(await world.run(["get", "files/a"])).toMatchObject({ code: 5, errorCode: "DRIVES_MISSING" });
  });

  it("verify ends with code 1 for what can be repaired and 6 for what cannot", async () => {
    await world.run(["init", "d1", "d2", "d3"]);
    await world.run(["mb", "files"]);
    await world.run(["put", "-", "files/a"], { stdin: "x".repeat(1_000_000) });
    await damageBlob("d1");
    const found = await world.run(["verify", "--no-repair", "--json"]);
    expect(found.code).toBe(1);
    expect(found.document).toMatchObject({ repaired: 0, unrepairable: 0, findings: [{ problem: "damaged", repairable: true }] });
    const repaired = await world.run(["verify", "--json"]);
    expect(repaired.code).toBe(1);
    expect(repaired.document).toMatchObject({ faults: 1, repaired: 1, unrepairable: 0 });
    expect((await world.run(["verify"])).code).toBe(0);
    expect((await world.run(["get", "files/a"])).stdout).toBe("x".repeat(1_000_000));
    await damageBlob("d1");
    await damageBlob("d2");
    const two = await world.run(["verify"]);
    expect(two.code).toBe(6);
    expect(two.stdout).toContain("beyond repair");
    expect(await world.run(["get", "files/a", "out"])).toMatchObject({ code: 6, errorCode: "OBJECT_DAMAGED" });
    expect(existsSync(world.at("out"))).toBe(false);
  });

  async function damageBlob(drive: string): Promise<void> {
    const names = await readdir(world.at(drive), { recursive: true });
    const shard = names.find((name) => name.endsWith(".shard"));
    const path = world.at(drive, shard as string);
    const bytes = await readFile(path);
    // Early in the first piece, behind its header.
    bytes.fill(0x55, bytes.length >> 2, (bytes.length >> 2) + 64);
    await writeFile(path, bytes);
  }
});

describe("an interruption", () => {
  it("ends with the signal's code", async () => {
    await world.run(["init", "d1"]);
    await world.run(["mb", "files"]);
    expect(await world.run(["ls", "files"], { signal: AbortSignal.abort("SIGINT") })).toMatchObject({ code: 130, errorCode: "ABORTED" });
    expect(await world.run(["verify", "--json"], { signal: AbortSignal.abort("SIGTERM") })).toMatchObject({
      code: 143,
      errorCode: "ABORTED",
    });
    expect(await world.run(["ls"])).toMatchObject({ code: 0, stdout: "files\n" });
  });
});

describe("a reader that goes away", () => {
  it("is no error", async () => {
    await world.run(["init", "d1"]);
    expect(await world.run(["mb", "files", "--json"], { readerGone: true })).toMatchObject({ code: 0, stderr: "" });
    expect(await world.run(["put", "-", "files/a"], { stdin: "text", readerGone: true })).toMatchObject({ code: 0, stderr: "" });
    for (const args of [["ls"], ["get", "files/a"], ["stat", "files"]]) {
      expect(await world.run(args, { readerGone: true })).toMatchObject({ code: 0, stderr: "" });
    }
    expect((await world.run(["ls", "files"])).stdout).toBe("a\n");
  });
});

describe("docs/CLI.md", () => {
  it("has every command and every exit code", async () => {
    const page = await readFile(new URL("../../../../docs/CLI.md", import.meta.url), "utf8");
    const { stdout } = await world.run(["--help"]);
    const commands = [...stdout.slice(stdout.indexOf("Commands:")).matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name as string);
    expect(commands.length).toBeGreaterThan(10);
    for (const name of commands) {
      const heading = page.split("\n").some((line) => line.startsWith("### ") && line.includes(`\`holdfast ${name}`));
      expect(heading || name === "help", name).toBe(true);
    }
    const documented = [...page.matchAll(/^\| (\d[\d, ]*) \|/gm)].flatMap(([, codes]) => (codes as string).split(", ").map(Number));
    expect(documented).toEqual(Object.values(exitCodes));
  });
});

describe("errors", () => {
  it("have an exit code for every kind", () => {
    for (const kind of Object.values(errorCodes)) expect(exitCodeOf(kind)).toBeGreaterThan(0);
    expect(errorExitCode(new TypeError("x"))).toBe(exitCodes.failure);
  });

  it("stay on one line, whatever is in them", () => {
    const error = new HoldfastError("KEY_INVALID", "a\nb\u001b[31m");
    expect(errorLine(error, { json: false, name: "x\ry" })).toBe("holdfast: x\\x0dy: a\\x0ab\\x1b[31m (KEY_INVALID)");
    expect(printable("é \u202e\u{1f600}")).toBe("é \\u{202e}\u{1f600}");
  });
});
