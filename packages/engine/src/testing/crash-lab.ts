/** One store under a crash scenario: its drives, what they must show, and what the script of a scenario works with. */
import type { Drive } from "../drive/drive.ts";
import type { Store } from "../engine.ts";
import type { StoreSettings } from "../store/settings.ts";
import { CrashClient } from "./crash-client.ts";
import type { CrashWorld } from "./crash-drive.ts";
import { CrashOracle, type OracleState } from "./crash-oracle.ts";
import { createFaultDrive, type FaultDrive } from "./fault-drive.ts";
import { createSimulatedClock, type SimulatedClock } from "./simulated-clock.ts";
import { openSimulatedStore } from "./simulated-store.ts";
import { patterned } from "./temporary-store.ts";

/** k and m of a scenario's store, which has k + m drives, and its settings. */
export interface CrashShape {
  readonly erasure: { readonly data: number; readonly parity: number };
  readonly settings?: StoreSettings;
}

export class CrashLab {
  world: CrashWorld;
  readonly oracle: CrashOracle;
  /** Bodies ever written, by MD5. */
  readonly bodies: Map<string, Uint8Array>;
  readonly clock: SimulatedClock = createSimulatedClock();
  readonly #shape: CrashShape;
  readonly #seed: number;
  #store: Store | undefined;
  #faults: readonly FaultDrive[] = [];
  #fill = 0;

  constructor(
    world: CrashWorld,
    shape: CrashShape,
    { seed, bodies, state }: { seed: number; bodies?: Map<string, Uint8Array>; state?: OracleState },
  ) {
    this.world = world;
    this.#shape = shape;
    this.#seed = seed;
    this.bodies = bodies ?? new Map();
    this.oracle = new CrashOracle(state);
  }

  /** The store as it is open now. */
  get store(): Store {
    if (this.#store === undefined) throw new Error("the scenario has not opened its store");
    return this.#store;
  }

  /** Opens the store without the drives named; gives a client for its first bucket. */
  async open({ absent = [] }: { absent?: readonly number[] } = {}): Promise<CrashClient> {
    this.#faults = this.world.drives.map((drive, i) => createFaultDrive(drive, { seed: this.#seed + i, clock: this.clock }));
    const drives: (Drive | undefined)[] = this.#faults.map((drive, i) => (absent.includes(i) ? undefined : drive));
    this.#store = await openSimulatedStore(drives, { ...this.#shape, seed: this.#seed, clock: this.clock });
    return this.client();
  }

  /** A client for a bucket of the open store. */
  client(bucket?: string): CrashClient {
    return new CrashClient(this.store, this.oracle, this.bodies, bucket);
  }

  /** The store is gone without having been closed, and these are its drives now. */
  restart(world: CrashWorld): void {
    this.#store = undefined;
    this.world = world;
  }

  /** A drive as the open store sees it, to make faults on. */
  drive(number: number): FaultDrive {
    return this.#faults[number] as FaultDrive;
  }

  async close(): Promise<void> {
    await this.store.close();
    this.#store = undefined;
  }

  /** Bytes that nothing else in this scenario has. */
  body(length: number): Uint8Array {
    return patterned(length, this.#seed * 1000 + this.#fill++);
  }
}
