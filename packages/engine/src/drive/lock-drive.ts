/**
 * One process at a time may own a drive's directory. Node has no file locks, so ownership is a file that names its holder.
 *
 * Files: `lock.<generation>` (decimal, 8 digits or more) with JSON: version, state (`held` or `released`) and the holder. Only the file
 * with the highest generation counts.
 *
 * Taking: read the highest file g. It is held and its holder lives: refuse. Otherwise write a temporary file and link it to
 * `lock.<g+1>`: a link never replaces, so of all who saw g exactly one succeeds, and the file is never seen without its content. Then
 * list again; if a higher file is there, remove the own one and start over; else remove the lower ones: the drive is owned.
 * Releasing: replace the own file by one that says `released`, in one rename. The highest file is never removed.
 *
 * Why two cannot own it. The highest generation never sinks, for only files below another one are removed. Let P create p and Q
 * create q > p, both believing. When Q read the highest file below q, either it was p or later, held by a living process, so Q refused;
 * or P had not created p yet. Then P, which saw an older file, linked a name that had been free because its generation was over; and
 * P's listing after the link must find q or what followed q. A listing may miss a file that is removed while its successor is made, so
 * a listing counts only when it is repeated with the same result.
 *
 * A holder on another host name cannot be looked at and counts as living. Processes in containers that share a host name and a boot but
 * not their process ids cannot see each other: give such containers their own host names (Kubernetes does, unless `hostNetwork`).
 * On file systems without links the file is created in place; one who reads it half-written waits a moment before calling it damaged.
 * Nothing here is synced: after a power cut every holder is gone anyway.
 */
import { link, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { toHex } from "../base/bytes.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { HoldfastError } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import { lockPrefix } from "./drive-name.ts";
import { type LockHolder, stateOfHolder } from "./lock-holder.ts";
import { mapDriveError, systemCode } from "./map-error.ts";
import { openingProblem } from "./probe-drive.ts";

export { type LockHolder, thisProcess } from "./lock-holder.ts";

/** A drive that is ours. */
export interface DriveLock {
  /** The lock file. */
  readonly path: string;
  /**
   * Gives the drive up, where it is or where it has come to lie. Never throws; what cannot be written now is stale once the process has
   * ended, and until then may be given up again, when a drive that was away is back.
   */
  release(at?: string): Promise<void>;
}

interface LockContent {
  readonly version: 1;
  readonly state: "held" | "released";
  readonly holder: LockHolder;
}

const digitsMin = 8;
/** Every attempt that fails means that another process got ahead; so many in a row do not happen without a defect. */
const attemptsMax = 1000;
const damagedReadsMax = 5;
const damagedWaitMs = 20;

/**
 * Takes the drive's lock for `holder`, which is this process (`thisProcess()`). The lock of a process that has died is taken over.
 * @throws STORE_LOCKED with the holder's pid, host and since; DRIVE_NOT_FOUND, DRIVE_NOT_A_DIRECTORY, DRIVE_UNWRITABLE, DRIVE_FULL, DRIVE_IO_ERROR
 */
export async function lockDrive(drivePath: string, holder: LockHolder, clock: Clock = systemClock): Promise<DriveLock> {
  const location = resolve(drivePath);
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const path = await attemptLock(location, holder, clock);
      if (path !== undefined)
        return { path, release: (at = location) => releaseLock(resolve(at), join(resolve(at), basename(path)), holder) };
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") throw openingProblem(location, error);
    throw mapDriveError(error, { location, operation: "lock", name: "", mutates: true });
  }
  throw new HoldfastError("STORE_LOCKED", `drive ${location} is wanted by many processes at once: try again later`, {
    details: { drive: location },
  });
}

/** One round of the protocol; undefined when another process got ahead. */
async function attemptLock(location: string, holder: LockHolder, clock: Clock): Promise<string | undefined> {
  const highest = (await listGenerations(location)).at(-1) ?? 0;
  if (highest > 0) {
    const content = await readLock(lockPath(location, highest), clock);
    if (content === "missing") return undefined;
    if (content !== "damaged") await refuseWhileHeld(location, highest, content, holder);
  }
  const own = highest + 1;
  if (!(await createLock(location, own, { version: 1, state: "held", holder }))) return undefined;
  const after = await listGenerations(location);
  if (after.at(-1) !== own) {
    await rm(lockPath(location, own), { force: true });
    return undefined;
  }
  await removeLeftovers(location, own);
  return lockPath(location, own);
}

