import { describe, expect, it } from "vitest";
import { KiB } from "../base/units.ts";
import { participants } from "../format/layout.ts";
import { decodePackedLocation } from "../format/packed-location.ts";
import { bodyOf, expectBodies, keyOf, namesOf, put, remove } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import { compactSet } from "./compact-set.ts";
import type { OpenSet } from "./open-set.ts";
import { recodeSet } from "./recode-set.ts";

const profile = { data: 4, parity: 2 };
const settings = { packBytesMax: 16 * KiB, batchOperationsMax: 4 };

function layouts(set: OpenSet): string[] {
  const shapes = namesOf(set).map((name) => {
    const { layout } = decodePackedLocation(set.get(keyOf(name))?.payload as Uint8Array);
    return `${layout.data}+${layout.parity}`;
  });
  return [...new Set(shapes)].sort();
}

async function filled(set: OpenSet, prefix: string): Promise<Map<string, Uint8Array>> {
  const bodies = new Map(Array.from({ length: 30 }, (_, i) => [`${prefix}${i}`, bodyOf(`${prefix}${i}`, 900)]));
  await Promise.all([...bodies].map(([name, body]) => put(set, name, body)));
  return bodies;
}

describe("payloads that lie otherwise than wanted", () => {
  it("are brought to full width when the drives are back", async () => {
    const drives = await createSetDrives(6);
    let set = await openTestSet([undefined, undefined, ...drives.slice(2)], { profile, settings });
    const bodies = await filled(set, "n");
    expect(layouts(set)).toEqual(["2+2"]);
    const nothing = await recodeSet(set, () => undefined, {});
    expect(nothing).toMatchObject({ entries: 0, bytes: 0 });
    await set.close();
    set = await openTestSet(drives, { profile, settings });
    expect((await recodeSet(set, () => undefined, {})).entries).toBe(30);
    expect(layouts(set)).toEqual(["4+2"]);
    await expectBodies(set, bodies);
    await compactSet(set, { target: 1.2, slackBytes: 0 });
    await expectBodies(set, bodies);
    await set.close();
    // Two other drives may go now.
    set = await openTestSet([...drives.slice(0, 4), undefined, undefined], { profile, settings });
    await expectBodies(set, bodies);
    await set.close();
  });

  it("are coded as their keys want it, and again otherwise, wherever one goes on", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings });
    const bodies = await filled(set, "a");
    for (const [name, body] of await filled(set, "b")) bodies.set(name, body);
    const wanted = (key: Uint8Array) => (key[1] === "b".charCodeAt(0) ? { data: 2, parity: 3 } : undefined);
    const first = await recodeSet(set, wanted, { start: keyOf("b15") });
    expect(first.entries).toBeGreaterThan(0);
    expect(layouts(set)).toEqual(["2+3", "4+2"]);
    expect((await recodeSet(set, wanted, {})).entries).toBe(30 - first.entries);
    expect((await recodeSet(set, wanted, {})).entries).toBe(0);
    await expectBodies(set, bodies);
    await set.close();
  });

  it("leave a drive that is being emptied", async () => {
    const drives = await createSetDrives(7);
    const set = await openTestSet(drives, { profile, settings });
    const bodies = await filled(set, "d");
    const emptied = set.context.members[3];
    if (emptied !== undefined) emptied.draining = true;
    await recodeSet(set, () => undefined, {});
    for (const name of namesOf(set)) {
      const { layout } = decodePackedLocation(set.get(keyOf(name))?.payload as Uint8Array);
      expect(participants(layout)).not.toContain(3);
    }
    await remove(set, "d0");
    bodies.delete("d0");
    await expectBodies(set, bodies);
    await set.close();
  });
});
