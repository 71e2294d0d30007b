/** Stores and other processes: locks, crashes, other users. */
import { chmod, chown, mkdir } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CompiledScript, compileForChild } from "../src/testing/compile-for-child.ts";
import { type RunningChild, startChild } from "../src/testing/run-child.ts";
import type { ChildAnswer } from "../src/testing/store-child.ts";
import { makeTemporaryStore, refusal, type TemporaryStore } from "../src/testing/temporary-store.ts";

let script: CompiledScript;
let place: TemporaryStore;
const children: RunningChild[] = [];
beforeAll(async () => {
  script = await compileForChild("testing/store-child.ts");
});
afterAll(() => script.remove());
beforeEach(async () => {
  place = await makeTemporaryStore(3);
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await place.remove();
});

function start(mode: "open" | "hold", userId?: number): RunningChild {
  const child = startChild(
    script.path,
    [mode, JSON.stringify({ drives: place.drives, threads: 0 })],
    userId === undefined ? {} : { userId },
  );
  children.push(child);
  return child;
}

async function answerOf(child: RunningChild): Promise<ChildAnswer> {
  const line = await child.nextLine();
  if (line === undefined) throw new Error(`the child said nothing: ${(await child.ended()).stderr}`);
  return JSON.parse(line) as ChildAnswer;
}

describe("a store that is open", () => {
  it("is refused to another process, by the name of this one", async () => {
    const store = await place.open();
    const answer = await answerOf(start("open"));
    expect(answer.code).toBe("STORE_LOCKED");
    expect(answer.message).toContain(String(process.pid));
    await (await store.createBucket("things")).put("a", "undisturbed");
    await store.close();
    expect((await answerOf(start("open"))).states).toEqual(["online", "online", "online"]);
  });

  it("is refused to this process, by the name of the other one, until that has crashed", async () => {
    const child = start("hold");
    expect((await answerOf(child)).states).toEqual(["online", "online", "online"]);
    const error = await refusal(place.open(), "STORE_LOCKED", `process ${child.pid}`, place.drive(1), "close the store there");
    expect(error.details).toMatchObject({ pid: child.pid, drive: place.drive(1) });
    await child.kill();
    const store = await place.open();
    await (await store.createBucket("things")).put("a", "taken over");
  });

  it("is refused also by way of one of its drives, and the others are left unlocked", async () => {
    const child = start("hold");
    await answerOf(child);
    await refusal(place.open({ drives: [`${place.folder}/x`, place.drive(3)] }), "STORE_LOCKED", place.drive(3));
    await child.kill();
    await (await place.open()).close();
  });

  it("is refused a second time in this process", async () => {
    const store = await place.open();
    await refusal(place.open(), "STORE_LOCKED", "this process", String(process.pid));
    await store.close();
    await (await place.open()).close();
  });
});

const someUser = 65_534;
const whyNot = process.getuid?.() === 0 ? undefined : "becoming another user takes root";
if (whyNot !== undefined) it(`drives this user may not read are not tried here: ${whyNot}`, () => {});

describe.runIf(whyNot === undefined)("drives another user may not read or write", () => {
  beforeEach(async () => {
    await chmod(place.folder, 0o777);
    for (const drive of place.drives) {
      await mkdir(drive);
      await chown(drive, someUser, someUser);
    }
  });

  it("are done without, up to the parity, and named", async () => {
    expect((await answerOf(start("open", someUser))).states).toEqual(["online", "online", "online"]);
    await chmod(place.drive(2), 0o000);
    const unreadable = await answerOf(start("open", someUser));
    expect(unreadable.states).toEqual(["online", "offline", "online"]);
    expect(unreadable.reasons?.join()).toContain(`${place.drive(2)} cannot be read`);
    expect(unreadable.reasons?.join()).toContain("give this user the right to read it");
    await chmod(place.drive(2), 0o500);
    const unwritable = await answerOf(start("open", someUser));
    expect(unwritable.states).toEqual(["online", "failed", "online"]);
    expect(unwritable.reasons?.join()).toContain("give this user the right to write to it");
    await chmod(place.drive(2), 0o000);
    await chmod(place.drive(1), 0o000);
    expect(await answerOf(start("open", someUser))).toMatchObject({
      code: "DRIVES_MISSING",
      message: expect.stringContaining(place.drive(1)),
    });
  });

  it("are no place for a new store", async () => {
    await chmod(place.drive(2), 0o000);
    expect(await answerOf(start("open", someUser))).toMatchObject({
      code: "DRIVE_UNREADABLE",
      message: expect.stringContaining(place.drive(2)),
    });
    await chmod(place.drive(2), 0o500);
    expect(await answerOf(start("open", someUser))).toMatchObject({
      code: "DRIVE_UNWRITABLE",
      message: expect.stringContaining(place.drive(2)),
    });
  });
});
