/**
 * The records of a batch as bytes. Beside the changes they say where operations start, because an operation's place in the order is the
 * number of records before it: a last record under the key 0x00 lists the starts as 32-bit numbers. It is left out when every operation
 * has one record, which is the rule.
 */

import { type BatchHeader, shardPosition } from "../format/frame.ts";
import { encodePackedLocation } from "../format/packed-location.ts";
import { type BatchRecord, decodeRecords, encodeRecords } from "../format/records.ts";
import type { IndexMutation } from "../index/ordered-index.ts";
import { encodeEntry, orderOf } from "./index-entry.ts";

const startsKey = Uint8Array.of(0x00);

/** Where the frames of a pack end. */
export interface PackEnd {
  readonly pack: number;
  readonly position: number;
}

const packEndKey = Uint8Array.of(0x05);

export function encodeBatchRecords(
  operationStarts: readonly number[],
  changes: readonly BatchRecord[],
  before: PackEnd | undefined,
): Uint8Array {
  const records = before === undefined ? [...changes] : [...changes, packEndRecord(before)];
  if (operationStarts.length === changes.length) return encodeRecords(records);
  const value = new Uint8Array(operationStarts.length * 4);
  const view = new DataView(value.buffer);
  operationStarts.forEach((start, i) => {
    view.setUint32(i * 4, start, true);
  });
  return encodeRecords([...records, { key: startsKey, value, payload: undefined }]);
}

function packEndRecord({ pack, position }: PackEnd): BatchRecord {
  const value = new Uint8Array(12);
  const view = new DataView(value.buffer);
  view.setUint32(0, pack, true);
  view.setBigUint64(4, BigInt(position), true);
  return { key: packEndKey, value, payload: undefined };
}

/** Where the pack before ends, if this frame says so. @throws FORMAT_DAMAGED */
export function packEndIn(recordsBytes: Uint8Array): PackEnd | undefined {
  const value = decodeRecords(recordsBytes).slice(-2).find(isPackEnd)?.value;
  if (value?.byteLength !== 12) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { pack: view.getUint32(0, true), position: Number(view.getBigUint64(4, true)) };
}

function isPackEnd({ key }: BatchRecord): boolean {
  return key.byteLength === 1 && key[0] === packEndKey[0];
}

/** What a committed batch changes in the index, from its header and records: the same as its commit did. @throws FORMAT_DAMAGED */
export function replayBatch(header: BatchHeader, recordsBytes: Uint8Array): IndexMutation[] {
  const records = decodeRecords(recordsBytes);
  const last = records.at(-1);
  let starts: Uint8Array | undefined;
  if (last !== undefined && last.key.byteLength === 1 && last.key[0] === 0) {
    starts = last.value;
    records.pop();
  }
  const end = records.at(-1);
  if (end !== undefined && isPackEnd(end)) records.pop();
  const view = starts === undefined ? undefined : new DataView(starts.buffer, starts.byteOffset, starts.byteLength);
  let operation = 0;
  let place = 0;
  return records.map((record, i) => {
    if (view === undefined) place = i;
    else if (operation * 4 < view.byteLength && view.getUint32(operation * 4, true) === i) {
      place = i;
      operation++;
    }
    return toMutation(header, record, orderOf(header.sequence, place));
  });
}

function toMutation(header: BatchHeader, record: BatchRecord, order: number): IndexMutation {
  const { key, value, payload } = record;
  if (value === undefined) return { key, value: undefined };
  if (payload === undefined || payload instanceof Uint8Array) return { key, value: encodeEntry({ order, value, payload }) };
  const { pack, shardBytes, layout } = header;
  const location = encodePackedLocation({ pack, shardPosition: shardPosition(header), shardBytes, layout, ...payload });
  return { key, value: encodeEntry({ order, value, payload: location }) };
}
