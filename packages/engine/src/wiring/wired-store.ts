/** The store of `openStore`: every call goes to the part that does it. */
import { HoldfastError } from "../base/errors.ts";
import type { Compute } from "../compute/compute.ts";
import type { Bucket } from "../object/bucket.ts";
import type { BucketInfo } from "../object/bucket-info.ts";
import type { CreateBucketOptions } from "../object/create-bucket.ts";
import type { SignalOptions } from "../object/delete-bucket.ts";
import type { ObjectStore } from "../object/object-store.ts";
import type { ReprotectProgress } from "../object/reprotect.ts";
import type { ErasureProfile } from "../set/erasure-set.ts";
import type { OpenSet } from "../set/open-set.ts";
import type { StoreDrives } from "../store/store-drives.ts";
import type { EventLog, StoreEvent } from "../upkeep/events.ts";
import { type VerifyOptions, type VerifyReport, verifyStore } from "../upkeep/verify-store.ts";
import type { DriveChanges } from "./change-drives.ts";
import type { CompactOptions, CompactReport, SetSpace, Store, StoreDriveChanges, StoreStatus } from "./store.ts";
import type { RebuildOptions, RebuildReport, ReprotectStoreOptions, StoreUpkeep } from "./store-upkeep.ts";

/** Whether a store is still open; one for all its parts. */
export interface Life {
  closed: boolean;
}

/** @throws STORE_CLOSED */
export function checkOpen(life: Life): void {
  if (life.closed) throw new HoldfastError("STORE_CLOSED", "the store is closed; open it again");
}

export interface Wiring {
  readonly drives: StoreDrives;
  readonly compute: Compute;
  readonly objects: ObjectStore;
  readonly upkeep: StoreUpkeep;
  readonly changes: DriveChanges;
  readonly events: EventLog;
  readonly life: Life;
}

export class WiredStore implements Store {
  readonly drives: StoreDriveChanges;
  readonly #wiring: Wiring;
  #closing: Promise<void> | undefined;

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
    this.drives = wiring.changes;
  }

  createBucket(name: string, options?: CreateBucketOptions): Promise<Bucket> {
    return this.#wiring.objects.createBucket(name, options);
  }

  bucket(name: string): Bucket {
    return this.#wiring.objects.bucket(name);
  }

  async buckets(options?: SignalOptions): Promise<BucketInfo[]> {
    checkOpen(this.#wiring.life);
    return this.#wiring.objects.buckets(options);
  }

  deleteBucket(name: string, options?: SignalOptions): Promise<void> {
    return this.#wiring.objects.deleteBucket(name, options);
  }

  async status(): Promise<StoreStatus> {
    const { drives, upkeep, events, life } = this.#wiring;
    checkOpen(life);
    const sets = await Promise.all(drives.sets.map(async (set) => ({ ...set.status(), space: await spaceOf(set) })));
    const writable = sets.every((set) => set.writable);
    return { storeId: drives.label.storeId, writable, sets, rebuild: upkeep.progress, events: [...events.recent] };
  }

  async verify(options?: VerifyOptions): Promise<VerifyReport> {
    checkOpen(this.#wiring.life);
    return this.#wiring.upkeep.waitFor(() => verifyStore(this.#wiring.drives.sets, options));
  }

  async rebuild(options?: RebuildOptions): Promise<RebuildReport> {
    checkOpen(this.#wiring.life);
    return this.#wiring.upkeep.rebuild(options);
  }

  async compact(options?: CompactOptions): Promise<CompactReport> {
    checkOpen(this.#wiring.life);
    const reports = await this.#wiring.upkeep.compact(options);
    const sum = (part: (report: (typeof reports)[number]) => number): number => reports.reduce((total, report) => total + part(report), 0);
    return {
      packs: sum(({ victims }) => victims.length),
      bytesFreed: sum(({ bytesFreed }) => bytesFreed),
      bytesMoved: sum(({ bytesMoved }) => bytesMoved),
    };
  }

  async reprotect(bucket: string, erasure: ErasureProfile, options?: ReprotectStoreOptions): Promise<ReprotectProgress> {
    checkOpen(this.#wiring.life);
    return this.#wiring.upkeep.reprotect(bucket, erasure, options);
  }

  async maintain(options: SignalOptions = {}): Promise<void> {
    checkOpen(this.#wiring.life);
    await this.#wiring.upkeep.maintain(options.signal ?? new AbortController().signal);
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    return this.#wiring.events.subscribe(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { compute, drives, upkeep, life } = this.#wiring;
    life.closed = true;
    await upkeep.stop();
    const closed = await Promise.allSettled(drives.sets.map((set) => set.close()));
    await compute.close();
    await drives.close();
    for (const outcome of closed) if (outcome.status === "rejected") throw outcome.reason;
  }
}

async function spaceOf(set: OpenSet): Promise<SetSpace> {
  let totalBytes = 0;
  let freeBytes = 0;
  for (const { drive } of set.context.members) {
    const space = await drive?.space().catch(() => undefined);
    totalBytes += space?.totalBytes ?? 0;
    freeBytes += space?.freeBytes ?? 0;
  }
  return { totalBytes, freeBytes };
}
