import { describe, expect, it } from "vitest";
import { codeOf, createMemoryObjectStore } from "../testing/memory-object-store.ts";
import type { Bucket } from "./bucket.ts";
import type { ListOptions, ListPage } from "./list-objects.ts";

async function open(keys: readonly string[], setCount = 1): Promise<ReturnType<typeof createMemoryObjectStore> & { bucket: Bucket }> {
  const memory = createMemoryObjectStore({ setCount });
  const bucket = await memory.store.createBucket("photos");
  await bucket.putMany(keys.map((key) => ({ key, body: key })));
  await (await memory.store.createBucket("photos2")).put("other", "bucket");
  return { ...memory, bucket };
}

async function names(bucket: Bucket, options: ListOptions): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for await (const entry of bucket.list(options)) found.push(entry.key ?? entry.prefix);
  return found;
}

const tree = ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla"];

describe.each([1, 4])("listing over %d sets", (setCount) => {
  it.each<[ListOptions, string[]]>([
    [{}, ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/bla", "cquux/thud"]],
    [{ delimiter: "/" }, ["asdf", "boo/", "cquux/"]],
    [{ delimiter: "/", prefix: "boo/" }, ["boo/bar", "boo/baz/"]],
    [{ delimiter: "/", prefix: "boo" }, ["boo/"]],
    [{ delimiter: "/b" }, ["asdf", "boo/b", "cquux/b", "cquux/thud"]],
    [{ prefix: "cq" }, ["cquux/bla", "cquux/thud"]],
    [{ startAfter: "boo/bar" }, ["boo/baz/xyzzy", "cquux/bla", "cquux/thud"]],
    [{ startAfter: "asdf", delimiter: "/" }, ["boo/", "cquux/"]],
    [{ startAfter: "boo/", delimiter: "/" }, ["cquux/"]],
    [{ startAfter: "boo/bar", delimiter: "/" }, ["cquux/"]],
    [{ startAfter: "boo/b", delimiter: "/", prefix: "boo/" }, ["boo/bar", "boo/baz/"]],
    [{ startAfter: "zzz" }, []],
    [{ prefix: "none" }, []],
    [{ delimiter: "", prefix: "", startAfter: "" }, ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/bla", "cquux/thud"]],
  ])("answers %j", async (options, expected) => {
    const { bucket } = await open(tree, setCount);
    expect(await names(bucket, options)).toEqual(expected);
  });

  it("pages through thousands of keys and folders", async () => {
    const keys = Array.from({ length: 2500 }, (_, i) => `${i % 7}/${String(i).padStart(5, "0")}`);
    const { bucket } = await open(keys, setCount);
    expect(await names(bucket, {})).toEqual([...keys].sort());
    expect(await names(bucket, { delimiter: "/" })).toEqual(["0/", "1/", "2/", "3/", "4/", "5/", "6/"]);
    const pages: ListPage[] = [];
    for (let token: string | undefined = ""; token !== undefined; token = pages.at(-1)?.continuationToken) {
      pages.push(await bucket.listPage({ continuationToken: token === "" ? undefined : token }));
    }
    expect(pages.map((page) => page.entries.length)).toEqual([1000, 1000, 500]);
  });
});

describe("listing", () => {
  it("sorts by UTF-8 bytes, not by UTF-16 units", async () => {
    const { bucket } = await open(["\u{1f600}", "\uff5e", "z"]);
    expect(await names(bucket, {})).toEqual(["z", "\uff5e", "\u{1f600}"]);
  });

  it("looks at one key per folder, whatever is in it", async () => {
    const { bucket, home } = await open([...Array.from({ length: 1500 }, (_, i) => `big/${i}`), "small/1"]);
    let visited = 0;
    const scan = home.scan.bind(home);
    home.scan = (range, visit) =>
      scan(range, (key, entry) => {
        visited++;
        return visit(key, entry);
      });
    expect(await names(bucket, { delimiter: "/" })).toEqual(["big/", "small/"]);
    expect(visited).toBe(2);
    visited = 0;
    expect((await bucket.listPage({ maxKeys: 10 })).entries).toHaveLength(10);
    expect(visited).toBe(11);
  });

  it("shows what a put was answered for", async () => {
    const { bucket } = await open([]);
    const put = await bucket.put("a", "abc", { checksums: { crc32: true } });
    expect((await bucket.listPage()).entries).toEqual([
      { key: "a", size: 3, etag: put.etag, lastModified: put.lastModified, checksums: put.checksums },
    ]);
  });

  it("gives an empty page for no keys", async () => {
    const { bucket } = await open(tree);
    expect(await bucket.listPage({ maxKeys: 0 })).toEqual({ entries: [], continuationToken: undefined });
  });

  it.each([
    [{ maxKeys: -1 }, "ARGUMENT_INVALID"],
    [{ maxKeys: 1001 }, "ARGUMENT_INVALID"],
    [{ prefix: 7 }, "ARGUMENT_INVALID"],
    [{ delimiter: "\ud800" }, "ARGUMENT_INVALID"],
    [{ continuationToken: "" }, "TOKEN_INVALID"],
    [{ continuationToken: "rubbish" }, "TOKEN_INVALID"],
    [{ continuationToken: "ÄÖ" }, "TOKEN_INVALID"],
  ])("refuses %j", async (options, code) => {
    const { bucket } = await open(tree);
    expect(await codeOf(bucket.listPage(options as never))).toBe(code);
  });

  it("refuses a token of another listing", async () => {
    const { bucket, store } = await open(tree);
    const token = (await bucket.listPage({ maxKeys: 1 })).continuationToken;
    expect((await bucket.listPage({ maxKeys: 1, continuationToken: token })).entries).toMatchObject([{ key: "boo/bar" }]);
    expect(await codeOf(bucket.listPage({ continuationToken: token, delimiter: "/" }))).toBe("TOKEN_INVALID");
    expect(await codeOf(store.bucket("photos2").listPage({ continuationToken: token }))).toBe("TOKEN_INVALID");
  });
});
