/**
 * A process that wants a drive, for the lock's tests. `race PATH WINS` takes and releases the lock until it has won so often, and exits
 * with 3 when anybody else owned the drive meanwhile; `hold PATH` takes it, says so and stays.
 */
import { closeSync, openSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { isHoldfastError } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import { type DriveLock, lockDrive, thisProcess } from "../drive/lock-drive.ts";

const [mode = "", path = "", wins = "1"] = process.argv.slice(2);
const holder = await thisProcess();

async function tryLock(): Promise<DriveLock | undefined> {
  try {
    return await lockDrive(path, holder);
  } catch (error) {
    if (isHoldfastError(error, "STORE_LOCKED")) return undefined;
    throw error;
  }
}

async function race(): Promise<void> {
  let won = 0;
  while (won < Number(wins)) {
    const lock = await tryLock();
    if (lock === undefined) {
      await systemClock.sleep(systemRandom.below(2));
      continue;
    }
    won++;
    await useAlone();
    await lock.release();
    await systemClock.sleep(systemRandom.below(2));
  }
}

/** Owning the drive means that nobody else is between these two lines. */
async function useAlone(): Promise<void> {
  const mark = join(path, "owned");
  try {
    closeSync(openSync(mark, "wx"));
  } catch {
    process.exit(3);
  }
  await systemClock.sleep(systemRandom.below(3));
  unlinkSync(mark);
}

if (mode === "race") {
  await race();
} else {
  await lockDrive(path, holder);
  process.stdout.write("held\n");
  await systemClock.sleep(60_000);
}
