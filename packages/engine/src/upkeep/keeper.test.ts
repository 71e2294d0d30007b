import { describe, expect, it } from "vitest";
import { HoldfastError } from "../base/errors.ts";
import { createSimulatedClock } from "../testing/simulated-clock.ts";
import { EventLog, type StoreEvent } from "./events.ts";
import { Keeper, type KeeperParts, type UpkeepTask } from "./keeper.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function keeperOf(tasks: readonly UpkeepTask[], parts: Partial<KeeperParts> = {}) {
  const clock = createSimulatedClock();
  const troubles: string[] = [];
  const keeper = new Keeper({
    clock,
    tasks,
    watch: async () => undefined,
    watchEveryMs: 1000,
    workEveryMs: 5000,
    onTrouble: (task, error) => troubles.push(`${task}: ${(error as Error).message}`),
    ...parts,
  });
  return { clock, keeper, troubles };
}

describe("a keeper", () => {
  it("asks the more important tasks again when a later one has done something", async () => {
    const asked: string[] = [];
    const answers = [true, false, false];
    const task = (name: string, run: () => boolean): UpkeepTask => ({
      name,
      run: async () => {
        asked.push(name);
        return run();
      },
    });
    const { keeper } = keeperOf([task("a", () => false), task("b", () => answers.shift() === true), task("c", () => false)]);
    await keeper.round(new AbortController().signal);
    expect(asked).toEqual(["a", "b", "a", "b", "c"]);
  });

  it("tells of trouble and goes on; being ended is none", async () => {
    const fails = (code: "DRIVE_FULL" | "ABORTED"): UpkeepTask => ({
      name: code,
      run: () => Promise.reject(new HoldfastError(code, "so it is")),
    });
    const done: string[] = [];
    const last: UpkeepTask = {
      name: "last",
      run: async () => {
        done.push("last");
        return false;
      },
    };
    const { keeper, troubles } = keeperOf([fails("DRIVE_FULL"), fails("ABORTED"), last]);
    await keeper.round(new AbortController().signal);
    expect(troubles).toEqual(["DRIVE_FULL: so it is"]);
    expect(done).toEqual(["last"]);
  });

  it("looks at the drives and works by the clock, sooner when nudged, and never after it was stopped", async () => {
    const counts = { looks: 0, rounds: 0 };
    const task: UpkeepTask = {
      name: "work",
      run: async () => {
        counts.rounds++;
        return false;
      },
    };
    const { keeper, clock } = keeperOf([task], { watch: async () => void counts.looks++ });
    keeper.start();
    for (let second = 0; second < 4; second++) {
      clock.advance(1000);
      await turn();
    }
    expect(counts).toEqual({ looks: 5, rounds: 0 });
    keeper.nudge();
    await turn();
    expect(counts.rounds).toBe(1);
    clock.advance(5000);
    await turn();
    expect(counts.rounds).toBe(2);
    await keeper.stop();
    clock.advance(60_000);
    keeper.nudge();
    await turn();
    expect(counts).toEqual({ looks: 6, rounds: 2 });
  });

  it("ends what is under way when it is stopped", async () => {
    let ended = false;
    const endless: UpkeepTask = {
      name: "endless",
      run: (signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            ended = true;
            resolve(true);
          });
        }),
    };
    const { keeper } = keeperOf([endless]);
    const round = keeper.round(new AbortController().signal);
    await turn();
    await keeper.stop();
    await round;
    expect(ended).toBe(true);
  });
});

describe("the log of events", () => {
  it("keeps the last hundred and hands every one to who listens", () => {
    let nowMs = 0;
    const log = new EventLog(() => nowMs++);
    const heard: StoreEvent[] = [];
    const end = log.subscribe((event) => heard.push(event));
    for (let i = 0; i < 150; i++) log.tell({ type: "uploads", aborted: i });
    end();
    log.tell({ type: "uploads", aborted: 999 });
    expect(heard).toHaveLength(150);
    expect(heard[149]).toEqual({ type: "uploads", aborted: 149, timeMs: 149 });
    expect(log.recent).toHaveLength(100);
    expect(log.recent.at(-1)).toMatchObject({ aborted: 999 });
  });
});
