import type { Drive } from "../drive/drive.ts";
import { type DriveCall, interceptDrive } from "./intercept-drive.ts";

/** A drive that can be made to hang: what it is asked then is not even begun until it is released. */
export interface HeldDrive extends Drive {
  /** Calls that match are held from now on. */
  hold(matches: (call: DriveCall) => boolean): void;
  /** Nothing is held any more; what was is done now. */
  release(): void;
  /** Calls that hang. */
  readonly heldCount: number;
}

/** Puts a drive behind a gate that is open at first. */
export function createHeldDrive(inner: Drive): HeldDrive {
  let matches: (call: DriveCall) => boolean = () => false;
  let held: (() => void)[] = [];
  const drive = interceptDrive(inner, {
    async around<T>(call: DriveCall, proceed: () => Promise<T>): Promise<T> {
      if (matches(call)) await new Promise<void>((resolve) => held.push(resolve));
      return proceed();
    },
  });
  return Object.defineProperty(
    Object.assign(drive, {
      heldCount: 0,
      hold(next: (call: DriveCall) => boolean): void {
        matches = next;
      },
      release(): void {
        matches = () => false;
        const released = held;
        held = [];
        for (const go of released) go();
      },
    }),
    "heldCount",
    { get: () => held.length },
  );
}
