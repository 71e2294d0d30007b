import { type Clock, systemClock } from "../base/clock.ts";
import { type ErrorCode, HoldfastError } from "../base/errors.ts";
import { createSeededRandom, type Random } from "../base/random.ts";
import type { Drive } from "../drive/drive.ts";
import { type Fault, type FaultRule, formatFaultRule, matchesRule, parseFaultRule } from "./fault-rule.ts";
import { type DriveCall, type DriveOperation, formatCall, type Interceptor, interceptDrive } from "./intercept-drive.ts";

/** A drive on which things go wrong as its rules say. */
export interface FaultDrive extends Drive {
  /** What went wrong so far: `sync packs/0001: error DRIVE_IO_ERROR`. */
  readonly fired: readonly string[];
  /** Replaces all rules, as data or as lines; they count from here. */
  setFaults(...rules: readonly (FaultRule | string)[]): void;
  /** From now on every call but closing and aborting fails with DRIVE_UNREADABLE. */
  goOffline(): void;
  /** Ends being offline; what was open still is. */
  comeBack(): void;
}

export interface FaultDriveOptions {
  /** Decides what is left to chance; equal seeds and calls give equal faults. */
  readonly seed?: number;
  readonly clock?: Clock;
  readonly faults?: readonly (FaultRule | string)[];
}

/** Puts a drive behind fault rules; with none it behaves as the drive itself. */
export function createFaultDrive(inner: Drive, options: FaultDriveOptions = {}): FaultDrive {
  const plan = new FaultPlan(inner.location, createSeededRandom(options.seed ?? 1), options.clock ?? systemClock);
  plan.setFaults(options.faults ?? []);
  return Object.assign(interceptDrive(inner, plan), {
    fired: plan.fired,
    setFaults: (...rules: readonly (FaultRule | string)[]) => plan.setFaults(rules),
    goOffline: () => plan.setOffline(true),
    comeBack: () => plan.setOffline(false),
  });
}

const mutations: ReadonlySet<DriveOperation> = new Set(
  "replaceFile remove removeFolder create write sync writeDurable truncate append finish".split(" ") as DriveOperation[],
);
/** A failure of these leaves unknown what is durable. */
const syncing: ReadonlySet<DriveOperation> = new Set("sync finish replaceFile writeDurable truncate remove".split(" ") as DriveOperation[]);
const writing: ReadonlySet<DriveOperation> = new Set("write writeDurable append".split(" ") as DriveOperation[]);

/** The rules of one drive at work: what they have counted, and what they have done to the drive. */
class FaultPlan implements Interceptor {
  readonly fired: string[] = [];
  readonly #location: string;
  readonly #random: Random;
  readonly #clock: Clock;
  #rules: { readonly rule: FaultRule; matched: number }[] = [];
  #failure: Error | undefined;
  #offline = false;

  constructor(location: string, random: Random, clock: Clock) {
    this.#location = location;
    this.#random = random;
    this.#clock = clock;
  }

  failure(): Error | undefined {
    return this.#failure;
  }

  setFaults(rules: readonly (FaultRule | string)[]): void {
    this.#rules = rules.map((rule) => ({ rule: typeof rule === "string" ? parseFaultRule(rule) : rule, matched: 0 }));
  }

  setOffline(offline: boolean): void {
    this.#offline = offline;
  }

  async around<T>(call: DriveCall, proceed: (buffers?: readonly Uint8Array[]) => Promise<T>): Promise<T> {
    if (call.operation === "abort") return proceed();
    const faults = this.#takeFaults(call);
    for (const fault of faults) {
      if (fault.kind === "delay") await this.#clock.sleep(fault.ms);
      if (fault.kind === "offline") this.#offline = true;
    }
    if (this.#offline) throw this.#error("DRIVE_UNREADABLE", call, "is offline");
    const changes = mutations.has(call.operation) || call.create === true;
    if (changes && this.#failure !== undefined) throw this.#error("DRIVE_FAILED", call, "failed before", this.#failure);
    return this.#apply(call, faults, proceed);
  }

  /** The faults of all rules that are due for this call; every rule counts it. */
  #takeFaults(call: DriveCall): Fault[] {
    const due: Fault[] = [];
    for (const counted of this.#rules) {
      if (!matchesRule(counted.rule, call.operation, call.name)) continue;
      counted.matched++;
      if (!this.#isDue(counted.rule, counted.matched)) continue;
      due.push(counted.rule.fault);
      this.fired.push(`${formatCall(call)} <- ${formatFaultRule(counted.rule)}`);
    }
    return due;
  }

  #isDue({ when }: FaultRule, matched: number): boolean {
    switch (when.kind) {
      case "every":
        return true;
      case "nth":
        return matched === when.n;
      case "from":
        return matched >= when.n;
      case "chance":
        return this.#random.below(1_000_000) < when.percent * 10_000;
    }
  }

  async #apply<T>(call: DriveCall, faults: readonly Fault[], proceed: (buffers?: readonly Uint8Array[]) => Promise<T>): Promise<T> {
    let buffers = call.buffers;
    for (const fault of faults) {
      if (fault.kind === "error") throw this.#fail(fault.code, call);
      if (fault.kind === "torn" && writing.has(call.operation)) {
        await proceed(firstBytes(buffers ?? [], fault.lengthBytes));
        throw this.#fail("DRIVE_IO_ERROR", call);
      }
      if (fault.kind === "lose" && writing.has(call.operation)) buffers = [];
      if (fault.kind === "flip" && buffers !== undefined) buffers = [this.#flip(Buffer.concat(buffers), fault.bit)];
    }
    const result = await proceed(buffers);
    for (const fault of faults) if (fault.kind === "flip") this.#flipRead(call, result, fault.bit);
    return result;
  }

  #flipRead(call: DriveCall, result: unknown, bit: number | undefined): void {
    if (call.operation === "readFile") this.#flip(result as Uint8Array, bit);
    if (call.operation === "read") this.#flip((call.into as Uint8Array).subarray(0, result as number), bit);
  }

  #flip(bytes: Uint8Array, bit: number | undefined): Uint8Array {
    if (bytes.byteLength === 0) return bytes;
    const at = (bit ?? this.#random.below(bytes.byteLength * 8)) % (bytes.byteLength * 8);
    bytes[at >> 3] = (bytes[at >> 3] as number) ^ (1 << (at & 7));
    return bytes;
  }

  /** The error of a call that fails, and the fence where the drive's contract asks for it. */
  #fail(code: ErrorCode, call: DriveCall): HoldfastError {
    const error = this.#error(code, call, "failed as a rule said");
    const harmless = code === "FILE_EXISTS" || (code === "DRIVE_FULL" && call.operation !== "sync");
    if (syncing.has(call.operation) && !harmless) this.#failure ??= error;
    return error;
  }

  #error(code: ErrorCode, call: DriveCall, what: string, cause?: unknown): HoldfastError {
    const details = { drive: this.#location, operation: call.operation, name: call.name };
    return new HoldfastError(code, `drive ${this.#location} ${what} (${formatCall(call)})`, { details, cause });
  }
}

function firstBytes(buffers: readonly Uint8Array[], length: number): Uint8Array[] {
  return [Buffer.concat(buffers).subarray(0, length)];
}
