import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { errorCodes } from "../base/errors.ts";
import { createMemoryDrive } from "../drive/memory-drive.ts";
import { describeDriveContract, describeFullDrive, expectCode } from "./drive-contract.ts";
import { createFaultDrive, type FaultDrive } from "./fault-drive.ts";
import { type FaultRule, formatFaultRule, parseFaultRule } from "./fault-rule.ts";
import { driveOperations } from "./intercept-drive.ts";
import { recordDrive } from "./record-drive.ts";

describeDriveContract("a recorded fault drive without faults", async () => {
  const inner = createMemoryDrive({ name: "memory:1" });
  const drive = recordDrive(createFaultDrive(inner), []);
  return { drive, reopen: async () => createFaultDrive(await inner.reopen()), cleanUp: () => drive.close() };
});
describeFullDrive("a fault drive without faults", async () => {
  const drive = createFaultDrive(createMemoryDrive({ name: "memory:1", capacityBytes: 1 << 20 }));
  return { drive, reopen: async () => drive, cleanUp: () => drive.close() };
});

const bytes = Uint8Array.of(1, 2, 3, 4);

async function makeDrive(...faults: string[]): Promise<{ drive: FaultDrive; clock: ReturnType<typeof createManualClock> }> {
  const clock = createManualClock();
  const drive = createFaultDrive(createMemoryDrive({ name: "memory:1" }), { clock });
  await drive.replaceFile("packs/0001", bytes);
  await drive.replaceFile("label", bytes);
  drive.setFaults(...faults);
  return { drive, clock };
}

describe("rules", () => {
  const rule: fc.Arbitrary<FaultRule> = fc.record({
    operation: fc.constantFrom(...driveOperations, "any" as const),
    pattern: fc.stringMatching(/^[a-z0-9._*/-]{1,12}$/),
    when: fc.oneof(
      fc.constant({ kind: "every" } as const),
      fc.record({ kind: fc.constantFrom("nth", "from"), n: fc.integer({ min: 1, max: 1e6 }) }),
      fc.record({ kind: fc.constant("chance"), percent: fc.integer({ min: 0, max: 1000 }).map((n) => n / 10) }),
    ),
    fault: fc.oneof(
      fc.constantFrom({ kind: "lose" } as const, { kind: "offline" } as const, { kind: "flip" } as const),
      fc.record({ kind: fc.constant("error"), code: fc.constantFrom(...(Object.keys(errorCodes) as (keyof typeof errorCodes)[])) }),
      fc.record({ kind: fc.constant("torn"), lengthBytes: fc.nat() }),
      fc.record({ kind: fc.constant("flip"), bit: fc.nat() }),
      fc.record({ kind: fc.constant("delay"), ms: fc.nat() }),
    ),
  });

  test("a printed rule reads back as itself", () => {
    fc.assert(
      fc.property(rule, (one) => {
        expect(parseFaultRule(formatFaultRule(one))).toEqual(one);
      }),
    );
  });

  test.each([
    "",
    "sync",
    "sync *",
    "sync *: explode",
    "sync *: error NO_SUCH_CODE",
    "sync * 2nd: lose",
    "sync *: torn",
    "sync *: torn x",
    "fly *: lose",
  ])("%j is no rule", (line) => expectCode((async () => parseFaultRule(line))(), "ARGUMENT_INVALID"));

  test("they match by operation, file and count", async () => {
    const { drive } = await makeDrive("readFile packs/* #2: error DRIVE_IO_ERROR", "readFile lab*: error DRIVE_UNREADABLE");
    await drive.readFile("packs/0001");
    await expectCode(drive.readFile("packs/0001"), "DRIVE_IO_ERROR");
    await drive.readFile("packs/0001");
    await expectCode(drive.readFile("label"), "DRIVE_UNREADABLE");
    expect(drive.fired).toEqual([
      "readFile packs/0001 <- readFile packs/* #2: error DRIVE_IO_ERROR",
      "readFile label <- readFile lab*: error DRIVE_UNREADABLE",
    ]);
  });

  test("chance follows the seed", async () => {
    const run = async (seed: number): Promise<string> => {
      const drive = createFaultDrive(createMemoryDrive({ name: "memory:1" }), { seed, faults: ["list * 30%: error DRIVE_IO_ERROR"] });
      const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => drive.list("")));
      return outcomes.map((outcome) => outcome.status[0]).join("");
    };
    expect(await run(7)).toBe(await run(7));
    expect(await run(7)).not.toBe(await run(8));
  });
});

