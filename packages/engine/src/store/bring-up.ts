/**
 * From settings to a store whose drives are held, identified, recovered and watched.
 */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Compute } from "../compute/compute.ts";
import { createLocalAccess, createMemoryAccess, type DriveAccess } from "./drive-access.ts";
import { releaseDrives, type WrapDrive } from "./find-drives.ts";
import { openDrives } from "./open-drives.ts";
import { type OpenSetsOptions, openSet, openSets } from "./open-sets.ts";
import type { ResolvedSettings } from "./settings.ts";
import { StoreDrives, type StoreDrivesOptions } from "./store-drives.ts";
import { DriveWatcher } from "./watch-drives.ts";

export interface BringUpOptions extends Pick<OpenSetsOptions, "onProgress">, Pick<StoreDrivesOptions, "onTopology"> {
  readonly clock: Clock;
  readonly random: Random;
  readonly compute: Compute;
  readonly bootId: string | undefined;
  readonly wrap?: WrapDrive | undefined;
  /** How simulated drives vanish and return; parts that are not given are as for directories, or memory. */
  readonly access?: Partial<DriveAccess> | undefined;
}

/** What `bringUp` gives: the sets are in `drives.sets`, a list that grows and shrinks with the store. */
export interface BroughtUp {
  readonly drives: StoreDrives;
  readonly watcher: DriveWatcher;
}

/** Nothing is watched before the first `watcher.look()`. When it throws everything is unlocked and closed again. */
export async function bringUp(settings: ResolvedSettings, options: BringUpOptions): Promise<BroughtUp> {
  const { clock, random, wrap, compute, bootId, onProgress } = options;
  const opened = await openDrives(settings, { clock, random, wrap });
  try {
    const setOptions = { settings, clock, compute, bootId, missingReasons: opened.missingReasons, onProgress };
    const sets = await openSets(opened.label, opened.members, setOptions);
    const plain = settings.memory ? createMemoryAccess({ clock, wrap }) : createLocalAccess({ clock, wrap });
    const drives = new StoreDrives(opened, sets, {
      settings,
      clock,
      random,
      access: { ...plain, ...options.access },
      openSet: (set, members) => openSet(set, members, { ...setOptions, missingReasons: [] }),
      onTopology: options.onTopology,
    });
    return { drives, watcher: new DriveWatcher(drives) };
  } catch (error) {
    await releaseDrives(opened.found);
    throw error;
  }
}
