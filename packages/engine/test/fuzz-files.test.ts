/** Spoilt files that only local drives have: the lock and the mark beside the index. Drives are taken or refused, an index is taken or made anew. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createManualClock } from "../src/base/clock.ts";
import { isHoldfastError } from "../src/base/errors.ts";
import { createSeededRandom } from "../src/base/random.ts";
import { lockDrive, thisProcess } from "../src/drive/lock-drive.ts";
import { openIndexDirectory } from "../src/index/index-checkpoint.ts";
import { mutateBytes } from "../src/testing/mutate-bytes.ts";
import { tally } from "../src/testing/tally.ts";
import { makeTemporaryFolder } from "../src/testing/temporary-folder.ts";

const locks = 400;
const checkpoints = 40;

it("a spoilt lock is taken over, or still holds", { timeout: 60_000 }, async () => {
  const { path, remove } = await makeTemporaryFolder();
  const clock = createManualClock();
  const holder = await thisProcess(clock);
  const random = createSeededRandom(1);
  let lock = await lockDrive(path, holder, clock);
  const sound = new Uint8Array(await readFile(lock.path));
  let refused = 0;
  for (let i = 0; i < locks; i++) {
    await writeFile(lock.path, mutateBytes(sound, random, []));
    try {
      lock = await lockDrive(path, holder, clock);
    } catch (error) {
      expect(isHoldfastError(error, "STORE_LOCKED"), `${i}: ${String(error)}`).toBe(true);
      refused++;
    }
    expect((await readdir(path)).filter((name) => name.startsWith("lock."))).toHaveLength(1);
  }
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan(locks);
  tally("spoilt inputs", locks);
  await remove();
});

it("an index beside a spoilt mark is used or made anew", { timeout: 60_000 }, async () => {
  const { path, remove } = await makeTemporaryFolder();
  const facts = { setId: "a".repeat(32), bootId: "boot" };
  const random = createSeededRandom(2);
  const key = Uint8Array.of(0x30, 1);
  let sound: Uint8Array | undefined;
  for (let i = 0; i < checkpoints; i++) {
    const index = await openIndexDirectory(path, facts);
    expect(index.get(key) ?? key).toEqual(key);
    index.write([{ key, value: key }]);
    await index.flush();
    await index.close();
    sound ??= new Uint8Array(await readFile(join(path, "checkpoint.json")));
    await writeFile(join(path, "checkpoint.json"), mutateBytes(sound, random, []));
  }
  tally("spoilt inputs", checkpoints);
  await remove();
});
