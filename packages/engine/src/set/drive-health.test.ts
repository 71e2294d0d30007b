import { describe, expect, it } from "vitest";
import { HoldfastError } from "../base/errors.ts";
import type { DriveId } from "../base/ids.ts";
import { createMemoryDrive } from "../drive/memory-drive.ts";
import { createFaultDrive, type FaultDrive } from "../testing/fault-drive.ts";
import { createSimulatedClock, type SimulatedClock } from "../testing/simulated-clock.ts";
import {
  type DriveEvidence,
  DriveHealth,
  errorsMax,
  errorWindowMs,
  goodProbesMin,
  isCleared,
  samplesMin,
  slowBoundMs,
  slowFactor,
  slowMsMin,
  suspicion,
  unansweredMsMax,
} from "./drive-health.ts";
import { Member } from "./member.ts";

const well: DriveEvidence = { errors: 0, samples: 64, medianMs: 2, unansweredMs: 0, goodProbes: 0 };
const unknown: DriveEvidence = { ...well, samples: 0, medianMs: 0 };

describe("what makes a drive suspect", () => {
  const slow = { ...well, medianMs: slowFactor * 2 + 1 };
  for (const [what, drive, peers, suspect] of [
    ["nothing", well, [well, well], false],
    ["errors", { ...well, errors: errorsMax }, [well], true],
    ["fewer errors", { ...well, errors: errorsMax - 1 }, [well], false],
    ["a median far above the peers'", slow, [well, well, well], true],
    ["a median just within the bound", { ...well, medianMs: slowFactor * 2 }, [well, well, well], false],
    ["too few samples", { ...slow, samples: samplesMin - 1 }, [well, well], false],
    ["peers of which nothing is known", slow, [unknown, unknown], false],
    ["no peers", slow, [], false],
    ["peers that are as slow", slow, [slow, slow, well], false],
    ["slow beyond quick peers, and still quick", { ...well, medianMs: slowMsMin }, [{ ...well, medianMs: 0.05 }], false],
    ["no answer while others answer", { ...unknown, unansweredMs: unansweredMsMax + 1 }, [well, { ...well, unansweredMs: 900 }], true],
    ["a late answer", { ...well, unansweredMs: unansweredMsMax }, [well], false],
  ] as const) {
    it(`${what}: ${suspect ? "suspect" : "not suspect"}`, () => {
      expect(suspicion(drive, peers) !== undefined).toBe(suspect);
    });
  }

  it("ends after good probes in a row", () => {
    expect(isCleared({ ...well, goodProbes: goodProbesMin - 1 })).toBe(false);
    expect(isCleared({ ...well, goodProbes: goodProbesMin })).toBe(true);
    expect(slowBoundMs([unknown])).toBeUndefined();
    expect(slowBoundMs([{ ...well, medianMs: 100 }])).toBe(slowFactor * 100);
  });
});

