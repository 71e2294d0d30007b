import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openStore } from "../src/engine.ts";

const big = new Uint8Array(3_000_000).map((_, i) => (i * 31 + (i >> 8)) & 0xff);

it("a get says in its stats whether bytes had to be reconstructed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-degraded-"));
  const drives = Array.from({ length: 3 }, (_, i) => join(folder, `d${i}`));
  const degraded = async (): Promise<boolean[]> => {
    await using store = await openStore({ drives, erasure: { data: 2, parity: 1 } });
    const bucket = await store.createBucket("things").catch(() => store.bucket("things"));
    const seen: boolean[] = [];
    for (const [key, body] of [
      ["big", big],
      ...Array.from({ length: 6 }, (_, i) => [`small${i}`, big.subarray(i, i + 1000)] as const),
    ] as const) {
      await bucket.put(key, body, { ifNoneMatch: "*" }).catch(() => undefined);
      const object = await bucket.get(key);
      expect(Buffer.compare(await object.bytes(), body)).toBe(0);
      seen.push(object.stats.degraded);
    }
    return seen;
  };
  try {
    expect(await degraded()).not.toContain(true);
    await rename(drives[1] as string, join(folder, "aside"));
    const without = await degraded();
    expect(without[0]).toBe(true);
    expect(without).toContain(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
