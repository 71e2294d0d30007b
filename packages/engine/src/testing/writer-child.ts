/**
 * A process that changes a store until it is killed. It is told what to do by one line on stdin (`WriterOrder`) once it has said
 * `ready`, and reports every operation in the lines of `writer-protocol.ts`. Should it ever read anything but what it was acknowledged,
 * it says so on stderr and ends with code 7.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { systemClock } from "../base/clock.ts";
import { isHoldfastError } from "../base/errors.ts";
import { openStore, type Store } from "../engine.ts";
import { WriterLane } from "./writer-lane.ts";
import type { WriterLine, WriterOrder } from "./writer-protocol.ts";

/** The line is on its way before anything else happens, also when whoever reads is slow. */
function say(line: WriterLine): void {
  let bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  while (bytes.byteLength > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Reports the states of the drives whenever they have changed. */
async function watchDrives(store: Store): Promise<never> {
  let last = "";
  for (;;) {
    const { sets } = await store.status();
    const drives = sets.flatMap((set) => set.drives.map(({ location = "", state }) => ({ location, state })));
    const states = drives.map(({ state }) => state).join();
    if (states !== last) say({ type: "drives", drives });
    last = states;
    await systemClock.sleep(5);
  }
}

async function write(order: WriterOrder): Promise<void> {
  say({ type: "start" });
  const store = await openStore(order.settings);
  const bucket = (await store.buckets()).length === 0 ? await store.createBucket("things") : store.bucket("things");
  say({ type: "open" });
  if (order.watchDrives === true) watchDrives(store).catch(fail);
  let numbers = 0;
  const nextNumber = (): number => numbers++;
  const lanes = Array.from({ length: order.lanes }, (_, lane) => new WriterLane({ bucket, lane, order, say, nextNumber }));
  await Promise.all(lanes.map((lane) => lane.run()));
}

function fail(error: unknown): void {
  if (isHoldfastError(error)) say({ type: "refused", code: error.code, message: error.message });
  writeSync(2, `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(7);
}

say({ type: "ready" });
const input = createInterface({ input: process.stdin });
input.once("line", (line) => {
  input.close();
  process.stdin.unref();
  write(JSON.parse(line) as WriterOrder).catch(fail);
});
