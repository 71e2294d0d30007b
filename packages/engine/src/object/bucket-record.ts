/** The record of a bucket, and its form in memory. Drawn in docs/formats/records.md. */
import type { ErasureProfile } from "../set/erasure-set.ts";
import { BucketGate } from "./bucket-gate.ts";
import { packRecord, recordVersion } from "./record-codec.ts";
import { RecordFields } from "./record-fields.ts";

/** Whether overwritten and deleted versions are kept. Once enabled, it can only be suspended. */
export type Versioning = "off" | "enabled" | "suspended";

/** Stored numbers of versioning states (never renumber). */
const versioningStates: readonly Versioning[] = ["off", "enabled", "suspended"];

/** What is stored about a bucket. */
export interface BucketRecord {
  /** Never used again, also after the bucket is gone. */
  readonly id: number;
  readonly createdMs: number;
  readonly versioning: Versioning;
  /** How the bucket's objects are coded; the set's own profile when undefined. */
  readonly erasure: ErasureProfile | undefined;
}

/** A bucket as the process holds it: changed only by whoever is alone in its gate. */
export interface BucketState {
  readonly name: string;
  readonly gate: BucketGate;
  record: BucketRecord;
  deleted: boolean;
}

export function createBucketState(name: string, record: BucketRecord): BucketState {
  return { name, record, gate: new BucketGate(), deleted: false };
}

export function packBucketRecord(record: BucketRecord): Uint8Array {
  const erasure = record.erasure === undefined ? null : [record.erasure.data, record.erasure.parity];
  return packRecord([recordVersion, record.id, record.createdMs, versioningStates.indexOf(record.versioning), erasure]);
}

/** @throws FORMAT_TOO_NEW, INDEX_DAMAGED */
export function unpackBucketRecord(bytes: Uint8Array): BucketRecord {
  const fields = new RecordFields(bytes, "a bucket");
  const erasure = fields.integers(4, 2);
  return {
    id: fields.integer(1),
    createdMs: fields.integer(2),
    versioning: versioningStates[fields.integer(3, versioningStates.length)] as Versioning,
    erasure: erasure === undefined ? undefined : { data: erasure[0] as number, parity: erasure[1] as number },
  };
}