describe("drives that come under suspicion", () => {
  function makeSet(count: number, parity: number): { clock: SimulatedClock; drives: FaultDrive[]; members: Member[]; health: DriveHealth } {
    const clock = createSimulatedClock();
    const drives = Array.from({ length: count }, (_, i) => createFaultDrive(createMemoryDrive({ name: `memory:${i}` }), { clock }));
    const members = drives.map((drive, ordinal) => new Member({ ordinal, id: `drive-${ordinal}` as DriveId, drive }));
    const health = new DriveHealth({ members, profile: { data: count - parity, parity }, clock });
    return { clock, drives, members, health };
  }
  const failure = new HoldfastError("DRIVE_IO_ERROR", "it failed");
  const failing = (health: DriveHealth, member: Member): void => {
    for (let i = 0; i < errorsMax; i++) health.noteError(member, failure);
  };
  const statesOf = (members: readonly Member[]): string[] => members.map((member) => member.state);
  /** Lets time pass second by second, with a look in each. */
  async function pass(world: { clock: SimulatedClock; health: DriveHealth }, seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      world.clock.advance(1000);
      world.health.look();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it("are never more than the parity covers, those that are away included", () => {
    const { members, health } = makeSet(6, 2);
    for (const member of members) failing(health, member);
    expect(statesOf(members)).toEqual(["suspect", "suspect", "online", "online", "online", "online"]);
    const other = makeSet(6, 2);
    other.members[5]?.detach("offline", "pulled out");
    for (const member of other.members) failing(other.health, member);
    expect(statesOf(other.members)).toEqual(["suspect", "online", "online", "online", "online", "offline"]);
  });

  it("are only those that are online, for errors within a window and of the drive rather than of a file", async () => {
    const world = makeSet(6, 2);
    const { members, health } = world;
    const [first, second, third] = members as [Member, Member, Member];
    first.transition("failed", "a sync failed");
    failing(health, first);
    for (let i = 0; i < 10; i++) health.noteError(second, new HoldfastError("FILE_NOT_FOUND", "no such file"));
    for (let i = 0; i < 10; i++) {
      health.noteError(third, failure);
      await pass(world, errorWindowMs / 1000 / (errorsMax - 1));
    }
    expect(statesOf(members)).toEqual(["failed", "online", "online", "online", "online", "online"]);
  });

  it("come back after good probes, later each time, and not while the probes fail", async () => {
    const world = makeSet(6, 2);
    const { members, health, drives } = world;
    const [member] = members as [Member];
    drives[0]?.setFaults("list *: error DRIVE_IO_ERROR");
    failing(health, member);
    await pass(world, 20);
    expect(member.state).toBe("suspect");
    drives[0]?.setFaults();
    await drives[0]?.replaceFile("state", new Uint8Array(10));
    await pass(world, goodProbesMin + 1);
    expect(member.state).toBe("online");
    failing(health, member);
    await pass(world, goodProbesMin + 1);
    expect(member.state).toBe("suspect");
    await pass(world, goodProbesMin + 1);
    expect(member.state).toBe("online");
  });

  it("come back as drives that lack something when they do", async () => {
    const world = makeSet(6, 2);
    const [member] = world.members as [Member];
    await world.drives[0]?.replaceFile("state", new Uint8Array(10));
    failing(world.health, member);
    member.lacking.add(3);
    await pass(world, goodProbesMin + 2);
    expect(member.state).toBe("rebuilding");
  });

  it("leave nothing behind for the drive that is put in their place", () => {
    const { members, health } = makeSet(6, 2);
    const [member] = members as [Member];
    for (let i = 1; i < errorsMax; i++) health.noteError(member, failure);
    member.detach("offline", "pulled out");
    return member.left().then(() => {
      member.attach(createMemoryDrive({ name: "memory:new" }), { id: member.id, fresh: false, wholeFrom: 1 });
      member.transition("online", undefined);
      health.noteError(member, failure);
      expect(member.state).toBe("online");
    });
  });

  it("are those that do not answer while others do, not those that come back last when all were stopped", () => {
    for (const othersAnswer of [true, false]) {
      const { clock, members, health } = makeSet(6, 2);
      const [silent, other] = members as [Member, Member];
      const answered = health.noteLate(silent, clock.monotonicMs());
      for (let second = 0; second < 5; second++) {
        clock.advance(1000);
        if (othersAnswer || second === 4) health.noteRead(other, clock.monotonicMs());
        health.look();
      }
      answered();
      clock.advance(1000);
      health.look();
      expect(silent.state).toBe(othersAnswer ? "suspect" : "online");
    }
  });

  it("are those that are slow beyond their peers, measured by what reads take", () => {
    const { clock, members, health } = makeSet(6, 2);
    for (let round = 0; round < 40; round++) {
      members.forEach((member, i) => {
        const startMs = clock.monotonicMs();
        clock.advance(i === 2 ? 60 : 3);
        health.noteRead(member, startMs);
      });
    }
    expect(statesOf(members)).toEqual(["online", "online", "suspect", "online", "online", "online"]);
    health.look();
    expect(health.hedgeMs).toBe(9);
  });
});
