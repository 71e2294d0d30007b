/**
 * The label of a drive: who it is and where it belongs. Drawn in docs/formats/label.md.
 *
 *     0 magic "HFlb" · 4 version u8 · 5 zero ×3 · 8 length u32 · 12 a MessagePack map of that length · XXH3-64 of all before it
 *
 * The file is replaced as a whole, so there is no torn label: one that does not parse is damaged and an operator decides. Keys of the
 * map that this release does not know are kept in `extra` and written back.
 */
import { Packr } from "msgpackr";
import { HoldfastError } from "../base/errors.ts";
import type { DriveId, SetId, StoreId } from "../base/ids.ts";
import { invariant } from "../base/invariant.ts";
import { setDrivesMax } from "../base/limits.ts";
import { MiB } from "../base/units.ts";
import { checksumBytes, matchesChecksum, writeChecksum } from "../codec/xxh3.ts";
import { isShape } from "./layout.ts";
import { type HeaderKind, hasMagic, isId, isReadableVersion, isU53, viewOf, writeMagic } from "./sealed-header.ts";

const kind: HeaderKind = { name: "a drive's label", magic: "HFlb", version: 1 };
const mapAt = 12;
/** Far above the label of a thousand sets of 64 drives (64 × 35 bytes each). */
const labelBytesMax = 16 * MiB;

/** One set of the store, as every drive's label tells it. */
export interface LabelSet {
  readonly setId: SetId;
  /** k and m of the set by default. */
  readonly data: number;
  readonly parity: number;
  /** The drives of the set by their number in it: at least k + m, at most 64. */
  readonly drives: readonly DriveId[];
}

/** Who a drive is and where it belongs. */
export interface DriveLabel {
  readonly storeId: StoreId;
  readonly driveId: DriveId;
  readonly setId: SetId;
  /** This drive's number in its set. */
  readonly slotInSet: number;
  readonly createdMs: number;
  /** Every set of the store. */
  readonly sets: readonly LabelSet[];
  /** Counts the changes of the store's sets: of two labels that differ, the higher one is newer. */
  readonly labelSequence: number;
  /** Fields a newer release added, kept as they are. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Plain maps with the shortest heads, nothing that one run remembers for the next: the bytes follow from the value. */
const packr = new Packr({ useRecords: false, variableMapSize: true, mapsAsObjects: true, moreTypes: false });

/** The bytes of a label file. */
export function encodeLabel(label: DriveLabel): Uint8Array {
  const fault = labelFault(label);
  invariant(fault === undefined, `a drive's label is sound before it is written: ${fault}`);
  const { storeId, driveId, setId, slotInSet, createdMs, labelSequence, extra } = label;
  const sets = label.sets.map((set) => ({ setId: set.setId, data: set.data, parity: set.parity, drives: [...set.drives] }));
  const map = packr.pack({ ...extra, storeId, driveId, setId, slotInSet, createdMs, sets, labelSequence });
  const bytes = new Uint8Array(mapAt + map.byteLength + checksumBytes);
  invariant(bytes.byteLength <= labelBytesMax, "a label stays below its limit");
  writeMagic(kind, bytes, 0);
  viewOf(bytes, 0, mapAt).setUint32(8, map.byteLength, true);
  bytes.set(map, mapAt);
  writeChecksum(bytes, mapAt + map.byteLength, bytes.subarray(0, mapAt + map.byteLength));
  return bytes;
}

/** The label in a label file. @throws LABEL_DAMAGED, FORMAT_TOO_NEW */
export function parseLabel(bytes: Uint8Array): DriveLabel {
  if (bytes.byteLength > labelBytesMax) throw damaged(`it has ${bytes.byteLength} bytes`);
  if (bytes.byteLength < mapAt + checksumBytes) throw damaged("it is cut short");
  if (!hasMagic(kind, bytes, 0)) throw damaged("it does not start as one");
  const checksumAt = bytes.byteLength - checksumBytes;
  if (viewOf(bytes, 0, mapAt).getUint32(8, true) !== checksumAt - mapAt) throw damaged("its length is not what it says");
  if (!matchesChecksum(bytes, checksumAt, bytes.subarray(0, checksumAt))) throw damaged("its checksum does not match");
  if (!isReadableVersion(kind, bytes[4] as number)) throw damaged("its version never was");
  if (bytes[5] !== 0 || bytes[6] !== 0 || bytes[7] !== 0) throw damaged("bytes that must be zero are not");
  return toLabel(unpackMap(bytes.subarray(mapAt, checksumAt)));
}

function unpackMap(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = packr.unpack(bytes);
  } catch (cause) {
    throw damaged("its map is malformed", cause);
  }
  if (!isMap(value)) throw damaged("it holds no map");
  return value;
}

function toLabel(map: Record<string, unknown>): DriveLabel {
  const { storeId, driveId, setId, slotInSet, createdMs, sets, labelSequence, ...extra } = map;
  if (!Array.isArray(sets) || !sets.every(isMap)) throw damaged("it has no list of sets");
  const known = sets.map(({ setId, data, parity, drives }) => ({ setId, data, parity, drives }));
  const fields = { storeId, driveId, setId, slotInSet, createdMs, sets: known, labelSequence } as unknown as DriveLabel;
  const fault = labelFault(fields);
  if (fault !== undefined) throw damaged(fault);
  return Object.keys(extra).length === 0 ? fields : { ...fields, extra };
}

/** What is wrong with a label, asked before one is written and after one is read. */
function labelFault(label: DriveLabel): string | undefined {
  if (!isId(label.storeId) || !isId(label.driveId) || !isId(label.setId)) return "an id is malformed";
  if (!isU53(label.createdMs) || !isU53(label.labelSequence)) return "a time or a sequence number is out of range";
  for (const set of label.sets) {
    const fault = setFault(set);
    if (fault !== undefined) return fault;
  }
  const own = label.sets.find((set) => set.setId === label.setId);
  if (own === undefined) return "its own set is not among the sets";
  return own.drives[label.slotInSet] === label.driveId ? undefined : "its set has another drive in its place";
}

function setFault(set: LabelSet): string | undefined {
  if (!isId(set.setId) || !Array.isArray(set.drives) || !set.drives.every(isId)) return "an id of a set is malformed";
  if (!isShape(set.data, set.parity)) return "a set has a shape that cannot be";
  if (set.drives.length < set.data + set.parity || set.drives.length > setDrivesMax) return "a set has too few or too many drives";
  return new Set(set.drives).size === set.drives.length ? undefined : "a set names a drive twice";
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function damaged(why: string, cause?: unknown): HoldfastError {
  const message = `the drive's label is damaged: ${why}. Restore the label, or take the drive out and rebuild it on an empty one`;
  return new HoldfastError("LABEL_DAMAGED", message, { details: { why }, cause });
}
