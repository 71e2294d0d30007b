/** Buckets and objects by the command: put, get, ls, stat, rm, mb, rb. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CommandWorld, makeCommandWorld } from "../testing/command-world.ts";

let world: CommandWorld;
beforeEach(async () => {
  world = await makeCommandWorld({ drives: 3 });
  await world.run(["mb", "files"]);
});
afterEach(() => world.remove());

describe("buckets", () => {
  it("are made, listed, shown and removed", async () => {
    const made = await world.run(["mb", "hf://kept", "--versioning", "--erasure", "1+1", "--json"]);
    expect(made.document).toMatchObject({ name: "kept", versioning: "enabled", erasure: { data: 1, parity: 1 } });
    expect((await world.run(["ls"])).stdout).toBe("files\nkept\n");
    expect((await world.run(["ls", "-l"])).stdout).toMatch(/^\S+Z {2}files\n\S+Z {2}kept {2}versioning enabled {2}1\+1\n$/);
    expect((await world.run(["ls", "--json"])).entries.map(({ name }) => name)).toEqual(["files", "kept"]);
    expect((await world.run(["stat", "files"])).stdout).toContain("versioning: off");
    expect((await world.run(["rb", "kept", "--json"])).document).toEqual({ removed: "kept" });
  });

  it("are refused with the code of the error's kind", async () => {
    expect(await world.run(["mb", "files"])).toMatchObject({ code: 4, errorCode: "BUCKET_EXISTS" });
    expect(await world.run(["mb", "No"])).toMatchObject({ code: 2, errorCode: "BUCKET_NAME_INVALID" });
    expect(await world.run(["mb", "files/x"])).toMatchObject({ code: 2, errorCode: "ARGUMENT_INVALID" });
    expect(await world.run(["rb", "none"])).toMatchObject({ code: 3, errorCode: "BUCKET_NOT_FOUND" });
    await world.run(["put", "-", "files/a"], { stdin: "" });
    expect(await world.run(["rb", "files"])).toMatchObject({ code: 4, errorCode: "BUCKET_NOT_EMPTY" });
    expect(await world.run(["ls", "none"])).toMatchObject({ code: 3, errorCode: "BUCKET_NOT_FOUND" });
  });
});

describe("put and get", () => {
  it("carry bytes from and to files and streams", async () => {
    const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, i) => (i * 7) & 0xff));
    await writeFile(world.at("in.bin"), bytes);
    const put = await world.run(["put", "in.bin", "files/folder/", "--content-type", "a/b", "--meta", "x=1", "--meta", "y=a=b", "--json"]);
    expect(put.document).toMatchObject({ bucket: "files", key: "folder/in.bin", size: bytes.length });
    expect((await world.run(["get", "files/folder/in.bin"])).bytes.equals(bytes)).toBe(true);
    const got = await world.run(["get", "hf://files/folder/in.bin", "out.bin", "--json"]);
    expect(got.document).toMatchObject({ size: bytes.length, written: bytes.length, contentType: "a/b", metadata: { x: "1", y: "a=b" } });
    expect((await readFile(world.at("out.bin"))).equals(bytes)).toBe(true);
    expect((await world.run(["stat", "files/folder/in.bin"])).stdout).toContain("metadata.y: a=b\n");
    expect((await world.run(["put", "-", "files/s"], { stdin: "streamed" })).code).toBe(0);
    expect((await world.run(["get", "files/s", "-"])).stdout).toBe("streamed");
  });

  it("take ranges", async () => {
    await world.run(["put", "-", "files/a"], { stdin: "0123456789" });
    const range = async (text: string) => (await world.run(["get", "files/a", "--range", text])).stdout;
    expect([await range("2-4"), await range("7-"), await range("-3"), await range("0-99")]).toEqual(["234", "789", "789", "0123456789"]);
    expect(await world.run(["get", "files/a", "--range", "x"])).toMatchObject({ code: 2, errorCode: "ARGUMENT_INVALID" });
    expect(await world.run(["get", "files/a", "--range", "10-"])).toMatchObject({ code: 2, errorCode: "RANGE_NOT_SATISFIABLE" });
    expect((await world.run(["get", "files/a", "part", "--range", "1-2", "--json"])).document).toMatchObject({
      range: { start: 1, end: 2 },
      written: 2,
    });
  });

  it("replace a file as a whole or leave it alone, and follow a link somebody named", async () => {
    await world.run(["put", "-", "files/a"], { stdin: "new" });
    await writeFile(world.at("target"), "old");
    await symlink("target", world.at("link"));
    expect((await world.run(["get", "files/a", "link"])).code).toBe(0);
    expect(await readFile(world.at("target"), "utf8")).toBe("new");
    expect(await world.run(["get", "files/none", "target"])).toMatchObject({ code: 3, errorCode: "OBJECT_NOT_FOUND" });
    expect(await readFile(world.at("target"), "utf8")).toBe("new");
    expect(await world.run(["get", "files/a", "."])).toMatchObject({ code: 2 });
    expect(await world.run(["get", "files/a", "no/such/folder"])).toMatchObject({ code: 3, errorCode: "FILE_NOT_FOUND" });
    expect((await readdir(world.folder)).filter((name) => name.includes("holdfast-part"))).toEqual([]);
  });

  it("refuse what cannot be", async () => {
    await mkdir(world.at("folder"));
    expect(await world.run(["put", "none", "files/a"])).toMatchObject({ code: 3, errorCode: "FILE_NOT_FOUND" });
    expect(await world.run(["put", "folder", "files/a"])).toMatchObject({ code: 2, errorCode: "ARGUMENT_INVALID" });
    expect(await world.run(["put", "-", "files/"], { stdin: "" })).toMatchObject({ code: 2, errorCode: "ARGUMENT_INVALID" });
    expect(await world.run(["put", "-", `files/${"k".repeat(1025)}`], { stdin: "" })).toMatchObject({ code: 2, errorCode: "KEY_INVALID" });
    expect(await world.run(["put", "-", "files/a", "--meta", "nothing"], { stdin: "" })).toMatchObject({ code: 2 });
    expect(await world.run(["get", "files/a", "--json"])).toMatchObject({ code: 2, errorCode: "ARGUMENT_INVALID" });
    await world.run(["put", "-", "files/a"], { stdin: "1" });
    expect(await world.run(["put", "-", "files/a", "--keep"], { stdin: "2" })).toMatchObject({ code: 4, errorCode: "PRECONDITION_FAILED" });
    expect((await world.run(["get", "files/a"])).stdout).toBe("1");
    expect(existsSync(world.at("a"))).toBe(false);
  });
});

describe("ls and rm", () => {
  beforeEach(async () => {
    for (const key of ["a", "b/1", "b/2", "b/c/3", "line\nbreak"]) await world.run(["put", "-", `files/${key}`], { stdin: key });
  });

  it("list folder by folder, or everything", async () => {
    expect((await world.run(["ls", "files"])).stdout).toBe("a\nb/\nline\\x0abreak\n");
    expect((await world.run(["ls", "files/b/"])).stdout).toBe("b/1\nb/2\nb/c/\n");
    expect((await world.run(["ls", "-r", "files/b/"])).stdout).toBe("b/1\nb/2\nb/c/3\n");
    expect((await world.run(["ls", "-l", "files/b/"])).stdout).toMatch(/^ +3 {2}\S+Z {2}b\/1\n[^\n]+b\/2\n +folder +b\/c\/\n$/);
    const entries = (await world.run(["ls", "files", "--json"])).entries;
    expect(entries.map(({ key, prefix }) => key ?? prefix)).toEqual(["a", "b/", "line\nbreak"]);
    expect(entries[0]).toMatchObject({ size: 1, etag: expect.stringMatching(/^[0-9a-f]{32}$/), lastModified: expect.stringMatching(/Z$/) });
    expect(await world.run(["ls", "files/none"])).toMatchObject({ code: 0, stdout: "" });
  });

  it("delete one, a folder, a bucket's content", async () => {
    expect((await world.run(["rm", "files/a", "--json"])).document).toMatchObject({ key: "a", deleted: 1 });
    expect(await world.run(["rm", "files/a"])).toMatchObject({ code: 3, errorCode: "OBJECT_NOT_FOUND" });
    expect(await world.run(["rm", "-f", "files/a"])).toMatchObject({ code: 0 });
    expect(await world.run(["rm", "files"])).toMatchObject({ code: 2 });
    expect((await world.run(["rm", "-r", "files/b/c"])).stdout).toBe("deleted 1 object\n");
    expect(await world.run(["rm", "-r", "files/b/c"])).toMatchObject({ code: 3, errorCode: "OBJECT_NOT_FOUND" });
    expect((await world.run(["rm", "-r", "files", "--json"])).document).toMatchObject({ deleted: 3, failed: 0 });
    expect(await world.run(["rb", "files"])).toMatchObject({ code: 0 });
  });

  it("delete versions for good", async () => {
    await world.run(["mb", "kept", "--versioning"]);
    const first = (await world.run(["put", "-", "kept/a", "--json"], { stdin: "1" })).document.versionId;
    await world.run(["put", "-", "kept/a"], { stdin: "2" });
    expect((await world.run(["rm", "kept/a", "--json"])).document).toMatchObject({ deleteMarker: true });
    expect(await world.run(["get", "kept/a"])).toMatchObject({ code: 3 });
    expect((await world.run(["get", "kept/a", "--version-id", first])).stdout).toBe("1");
    expect(await world.run(["rb", "kept"])).toMatchObject({ code: 4 });
    expect((await world.run(["rm", "-r", "--versions", "kept", "--json"])).document).toMatchObject({ deleted: 3, failed: 0 });
    expect(await world.run(["rb", "kept"])).toMatchObject({ code: 0 });
  });
});