/** @throws STORE_LOCKED */
async function refuseWhileHeld(location: string, generation: number, content: LockContent, observer: LockHolder): Promise<void> {
  if (content.state === "released") return;
  const { pid, host, since } = content.holder;
  const state = await stateOfHolder(content.holder, observer);
  if (state === "gone") return;
  const path = lockPath(location, generation);
  const who = pid === observer.pid && state === "alive" ? `this process (pid ${pid})` : `process ${pid} on host ${host}`;
  const fix =
    state === "elsewhere"
      ? `that host cannot be asked from here: close the store there, or, if the host is surely gone, remove ${path}`
      : "close the store there, or wait until that process has ended";
  throw new HoldfastError("STORE_LOCKED", `drive ${location} has been open in ${who} since ${since}: ${fix}`, {
    details: { drive: location, path, pid, host, since },
  });
}

/** The generations present, ascending, as two listings in a row agree on. */
async function listGenerations(location: string): Promise<number[]> {
  let before: string | undefined;
  for (;;) {
    const generations = (await readdir(location)).map(generationOf).filter((generation) => generation !== undefined);
    generations.sort((a, b) => a - b);
    const now = generations.join(" ");
    if (now === before) return generations;
    before = now;
  }
}

function generationOf(name: string): number | undefined {
  const match = /^lock\.(\d{8,15})$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

function lockPath(location: string, generation: number): string {
  return join(location, `${lockPrefix}${String(generation).padStart(digitsMin, "0")}`);
}

function temporaryPath(location: string): string {
  // Random, for the process id says nothing in a container, and threads of one process share it.
  return join(location, `${lockPrefix}tmp-${toHex(systemRandom.bytes(8))}`);
}

/** The content of a lock file. One that stays unreadable after a few looks was left by a crash. */
async function readLock(path: string, clock: Clock): Promise<LockContent | "missing" | "damaged"> {
  for (let look = 0; look < damagedReadsMax; look++) {
    if (look > 0) await clock.sleep(damagedWaitMs);
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (text === undefined) return "missing";
    const content = parseLock(text);
    if (content !== undefined) return content;
  }
  return "damaged";
}

function parseLock(text: string): LockContent | undefined {
  try {
    const content = JSON.parse(text) as Partial<LockContent> | null;
    const holder = content?.holder;
    if (content?.version !== 1 || (content.state !== "held" && content.state !== "released")) return undefined;
    if (typeof holder?.pid !== "number" || typeof holder.host !== "string") return undefined;
    return content as LockContent;
  } catch {
    return undefined;
  }
}

/** Creates the lock file of a generation with its content at once; false when somebody else has. */
async function createLock(location: string, generation: number, content: LockContent): Promise<boolean> {
  const temporary = temporaryPath(location);
  const text = formatLock(content);
  try {
    await writeFile(temporary, text, { flag: "wx", mode: 0o644 });
    await linkOrCreate(temporary, lockPath(location, generation), text);
    return true;
  } catch (error) {
    // The new owner of the drive clears temporary files away: ENOENT means the same as EEXIST.
    if (systemCode(error) === "EEXIST" || systemCode(error) === "ENOENT") return failIfGone(location);
    throw error;
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

async function linkOrCreate(temporary: string, path: string, text: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL"].includes(systemCode(error))) throw error;
    await writeFile(path, text, { flag: "wx", mode: 0o644 });
  }
}

async function failIfGone(location: string): Promise<false> {
  await readdir(location);
  return false;
}

function formatLock(content: LockContent): string {
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

/** Removes the lock files below the own one, and what crashed processes left of temporary files and probes. */
async function removeLeftovers(location: string, own: number): Promise<void> {
  for (const name of await readdir(location)) {
    const generation = generationOf(name);
    if (!name.startsWith(lockPrefix) || (generation !== undefined && generation >= own)) continue;
    await rm(join(location, name), { force: true }).catch(() => {});
  }
}

/** Says `released` in the own file, if it still is the own file: an operator may have removed it, and another process taken the drive. */
async function releaseLock(location: string, path: string, holder: LockHolder): Promise<void> {
  const temporary = temporaryPath(location);
  const held = formatLock({ version: 1, state: "held", holder });
  const released: LockContent = { version: 1, state: "released", holder };
  try {
    if ((await readFile(path, "utf8")) !== held) return;
    await writeFile(temporary, formatLock(released), { mode: 0o644 });
    await rename(temporary, path);
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
    await overwrite(path, JSON.stringify(released).padEnd(held.length)).catch(() => {});
  }
}

/** A full drive has no room for a new file, but takes other bytes in the old one. Who reads it half-written finds it damaged: free as well. */
async function overwrite(path: string, text: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.write(text, 0);
  } finally {
    await file.close();
  }
}
