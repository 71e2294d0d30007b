import { decodeBlobLocation } from "../format/blob-location.ts";
import { participants } from "../format/layout.ts";
import type { BlobLocation } from "./erasure-set.ts";
import type { OpenSet } from "./open-set.ts";
import type { WantedProfile } from "./recode-set.ts";

/** How a blob is coded and where its shards lie. */
export interface BlobFacts {
  readonly data: number;
  readonly parity: number;
  /** Numbers of the drives that hold its shards. */
  readonly drives: readonly number[];
  readonly sizeBytes: number;
}

/** What a blob's location says. @throws FORMAT_DAMAGED */
export function blobFacts(blob: BlobLocation): BlobFacts {
  const { layout, sizeBytes } = decodeBlobLocation(blob);
  return { data: layout.data, parity: layout.parity, drives: participants(layout), sizeBytes };
}

/**
 * Whether a blob that the entry `key` names is to be written again: it is not coded as wanted although enough drives are there for it, or
 * lies on a drive that is being emptied although enough others are there. What `layoutFate` says for packed payloads.
 */
export function isMisplacedBlob(set: OpenSet, wanted: WantedProfile): (blob: BlobFacts, key: Uint8Array) => boolean {
  const { members, profile } = set.context;
  return (blob, key) => {
    const { data, parity } = wanted(key) ?? profile;
    const staying = members.filter((member) => member.writable && !member.draining).length;
    if (staying < data + parity) return false;
    if (blob.data !== data || blob.parity !== parity) return true;
    return blob.drives.some((ordinal) => members[ordinal]?.draining === true);
  };
}
