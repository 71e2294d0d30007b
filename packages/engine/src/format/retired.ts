/**
 * The file of retired packs: which packs of a set count for nothing any more, because what was live in them was written again. The same on
 * every drive, replaced as a whole; only ever grows. Drawn in docs/formats/retired.md.
 *
 *     sealed header: 8 number of ranges u32 · 16 throughSequence u64 · 24 checksum of the ranges · 32 set id
 *     128            ranges: first pack u32 · last pack u32, ascending, at least one pack between two
 *
 * A drive whose file is damaged says nothing: the others tell.
 */
import { invariant } from "../base/invariant.ts";
import { matchesChecksum, writeChecksum } from "../codec/xxh3.ts";
import {
  getU64,
  type HeaderKind,
  isId,
  isU32,
  isU53,
  isZero,
  openHeader,
  readId,
  sealedHeaderBytes,
  sealHeader,
  setU64,
  startHeader,
  viewOf,
  writeId,
} from "./sealed-header.ts";

const kind: HeaderKind = { name: "a drive's list of retired packs", magic: "HFrt", version: 1 };
const rangeBytes = 8;
const checksumAt = 24;

/** Packs from `first` to `last`, both included. */
export interface PackRange {
  readonly first: number;
  readonly last: number;
}

/** What a drive says of retired packs. */
export interface RetiredList {
  readonly setId: string;
  /** No retired pack has a batch above this sequence. An index that is not so far yet cannot be brought to the log's end without them. */
  readonly throughSequence: number;
  /** Ascending, at least one pack apart. */
  readonly ranges: readonly PackRange[];
}

/** The bytes of the file. */
export function encodeRetired(list: RetiredList): Uint8Array {
  invariant(isRetiredList(list), "a list of retired packs is in range before it is written");
  const bytes = new Uint8Array(sealedHeaderBytes + list.ranges.length * rangeBytes);
  const view = startHeader(kind, bytes, 0);
  view.setUint32(8, list.ranges.length, true);
  setU64(view, 16, list.throughSequence);
  writeId(bytes, 32, list.setId);
  const body = viewOf(bytes, sealedHeaderBytes, bytes.byteLength - sealedHeaderBytes);
  list.ranges.forEach(({ first, last }, i) => {
    body.setUint32(i * rangeBytes, first, true);
    body.setUint32(i * rangeBytes + 4, last, true);
  });
  writeChecksum(bytes, checksumAt, bytes.subarray(sealedHeaderBytes));
  sealHeader(bytes, 0);
  return bytes;
}

/** The list in a file, or undefined when it is damaged. @throws FORMAT_TOO_NEW */
export function parseRetired(bytes: Uint8Array): RetiredList | undefined {
  const view = openHeader(kind, bytes, 0);
  if (view === undefined) return undefined;
  const count = view.getUint32(8, true);
  if (bytes.byteLength !== sealedHeaderBytes + count * rangeBytes) return undefined;
  if (!isZero(view, 5, 8) || view.getUint32(12, true) !== 0 || !isZero(view, 48, 120)) return undefined;
  if (!matchesChecksum(bytes, checksumAt, bytes.subarray(sealedHeaderBytes))) return undefined;
  const body = viewOf(bytes, sealedHeaderBytes, count * rangeBytes);
  const ranges = Array.from({ length: count }, (_, i) => ({
    first: body.getUint32(i * rangeBytes, true),
    last: body.getUint32(i * rangeBytes + 4, true),
  }));
  const list = { setId: readId(bytes, 32), throughSequence: getU64(view, 16), ranges };
  return isRetiredList(list) ? list : undefined;
}

function isRetiredList({ setId, throughSequence, ranges }: RetiredList): boolean {
  let before = -1;
  for (const { first, last } of ranges) {
    if (!isU32(first) || !isU32(last) || first > last || first <= before) return false;
    before = last + 1;
  }
  return isId(setId) && isU53(throughSequence);
}
