/** The sets and drives of a store on real directories, without the objects: for tests of drives that come and go. */
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { loadDigests } from "../codec/digest.ts";
import { openCompute } from "../compute/compute.ts";
import { thisProcess } from "../drive/lock-drive.ts";
import type { OpenSet } from "../set/open-set.ts";
import { type BringUpOptions, type BroughtUp, bringUp } from "../store/bring-up.ts";
import { resolveSettings, type StoreSettings } from "../store/settings.ts";
import { makeTemporaryFolder } from "./temporary-folder.ts";

export interface OpenDriveWorld extends BroughtUp {
  /** The first set. */
  readonly set: OpenSet;
  /** `d1 online`, `d3 offline` …: by the last part of their path, or `?`, and their state, in the order of the set. */
  states(set?: OpenSet): string[];
  /** The drive's reason, by its number in the first set from 0. */
  reasonOf(ordinal: number): string | undefined;
  close(): Promise<void>;
}

export interface DriveWorld {
  readonly folder: string;
  /** `d1`, `d2` … */
  path(name: string): string;
  paths(...numbers: readonly number[]): string[];
  open(settings: StoreSettings, options?: Partial<BringUpOptions>): Promise<OpenDriveWorld>;
  remove(): Promise<void>;
}

export async function makeDriveWorld(): Promise<DriveWorld> {
  const { path: folder, remove } = await makeTemporaryFolder();
  const open: OpenDriveWorld[] = [];
  const path = (name: string): string => join(folder, name);
  return {
    folder,
    path,
    paths: (...numbers) => numbers.map((number) => path(`d${number}`)),
    async open(settings, options = {}) {
      await loadDigests();
      const resolved = resolveSettings({ threads: 0, reserve: 0, ...settings });
      const compute = openCompute({ threads: 0, memoryBudgetBytes: resolved.memoryBudgetBytes });
      const { bootId } = await thisProcess(systemClock);
      const brought = await bringUp(resolved, { clock: systemClock, random: systemRandom, compute, bootId, ...options });
      const world = wrap(brought, async () => {
        await Promise.all(brought.drives.sets.map((set) => set.close()));
        await brought.drives.close();
        await compute.close();
      });
      open.push(world);
      return world;
    },
    async remove() {
      for (const world of open) await world.close().catch(() => undefined);
      await remove();
    },
  };
}

function wrap(brought: BroughtUp, close: () => Promise<void>): OpenDriveWorld {
  const [set] = brought.drives.sets as [OpenSet];
  let closing: Promise<void> | undefined;
  return {
    ...brought,
    set,
    states: (of = set) => of.context.members.map(({ drive, state }) => `${drive?.location.split("/").at(-1) ?? "?"} ${state}`),
    reasonOf: (ordinal) => set.context.members[ordinal]?.reason,
    close() {
      closing ??= close();
      return closing;
    },
  };
}
