/**
 * Changes of an open store's drives, from the first label to the last object that has moved. What the label says is to be done is done again
 * from there after a crash: by whoever asks once more, or by upkeep.
 */
import type { Clock } from "../base/clock.ts";
import { throwIfAborted } from "../base/errors.ts";
import type { SetId } from "../base/ids.ts";
import type { ObjectUpkeep } from "../object/object-upkeep.ts";
import type { Pacer } from "../set/pace.ts";
import { type AddedDrives, type AddOptions, addDrives } from "../store/add-drives.ts";
import { drainPlace, endMoving, markDraining } from "../store/drain-drives.ts";
import { type ReplacedDrive, type ReplaceOptions, replaceDrive } from "../store/replace-drive.ts";
import type { DriveSettings } from "../store/settings.ts";
import type { StoreDrives } from "../store/store-drives.ts";
import type { DrivePlace } from "../store/topology.ts";

export interface DriveChangesParts {
  readonly drives: StoreDrives;
  readonly objects: ObjectUpkeep;
  readonly clock: Clock;
  readonly checkOpen: () => void;
  /** Makes what drives lack: a drive leaves only while all others are whole. */
  readonly heal: (signal: AbortSignal | undefined) => Promise<void>;
  /** There may be something for upkeep to do. */
  readonly nudge: () => void;
}

export interface DrainStoreOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes written again so far. */
  readonly onProgress?: ((progress: { readonly doneBytes: number }) => void) | undefined;
}

/** How long is waited between two tries to let a drive leave. */
const retryMs = 500;

export class DriveChanges {
  readonly #parts: DriveChangesParts;

  constructor(parts: DriveChangesParts) {
    this.#parts = parts;
  }

  async replace(drive: string, path: string, options: ReplaceOptions = {}): Promise<ReplacedDrive> {
    this.#parts.checkOpen();
    const replaced = await replaceDrive(this.#parts.drives, drive, path, options);
    this.#parts.nudge();
    return replaced;
  }

  /** What still moves from the last change arrives first. */
  async add(drives: readonly (string | DriveSettings)[], options: AddOptions = {}): Promise<AddedDrives> {
    this.#parts.checkOpen();
    await this.moveKeys();
    const added = await addDrives(this.#parts.drives, drives, options);
    this.#parts.nudge();
    return added;
  }

  async drain(named: string, { signal, onProgress }: DrainStoreOptions = {}): Promise<void> {
    const { checkOpen, drives, clock, heal } = this.#parts;
    checkOpen();
    const pacer = counting((doneBytes) => onProgress?.({ doneBytes }));
    const isSet = drives.topology.sets.some((setId) => setId === named);
    if (isSet) await this.moveKeys(pacer, signal);
    if (isSet && drives.setOf(named as SetId) === undefined) return;
    const marked = await markDraining(drives, named);
    for (;;) {
      throwIfAborted(signal);
      checkOpen();
      const done = typeof marked === "string" ? await this.moveKeys(pacer, signal) : (await this.#drain(marked, pacer, signal)) === "left";
      if (done) return;
      await heal(signal);
      await clock.sleep(retryMs, signal);
    }
  }

  /** Goes on with what the label says; true when something came to its end. For upkeep. */
  async goOn(pacer: Pacer, signal: AbortSignal): Promise<boolean> {
    const { drives } = this.#parts;
    const { movingFrom, drainingDrives } = drives.topology;
    let done = movingFrom !== undefined && (await this.moveKeys(pacer, signal));
    for (const place of drainingDrives) if ((await this.#drain(place, pacer, signal)) === "left") done = true;
    return done;
  }

  /** Moves keys to where the label maps them; true when all of them are there. */
  async moveKeys(pacer?: Pacer, signal?: AbortSignal): Promise<boolean> {
    const { drives, objects } = this.#parts;
    const { movingFrom, drainingSets, weights } = drives.topology;
    if (movingFrom === undefined) return true;
    if (drainingSets.includes(objects.homeSet.id)) {
      const next = drives.sets.find((set) => weights.some(({ setId }) => setId === set.id));
      if (next !== undefined) await objects.moveHome(next);
    }
    const { keysDamaged, keysStray } = await objects.moveKeys({ pacer, signal });
    return keysDamaged + keysStray === 0 && endMoving(drives, (set) => objects.holdsNothing(set));
  }

  #drain(place: DrivePlace, pacer: Pacer, signal: AbortSignal | undefined): Promise<"left" | "waiting"> {
    const { drives, objects } = this.#parts;
    return drainPlace(drives, place, {
      pacer,
      signal,
      rewriteBlobs: async (set, ordinal) =>
        void (await objects.rewriteBlobs(set, (blob) => blob.drives.includes(ordinal), { pacer, signal })),
    });
  }
}

/** As fast as it goes, and tells the bytes. */
function counting(tell: (bytes: number) => void): Pacer {
  let doneBytes = 0;
  return {
    async spend(bytes, signal) {
      throwIfAborted(signal);
      doneBytes += bytes;
      tell(doneBytes);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
