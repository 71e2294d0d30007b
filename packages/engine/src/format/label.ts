/**
 * The label of a drive: who it is and where it belongs. Drawn in docs/formats/label.md.
 *
 *     0 magic "HFlb" · 4 version u8 · 5 zero ×3 · 8 length u32 · 12 a MessagePack map of that length · XXH3-64 of all before it
 *
 * The file is replaced as a whole, so there is no torn label: one that does not parse is damaged and an operator decides. Keys of the
 * map that this release does not know are kept in `extra` and written back.
 *
 * Version 2 is written only while the store is changing shape or has: places of a set that drives have left, drives and sets being emptied,
 * weights of sets, keys on their way between sets. An older release, which would count the drives differently, refuses such a label.
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

const kind: HeaderKind = { name: "a drive's label", magic: "HFlb", version: 2 };
const mapAt = 12;
/** Far above the label of a thousand sets of 64 drives (64 × 35 bytes each). */
const labelBytesMax = 16 * MiB;

/** One set of the store, as every drive's label tells it. */
export interface LabelSet {
  readonly setId: SetId;
  /** k and m of the set by default. */
  readonly data: number;
  readonly parity: number;
  /** The drives of the set by their number in it, those that have left included: at least k + m, at most 64. */
  readonly drives: readonly DriveId[];
  /** The set's share of the keys beside other sets'; its number of drives when undefined; 0 when it takes no new keys (yet, or any more). */
  readonly weight?: number;
  /** Its keys are being moved to the other sets, then it goes. */
  readonly draining?: boolean;
  /** Numbers of the drives that are being emptied, ascending. */
  readonly drainingDrives?: readonly number[];
  /** Numbers of the drives that have left for good, ascending: nothing refers to them, nothing counts them, their numbers are not used again. */
  readonly leftDrives?: readonly number[];
}

