/** What repairs of packs and of blobs have in common. */
import { HoldfastError, throwIfAborted } from "../base/errors.ts";
import { stateFileName } from "./drive-state.ts";
import type { Member } from "./member.ts";
import type { OpenSet } from "./open-set.ts";
import type { SetContext } from "./set-context.ts";

/** Whom to ask first: those known to be whole and quick. */
export function reluctance(member: Member): number {
  return (member.isWhole ? 0 : 1) + (member.state === "online" ? 0 : member.state === "suspect" ? 4 : 2);
}

/** True when a member's drive still shows the files every drive of a set has. */
export async function isDriveThere(member: Member): Promise<boolean> {
  const { drive } = member;
  if (drive === undefined) return false;
  return drive.readFile(stateFileName).then(
    () => true,
    () => false,
  );
}

/** Waits for `work`, but no longer than until the signal fires. @throws ABORTED */
export async function untilAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  throwIfAborted(signal);
  if (signal === undefined) {
    await work;
    return;
  }
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new HoldfastError("ABORTED", "the repair of a pack was broken off"));
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Keeps other upkeep from the set's packs until what it resolves with is called and has resolved. @throws STORE_CLOSED */
export async function holdExclusive(set: OpenSet): Promise<() => Promise<void>> {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  return new Promise((begin, refuse) => {
    const held = set.exclusive(() => {
      begin(() => {
        release();
        return held;
      });
      return released;
    });
    held.catch(refuse);
  });
}

/** One repair of a blob at a time. */
const underRepair = new WeakMap<SetContext, Map<string, Promise<unknown>>>();

/** Waits until nobody else repairs a blob of this name; resolves with what ends the caller's turn. */
export async function lockBlob(context: SetContext, id: string): Promise<() => void> {
  const locks = underRepair.get(context) ?? new Map<string, Promise<unknown>>();
  underRepair.set(context, locks);
  for (let before = locks.get(id); before !== undefined; before = locks.get(id)) await before;
  let release: () => void = () => undefined;
  locks.set(
    id,
    new Promise<void>((resolve) => {
      release = () => {
        locks.delete(id);
        resolve();
      };
    }),
  );
  return release;
}
