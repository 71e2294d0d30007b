import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStore } from "./engine.ts";

let folder: string;
let drives: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-engine-"));
  drives = Array.from({ length: 6 }, (_, i) => join(folder, `d${i + 1}`));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const big = new Uint8Array(3_000_000).map((_, i) => (i * 31 + (i >> 8)) & 0xff);

describe("a store on six drives", () => {
  it("keeps small and large objects over a reopen, and without two of its drives", async () => {
    const store = await openStore({ drives, erasure: { data: 4, parity: 2 } });
    const photos = await store.createBucket("photos");
    await photos.put("2026/cat.jpg", "meow", { contentType: "image/jpeg", ifNoneMatch: "*" });
    await photos.put("2026/big.bin", big);
    const status = await store.status();
    expect(status.writable).toBe(true);
    expect((await store.verify()).faults).toBe(0);
    await store.close();

    await rename(drives[0] as string, join(folder, "aside-1"));
    await rename(drives[3] as string, join(folder, "aside-2"));
    const degraded = await openStore({ drives });
    const again = degraded.bucket("photos");
    expect(await (await again.get("2026/cat.jpg")).text()).toBe("meow");
    expect(Buffer.compare(await (await again.get("2026/big.bin")).bytes(), big)).toBe(0);
    await again.put("written-degraded", "still here");
    const keys: (string | undefined)[] = [];
    for await (const entry of again.list()) keys.push(entry.key);
    expect(keys).toEqual(["2026/big.bin", "2026/cat.jpg", "written-degraded"]);
    await degraded.close();

    await rename(join(folder, "aside-1"), drives[0] as string);
    await rename(join(folder, "aside-2"), drives[3] as string);
    const whole = await openStore({ drives });
    expect(await (await whole.bucket("photos").get("written-degraded")).text()).toBe("still here");
    await whole.close();
  });

  it("lives in memory only when asked to", async () => {
    await using store = await openStore({ memory: true });
    const notes = await store.createBucket("notes");
    await notes.put("a", "1");
    expect(await (await notes.get("a")).text()).toBe("1");
  });

  it("can be kept from opening by a signal, and opens afterwards", async () => {
    const store = await openStore({ drives });
    await (await store.createBucket("notes")).put("a", "1");
    await store.close();
    await rm(join(drives[0] as string, "index"), { recursive: true });
    const during = new AbortController();
    await expect(openStore({ drives }, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    await expect(openStore({ drives }, { signal: during.signal, onRecovery: () => during.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
    await using again = await openStore({ drives });
    expect(await (await again.bucket("notes").get("a")).text()).toBe("1");
  });

  it("is opened by one at a time", async () => {
    const store = await openStore({ drives });
    await expect(openStore({ drives })).rejects.toMatchObject({ code: "STORE_LOCKED", details: { pid: process.pid } });
    await store.close();
    await (await openStore({ drives })).close();
  });
});