/** A set and its share of the keys. */
export interface SetWeight {
  readonly setId: SetId;
  readonly weight: number;
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
  /** While keys move between sets: the sets they were chosen from before, those of old keys included that have not moved yet. */
  readonly movingFrom?: readonly SetWeight[];
  /** Fields a newer release added, kept as they are. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Plain maps with the shortest heads, nothing that one run remembers for the next: the bytes follow from the value. */
const packr = new Packr({ useRecords: false, variableMapSize: true, mapsAsObjects: true, moreTypes: false });

/** The bytes of a label file. */
export function encodeLabel(label: DriveLabel): Uint8Array {
  const fault = labelFault(label);
  invariant(fault === undefined, `a drive's label is sound before it is written: ${fault}`);
  const { storeId, driveId, setId, slotInSet, createdMs, labelSequence, movingFrom, extra } = label;
  const sets = label.sets.map(toStoredSet);
  const moving = movingFrom === undefined ? {} : { movingFrom: movingFrom.map(({ setId, weight }) => ({ setId, weight })) };
  const map = packr.pack({ ...extra, storeId, driveId, setId, slotInSet, createdMs, sets, labelSequence, ...moving });
  const bytes = new Uint8Array(mapAt + map.byteLength + checksumBytes);
  invariant(bytes.byteLength <= labelBytesMax, "a label stays below its limit");
  writeMagic(kind, bytes, 0);
  if (isPlain(label)) bytes[4] = 1;
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
  return toLabel(unpackMap(bytes.subarray(mapAt, checksumAt)), bytes[4] as number);
}

/** True for a label that version 1 holds. */
function isPlain({ sets, movingFrom }: DriveLabel): boolean {
  return movingFrom === undefined && sets.every((set) => Object.keys(laterFields(set)).length === 0);
}

function toStoredSet(set: LabelSet): Record<string, unknown> {
  return { setId: set.setId, data: set.data, parity: set.parity, drives: [...set.drives], ...laterFields(set) };
}

/** The fields of version 2 that a set has. */
function laterFields({ weight, draining, drainingDrives, leftDrives }: LabelSet): Partial<LabelSet> {
  return {
    ...(weight === undefined ? {} : { weight }),
    ...(draining === true ? { draining } : {}),
    ...(drainingDrives === undefined || drainingDrives.length === 0 ? {} : { drainingDrives: [...drainingDrives] }),
    ...(leftDrives === undefined || leftDrives.length === 0 ? {} : { leftDrives: [...leftDrives] }),
  };
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

function toLabel(map: Record<string, unknown>, version: number): DriveLabel {
  const { storeId, driveId, setId, slotInSet, createdMs, sets, labelSequence, ...others } = map;
  if (!Array.isArray(sets) || !sets.every(isMap)) throw damaged("it has no list of sets");
  const known = sets.map(({ setId, data, parity, drives, ...later }) => {
    const plain = { setId, data, parity, drives };
    return version === 1 ? plain : { ...plain, ...pick(later, "weight", "draining", "drainingDrives", "leftDrives") };
  });
  const { movingFrom, ...rest } = others;
  const [moving, extra] = version === 1 || movingFrom === undefined ? [{}, others] : [{ movingFrom }, rest];
  const fields = { storeId, driveId, setId, slotInSet, createdMs, sets: known, labelSequence, ...moving } as unknown as DriveLabel;
  const fault = labelFault(fields);
  if (fault !== undefined) throw damaged(fault);
  return Object.keys(extra).length === 0 ? fields : { ...fields, extra };
}

function pick(map: Record<string, unknown>, ...names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.flatMap((name) => (map[name] === undefined ? [] : [[name, map[name]]])));
}

/** What is wrong with a label, asked before one is written and after one is read. */
function labelFault(label: DriveLabel): string | undefined {
  if (!isId(label.storeId) || !isId(label.driveId) || !isId(label.setId)) return "an id is malformed";
  if (!isU53(label.createdMs) || !isU53(label.labelSequence)) return "a time or a sequence number is out of range";
  for (const set of label.sets) {
    const fault = setFault(set);
    if (fault !== undefined) return fault;
  }
  if (label.movingFrom !== undefined && !isWeights(label.movingFrom)) return "it does not say where keys were before";
  const own = label.sets.find((set) => set.setId === label.setId);
  if (own === undefined) return "its own set is not among the sets";
  return own.drives[label.slotInSet] === label.driveId ? undefined : "its set has another drive in its place";
}

function setFault(set: LabelSet): string | undefined {
  if (!isId(set.setId) || !Array.isArray(set.drives) || !set.drives.every(isId)) return "an id of a set is malformed";
  if (!isShape(set.data, set.parity)) return "a set has a shape that cannot be";
  if (set.drives.length < set.data + set.parity || set.drives.length > setDrivesMax) return "a set has too few or too many drives";
  if (new Set(set.drives).size !== set.drives.length) return "a set names a drive twice";
  return laterFault(set);
}

function laterFault({ data, parity, drives, weight, draining, drainingDrives, leftDrives }: LabelSet): string | undefined {
  if (weight !== undefined && !isU53(weight)) return "the weight of a set is out of range";
  if (draining !== undefined && draining !== true) return "a set is being emptied or it is not";
  const [emptied, left] = [drainingDrives ?? [], leftDrives ?? []];
  if (!isOrdinals(emptied, drives.length) || !isOrdinals(left, drives.length)) return "a set names a drive by a number that is none";
  return drives.length - left.length < data + parity ? "too many drives have left a set" : undefined;
}

function isOrdinals(value: unknown, count: number): boolean {
  if (!Array.isArray(value)) return false;
  return value.every((ordinal, i) => isU53(ordinal) && ordinal < count && (i === 0 || ordinal > value[i - 1]));
}

function isWeights(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => isMap(entry) && isId(entry.setId as string) && isU53(entry.weight as number))
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function damaged(why: string, cause?: unknown): HoldfastError {
  const message = `the drive's label is damaged: ${why}. Restore the label, or take the drive out and rebuild it on an empty one`;
  return new HoldfastError("LABEL_DAMAGED", message, { details: { why }, cause });
}
