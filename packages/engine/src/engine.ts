/**
 * The composition root: settings in, a wired store out.
 */
import { systemClock } from "./base/clock.ts";
import { throwIfAborted } from "./base/errors.ts";
import { systemRandom } from "./base/random.ts";
import { loadDigests } from "./codec/digest.ts";
import { openCompute } from "./compute/compute.ts";
import { thisProcess } from "./drive/lock-drive.ts";
import type { OpenSet } from "./set/open-erasure-set.ts";
import { type BroughtUp, bringUp } from "./store/bring-up.ts";
import { resolveSettings, type StoreSettings } from "./store/settings.ts";
import { EventLog } from "./upkeep/events.ts";
import type { Store, StoreComponents } from "./wiring/store.ts";
import { StoreUpkeep } from "./wiring/store-upkeep.ts";
import { topologyState, wireObjects } from "./wiring/wire-objects.ts";
import { checkOpen, WiredStore } from "./wiring/wired-store.ts";

export type { RecoveryProgress, SetSpace, Store, StoreComponents, StoreStatus } from "./wiring/store.ts";

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
        for (const set of drives.sets) tellOfDrives(set, events, upkeep);
        return objects.upkeep.changeTopology(topologyState(drives.sets, topology));
      },
    });
    throwIfAborted(signal);
    const { drives, watcher } = brought;
    const checking = { clock, random, settings: resolved, checkOpen: () => checkOpen(life) };
    const objects = wireObjects(drives.sets, drives.topology, checking);
    const upkeep = new StoreUpkeep({ drives, watcher, objects: objects.upkeep, clock, settings: resolved.upkeep, events });
    for (const set of drives.sets) tellOfDrives(set, events, upkeep);
    upkeep.start();
    return new WiredStore({ drives, compute, objects, upkeep, events, life });
  } catch (error) {
    await Promise.allSettled(brought?.drives.sets.map((set) => set.close()) ?? []);
    await brought?.drives.close();
    await compute.close();
    throw error;
  }
}

/** Tells of what happens to the drives of a set, those that are not online from the start included. */
function tellOfDrives(set: OpenSet, events: EventLog, upkeep: StoreUpkeep): void {
  const { hooks, members, id: setId } = set.context;
  if (hooks.onDriveState !== undefined) return;
  hooks.onDriveState = ({ member, from, to, reason }) => {
    events.tell({ type: "drive", setId, driveId: member.id, location: member.drive?.location, from, to, reason });
    upkeep.nudge();
  };
  for (const { id: driveId, drive, state, reason } of members) {
    if (state !== "online") events.tell({ type: "drive", setId, driveId, location: drive?.location, from: "online", to: state, reason });
  }
}
