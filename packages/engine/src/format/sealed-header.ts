/**
 * The shape every fixed header of the store shares, in every version of every format: 128 bytes, of which
 *
 *     0  4 bytes of magic        4  u8 version        120  XXH3-64 of bytes 0 to 120
 *
 * This shape never changes, so any release can tell a damaged header (no header at all, to it) from a sound one of a newer
 * release. Bytes a version does not use are zero; a writer that gives one a meaning raises the version. All integers are
 * little-endian.
 */
import { fromHex, toHex } from "../base/bytes.ts";
import { HoldfastError } from "../base/errors.ts";
import { idBytes } from "../base/ids.ts";
import { invariant } from "../base/invariant.ts";
import { checksumBytes, matchesChecksum, writeChecksum } from "../codec/xxh3.ts";

/** Bytes of a sealed header. */
export const sealedHeaderBytes = 128;
const checksumAt = sealedHeaderBytes - checksumBytes;

/** What tells one kind of header from another. */
export interface HeaderKind {
  /** What it heads, for messages: "pack frame". */
  readonly name: string;
  /** The four letters of its magic. */
  readonly magic: string;
  /** The version this release writes, and the newest it reads. */
  readonly version: number;
}

/** Clears a header's place, writes magic and version, and gives a view of it for the rest; end with {@link sealHeader}. */
export function startHeader(kind: HeaderKind, target: Uint8Array, at: number): DataView {
  invariant(at + sealedHeaderBytes <= target.byteLength, "a header fits its target");
  target.fill(0, at, at + sealedHeaderBytes);
  writeMagic(kind, target, at);
  return viewOf(target, at, sealedHeaderBytes);
}

/** Writes magic and version. */
export function writeMagic(kind: HeaderKind, target: Uint8Array, at: number): void {
  for (let i = 0; i < 4; i++) target[at + i] = kind.magic.charCodeAt(i);
  target[at + 4] = kind.version;
}

/** Writes the checksum of a filled header. */
export function sealHeader(target: Uint8Array, at: number): void {
  writeChecksum(target, at + checksumAt, target.subarray(at, at + checksumAt));
}

/**
 * A view of a sound header of this kind, of any version up to this release's; undefined when the bytes are none.
 * @throws FORMAT_TOO_NEW for a sound header of a newer version
 */
export function openHeader(kind: HeaderKind, bytes: Uint8Array, at: number): DataView | undefined {
  if (at < 0 || at + sealedHeaderBytes > bytes.byteLength || !hasMagic(kind, bytes, at)) return undefined;
  if (!matchesChecksum(bytes, at + checksumAt, bytes.subarray(at, at + checksumAt))) return undefined;
  if (!isReadableVersion(kind, bytes[at + 4] as number)) return undefined;
  return viewOf(bytes, at, sealedHeaderBytes);
}

/** True when the kind's magic lies at `at`. */
export function hasMagic(kind: HeaderKind, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 4; i++) if (bytes[at + i] !== kind.magic.charCodeAt(i)) return false;
  return true;
}

/** True for versions this release reads, false for ones that never were. Ask only after the checksum. @throws FORMAT_TOO_NEW */
export function isReadableVersion(kind: HeaderKind, version: number): boolean {
  if (version <= kind.version) return version >= 1;
  throw new HoldfastError(
    "FORMAT_TOO_NEW",
    `${kind.name} made by a newer Holdfast, format version ${version}; this one reads up to ${kind.version}: upgrade`,
    { details: { format: kind.magic, version, versionMax: kind.version } },
  );
}

/** A view of a part of an array. */
export function viewOf(bytes: Uint8Array, at: number, length: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + at, length);
}

/** A copy of a part of an array, never a Buffer. */
export function copyOf(bytes: Uint8Array, at: number, length: number): Uint8Array {
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(at, at + length));
  return copy;
}

/** True when every byte in [start, end) of the view is zero. */
export function isZero(view: DataView, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (view.getUint8(i) !== 0) return false;
  return true;
}

/** True for integers of 0 to 2^32 - 1. */
export function isU32(value: number): boolean {
  return value >>> 0 === value;
}

/** True for what an integer field of 64 bits may hold: 0 to 2^53 - 1. */
export function isU53(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Writes an integer of 0 to 2^53 - 1 as 64 bits. */
export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** The integer in 64 bits; NaN from 2^53 on. */
export function getU64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high < 2 ** 21 ? high * 2 ** 32 + view.getUint32(at, true) : Number.NaN;
}

/** Writes an integer of 0 to 2^48 - 1 as 48 bits. */
export function setU48(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint16(at + 4, Math.floor(value / 2 ** 32), true);
}

/** The integer in 48 bits. */
export function getU48(view: DataView, at: number): number {
  return view.getUint16(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** True for an id of 16 bytes as 32 lower-case hexadecimal digits. */
export function isId(id: unknown): id is string {
  return typeof id === "string" && /^[0-9a-f]{32}$/.test(id);
}

/** Writes an id of 32 hexadecimal digits as 16 bytes. */
export function writeId(target: Uint8Array, at: number, id: string): void {
  const bytes = fromHex(id);
  invariant(bytes.byteLength === idBytes, "an id has 32 hexadecimal digits");
  target.set(bytes, at);
}

/** The id in 16 bytes, as 32 hexadecimal digits. */
export function readId(bytes: Uint8Array, at: number): string {
  return toHex(bytes.subarray(at, at + idBytes));
}
