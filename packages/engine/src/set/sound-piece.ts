import { isHoldfastError } from "../base/errors.ts";
import { matchesPart, type PieceHeader, parsePieceHeader, partRange, samePiece } from "../format/shard-file.ts";
import { piecePartsOf } from "../format/shard-geometry.ts";

/** True when a piece with its header, as read, is the one expected and all of it matches its checksums. */
export function isSoundPiece(bytes: Uint8Array, headerBytes: number, facts: PieceHeader): boolean {
  const header = parseKnown(() => parsePieceHeader(bytes));
  if (header === undefined || !samePiece(header, facts)) return false;
  const piece = bytes.subarray(headerBytes);
  for (let part = 0; part < piecePartsOf(facts.pieceBytes); part++) {
    const { start, end } = partRange(facts.pieceBytes, part);
    if (!matchesPart(bytes, 0, part, piece.subarray(start, end))) return false;
  }
  return true;
}

/** What was parsed; a header of a later format is, where one of this format belongs, just not there. */
export function parseKnown<T>(parse: () => T | undefined): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (isHoldfastError(error, "FORMAT_TOO_NEW")) return undefined;
    throw error;
  }
}
