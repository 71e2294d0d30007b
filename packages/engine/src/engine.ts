/**
 * The composition root: settings in, a wired store out.
 */
import { systemClock } from "./base/clock.ts";
import { throwIfAborted } from "./base/errors.ts";
import { systemRandom } from "./base/random.ts";
import { loadDigests } from "./codec/digest.ts";
import { openCompute } from "./compute/compute.ts";
import { thisProcess } from "./drive/lock-drive.ts";
import { type BroughtUp, bringUp } from "./store/bring-up.ts";
import { resolveSettings, type StoreSettings } from "./store/settings.ts";
import { EventLog } from "./upkeep/events.ts";
import { DriveChanges } from "./wiring/change-drives.ts";
import type { Store, StoreComponents } from "./wiring/store.ts";
import { StoreUpkeep } from "./wiring/store-upkeep.ts";
import { topologyState, wireObjects } from "./wiring/wire-objects.ts";
import { checkOpen, WiredStore } from "./wiring/wired-store.ts";

export type { RecoveryProgress, Store, StoreComponents, StoreStatus } from "./wiring/store.ts";

/**
 * Opens the store that lives on the given drives, or makes one there when all of them are empty.
 *
 * @example
 * ```ts
 * await using store = await openStore({ drives: ["./data/d1", "./data/d2", "./data/d3"] });
 * const notes = await store.createBucket("notes");
 * await notes.put("hello.txt", "Hello");
 * ```
 * @throws SETTINGS_INVALID, STORE_LOCKED, STORE_NOT_FOUND, DRIVES_MISSING, DRIVE_FOREIGN, DRIVE_DUPLICATED, DRIVE_NOT_EMPTY,
 *   DRIVE_NOT_A_DIRECTORY, DRIVE_UNWRITABLE, DRIVE_UNREADABLE, LABEL_DAMAGED, TAIL_UNDECIDED, LOG_DAMAGED, FORMAT_TOO_NEW, ABORTED
 */
export async function openStore(settings: StoreSettings, components: StoreComponents = {}): Promise<Store> {
  const resolved = resolveSettings(settings);
  const { clock = systemClock, random = systemRandom, signal } = components;
  const compute = openCompute({ threads: resolved.threads, memoryBudgetBytes: resolved.memoryBudgetBytes });
  const events = new EventLog(() => clock.nowMs());
  if (components.onEvent !== undefined) events.subscribe(components.onEvent);
  const life = { closed: false };
  let brought: BroughtUp | undefined;
  try {
    await loadDigests();
    throwIfAborted(signal);
    const { bootId } = await thisProcess(clock);
    brought = await bringUp(resolved, {
      clock,
      random,
      compute,
      bootId,
      wrap: components.wrapDrive,
      access: components.access,
      onProgress: (progress) => {
        throwIfAborted(signal);
        components.onRecovery?.(progress);
      },
      onTopology: (topology) => {
        for (const set of drives.sets) upkeep.adopt(set);
        return objects.upkeep.changeTopology(topologyState(drives.sets, topology));
      },
    });
    throwIfAborted(signal);
    const { drives, watcher } = brought;
    const checking = { clock, random, settings: resolved, checkOpen: () => checkOpen(life) };
    const objects = wireObjects(drives.sets, drives.topology, checking);
    const upkeep: StoreUpkeep = new StoreUpkeep({
      drives,
      watcher,
      objects: objects.upkeep,
      changes: () => changes,
      clock,
      settings: resolved.upkeep,
      events,
    });
    const changes = new DriveChanges({
      drives,
      objects: objects.upkeep,
      clock,
      checkOpen: () => checkOpen(life),
      heal: async (signal) => void (await upkeep.rebuild({ signal })),
      nudge: () => upkeep.retry(),
    });
    for (const set of drives.sets) upkeep.adopt(set);
    upkeep.start();
    return new WiredStore({ drives, compute, objects, upkeep, changes, events, life });
  } catch (error) {
    await Promise.allSettled(brought?.drives.sets.map((set) => set.close()) ?? []);
    await brought?.drives.close();
    await compute.close();
    throw error;
  }
}
