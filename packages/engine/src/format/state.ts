/**
 * The state file of a drive: the epoch it has promised to, and where its packs ended when it was closed. 128 bytes, replaced as a whole.
 * Drawn in docs/formats/label.md. A damaged state costs a longer recovery, never data: the packs are the truth.
 */
import { invariant } from "../base/invariant.ts";
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
  writeId,
} from "./sealed-header.ts";

const kind: HeaderKind = { name: "a drive's state", magic: "HFst", version: 1 };

/** Bytes of a state file. */
const stateBytes = sealedHeaderBytes;

/** What a drive remembers beside its packs. */
export interface DriveState {
  readonly setId: string;
  /** The highest epoch this drive has seen: it takes no frame of a lower one. */
  readonly epoch: number;
  /** The first sequence number of that epoch: frames of lower epochs at or above it are cut. */
  readonly firstSequence: number;
  /** True when everything up to `lastSequence` was closed in order and nothing was written since. */
  readonly clean: boolean;
  /** The last sequence number committed; means something only when `clean`. */
  readonly lastSequence: number;
  /** The pack that was open for appending. */
  readonly activePack: number;
  /** Where its next frame goes. */
  readonly activePosition: number;
}

/** The bytes of a state file. */
export function encodeState(state: DriveState): Uint8Array {
  invariant(isState(state), "a drive's state is in range before it is written");
  const bytes = new Uint8Array(stateBytes);
  const view = startHeader(kind, bytes, 0);
  view.setUint8(5, state.clean ? 1 : 0);
  view.setUint32(8, state.epoch, true);
  view.setUint32(12, state.activePack, true);
  setU64(view, 16, state.firstSequence);
  setU64(view, 24, state.lastSequence);
  setU64(view, 32, state.activePosition);
  writeId(bytes, 40, state.setId);
  sealHeader(bytes, 0);
  return bytes;
}

/** The state in a state file, or undefined when it is damaged. @throws FORMAT_TOO_NEW */
export function parseState(bytes: Uint8Array): DriveState | undefined {
  if (bytes.byteLength !== stateBytes) return undefined;
  const view = openHeader(kind, bytes, 0);
  if (view === undefined || view.getUint8(5) > 1 || view.getUint16(6, true) !== 0 || !isZero(view, 56, 120)) return undefined;
  const state: DriveState = {
    setId: readId(bytes, 40),
    epoch: view.getUint32(8, true),
    firstSequence: getU64(view, 16),
    clean: view.getUint8(5) === 1,
    lastSequence: getU64(view, 24),
    activePack: view.getUint32(12, true),
    activePosition: getU64(view, 32),
  };
  return isState(state) ? state : undefined;
}

function isState(state: DriveState): boolean {
  const { epoch, firstSequence, lastSequence, activePack, activePosition } = state;
  return isId(state.setId) && isU32(epoch) && isU32(activePack) && [firstSequence, lastSequence, activePosition].every(isU53);
}
