import { stat } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../base/errors.ts";
import { Gate } from "./gate.ts";
import { isExhaustion, mapDriveError, systemCode } from "./map-error.ts";

/**
 * What every call on one local drive goes through: the bound on calls in flight, the mapping of errors, and the fence.
 *
 * The fence: once a sync fails nobody can tell which of the pages written before are on the drive, and a second sync may report success
 * without them. So the first failure is kept, every later change is refused with it, and reads go on.
 */

/** One call on the drive. */
export interface DriveCall {
  readonly operation: string;
  readonly name: string;
  readonly mutates: boolean;
  readonly needsFile?: boolean;
  /** True where any failure fences the drive off, but for running out of space or handles before the sync. */
  readonly failsDrive?: boolean;
}

/** Marks what was thrown by a sync, which always fences the drive off. */
class SyncFailure {
  readonly cause: unknown;
  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** Waits for a system call that makes something durable; its failure fences the drive off. */
export async function durably(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    throw asSyncFailure(cause);
  }
}

/** The error to throw for a sync that failed. */
export function asSyncFailure(cause: unknown): unknown {
  return isSyncFailure(cause) ? cause : new SyncFailure(cause);
}

/** True for what `durably` throws. */
export function isSyncFailure(thrown: unknown): boolean {
  return thrown instanceof SyncFailure;
}

/** Something that holds descriptors and ends with its drive. */
export interface Closable {
  close(): Promise<void>;
}

export class LocalContext {
  /** Absolute path of the drive's directory. */
  readonly location: string;
  /** Open and unfinished files; each adds and removes itself. */
  readonly open: Set<Closable> = new Set();
  #failure: HoldfastError | undefined;
  #closed = false;
  readonly #gate: Gate;

  constructor(location: string, inFlightMax: number) {
    this.location = location;
    this.#gate = new Gate(inFlightMax);
  }

  get failure(): HoldfastError | undefined {
    return this.#failure;
  }

  /** The path of a file or folder of the drive. */
  pathOf(name: string): string {
    return name === "" ? this.location : join(this.location, ...name.split("/"));
  }

  /** Runs one call: waits for its turn, refuses it on a closed or failed drive, and maps what it throws. */
  async run<T>(call: DriveCall, body: () => Promise<T>): Promise<T> {
    const turn = this.#gate.enter();
    if (turn !== undefined) await turn;
    try {
      this.#admit(call);
      return await body();
    } catch (error) {
      throw await this.#judge(call, error);
    } finally {
      this.#gate.leave();
    }
  }

  /** Closes everything that is open; calls that come later are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.open].map((closable) => closable.close()));
  }

  #admit(call: DriveCall): void {
    if (this.#closed) throw new HoldfastError("STORE_CLOSED", `drive ${this.location} is closed`);
    if (!call.mutates || this.#failure === undefined) return;
    throw new HoldfastError(
      "DRIVE_FAILED",
      `drive ${this.location} failed before and takes no changes until it is rebuilt: ${this.#failure.message}`,
      {
        details: { drive: this.location, operation: call.operation, name: call.name },
        cause: this.#failure,
      },
    );
  }

  async #judge(call: DriveCall, thrown: unknown): Promise<HoldfastError> {
    const inSync = thrown instanceof SyncFailure;
    const error = inSync ? thrown.cause : thrown;
    if (error instanceof Error && error.name === "InvariantError") throw error;
    const rootGone = systemCode(error) === "ENOENT" && !(await this.#rootExists());
    const mapped = mapDriveError(error, { ...call, location: this.location, rootGone });
    const fatal = inSync || (call.failsDrive === true && mapped !== error && !isExhaustion(error));
    if (call.mutates && fatal) this.#failure ??= mapped;
    return mapped;
  }

  async #rootExists(): Promise<boolean> {
    return stat(this.location).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
  }
}