describe("faults", () => {
  test.each(["sync", "writeDurable", "replaceFile", "finish"] as const)(
    "a failed %s fails the drive: no more changes, reads go on",
    async (operation) => {
      const { drive } = await makeDrive(`${operation} * #1: error DRIVE_IO_ERROR`);
      const file = await drive.open("packs/0001", { create: false });
      const fresh = await drive.create("b/1");
      const calls = {
        sync: () => file.sync(),
        writeDurable: () => file.writeDurable(0, [bytes]),
        replaceFile: () => drive.replaceFile("label", bytes),
        finish: () => fresh.finish(),
      };
      await expectCode(calls[operation](), "DRIVE_IO_ERROR");
      expect(drive.failure).toMatchObject({ code: "DRIVE_IO_ERROR" });
      await expectCode(file.write(0, [bytes]), "DRIVE_FAILED");
      await expectCode(file.sync(), "DRIVE_FAILED");
      await expectCode(file.truncate(0), "DRIVE_FAILED");
      await expectCode(drive.replaceFile("x", bytes), "DRIVE_FAILED");
      await expectCode(drive.remove("label"), "DRIVE_FAILED");
      await expectCode(drive.open("y", { create: true }), "DRIVE_FAILED");
      await expectCode(drive.create("b/2"), "DRIVE_FAILED");
      await fresh.abort();
      expect(await drive.readFile("label")).toEqual(bytes);
      expect(await drive.list("b")).toEqual([]);
      expect(await file.read(0, new Uint8Array(4))).toBe(4);
    },
  );

  test("no space fails a write and not the drive, but a sync and the drive", async () => {
    const { drive } = await makeDrive("write * #1: error DRIVE_FULL", "writeDurable * #1: error DRIVE_FULL", "sync * #1: error DRIVE_FULL");
    const file = await drive.open("packs/0001", { create: false });
    await expectCode(file.write(0, [bytes]), "DRIVE_FULL");
    await expectCode(file.writeDurable(0, [bytes]), "DRIVE_FULL");
    expect(drive.failure).toBeUndefined();
    await expectCode(file.sync(), "DRIVE_FULL");
    expect(drive.failure).toBeDefined();
  });

  test("torn writes leave the first bytes", async () => {
    const { drive } = await makeDrive("write * #1: torn 3", "append * #1: torn 1");
    const file = await drive.open("packs/0001", { create: false });
    await expectCode(file.write(4, [bytes.subarray(0, 2), bytes.subarray(2)]), "DRIVE_IO_ERROR");
    expect(await drive.readFile("packs/0001")).toEqual(Uint8Array.of(1, 2, 3, 4, 1, 2, 3));
    const fresh = await drive.create("b/1");
    await expectCode(fresh.write([bytes]), "DRIVE_IO_ERROR");
    await fresh.abort();
  });

  test("a flipped bit is in what was read, not in what is stored", async () => {
    const { drive } = await makeDrive("read * #1: flip 8", "readFile * #1: flip 0");
    const file = await drive.open("packs/0001", { create: false });
    const into = new Uint8Array(10);
    expect(await file.read(0, into)).toBe(4);
    expect(into.subarray(0, 4)).toEqual(Uint8Array.of(1, 3, 3, 4));
    expect(await drive.readFile("label")).toEqual(Uint8Array.of(0, 2, 3, 4));
    expect(await drive.readFile("label")).toEqual(bytes);
  });

  test("a bit flipped on the way in is stored, and the caller's buffer is as it was", async () => {
    const { drive } = await makeDrive("writeDurable * #1: flip 1");
    const file = await drive.open("packs/0001", { create: false });
    await file.writeDurable(0, [bytes]);
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(await drive.readFile("packs/0001")).toEqual(Uint8Array.of(3, 2, 3, 4));
  });

  test("a lost write is confirmed and not made", async () => {
    const { drive } = await makeDrive("writeDurable * #1: lose");
    const file = await drive.open("packs/0001", { create: false });
    await file.writeDurable(0, [Uint8Array.of(9)]);
    expect(await drive.readFile("packs/0001")).toEqual(bytes);
  });

  test("offline, everything fails until the drive comes back", async () => {
    const { drive } = await makeDrive("list * #2: offline");
    const file = await drive.open("packs/0001", { create: false });
    const fresh = await drive.create("b/1");
    await drive.list("");
    await expectCode(drive.list(""), "DRIVE_UNREADABLE");
    await expectCode(file.read(0, new Uint8Array(1)), "DRIVE_UNREADABLE");
    await expectCode(file.writeDurable(0, [bytes]), "DRIVE_UNREADABLE");
    await fresh.abort();
    expect(drive.failure).toBeUndefined();
    drive.comeBack();
    await file.writeDurable(0, [bytes]);
    drive.goOffline();
    await expectCode(drive.space(), "DRIVE_UNREADABLE");
  });

  test("delays run on the drive's clock", async () => {
    const { drive, clock } = await makeDrive("list *: delay 250");
    await drive.list("packs");
    await drive.list("packs");
    expect(clock.monotonicMs()).toBe(500);
  });
});

test("a transcript shows the changes in their order, and what failed", async () => {
  const lines: string[] = [];
  const faulty = createFaultDrive(createMemoryDrive({ name: "memory:1" }), { faults: ["sync * #2: error DRIVE_IO_ERROR"] });
  const drive = recordDrive(faulty, lines, { prefix: "d1 " });
  await drive.replaceFile("label", bytes);
  const file = await drive.open("packs/0001", { create: true });
  await file.write(128, [bytes, bytes]);
  await file.sync();
  await file.read(0, new Uint8Array(10));
  await file.truncate(130);
  await expectCode(file.sync(), "DRIVE_IO_ERROR");
  expect(lines).toEqual([
    "d1 replaceFile label +4",
    "d1 open packs/0001 create",
    "d1 write packs/0001 @128 +8",
    "d1 sync packs/0001",
    "d1 truncate packs/0001 @130",
    "d1 sync packs/0001 ! DRIVE_IO_ERROR",
  ]);
});
