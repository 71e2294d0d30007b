/** What every kernel checks at its door, so that no loop has to. A failure is a defect of the caller, never of stored bytes. */
import { invariant } from "../base/invariant.ts";
import { dataMax, dataMaxWithFourParity, parityMax, unitBytes } from "../base/limits.ts";
import type { CodeShape } from "./kernel.ts";

/** Requires a shape the code can hold: 1 ≤ k ≤ 60 (21 when m is 4), 0 ≤ m ≤ 4. Shapes from users are validated higher up. */
export function checkShape(shape: CodeShape): void {
  const { data, parity } = shape;
  invariant(Number.isInteger(parity) && parity >= 0 && parity <= parityMax, "a code has 0 to 4 parity shards");
  const most = parity === parityMax ? dataMaxWithFourParity : dataMax;
  invariant(Number.isInteger(data) && data >= 1 && data <= most, "a code has 1 to 60 data shards, 21 with four parity shards");
}

/** Requires `count` shards of one length, a multiple of 128, and gives that length. */
export function checkShards(shards: readonly Uint8Array[], count: number, sentence: string): number {
  invariant(shards.length === count, sentence);
  const length = shards[0]?.byteLength ?? 0;
  invariant(length % unitBytes === 0, "a shard is a whole number of 128-byte units");
  checkLengths(shards, length);
  return length;
}

/** Requires the buffers to have the length of the stripe's shards. */
function checkLengths(buffers: Iterable<Uint8Array | undefined>, length: number): void {
  for (const buffer of buffers) {
    invariant(buffer === undefined || buffer.byteLength === length, "the shards of a stripe have one length");
  }
}

/** What encoding checks: k data shards, m parity shards, one length, which it gives. */
export function checkEncoding(shape: CodeShape, data: readonly Uint8Array[], parity: readonly Uint8Array[]): number {
  checkShape(shape);
  const length = checkShards(data, shape.data, "encoding takes k data shards");
  invariant(parity.length === shape.parity, "encoding fills m parity shards");
  checkLengths(parity, length);
  return length;
}

/** How lost shards come back: the missing data shards are solved from as many parity shards, lost parity is encoded anew. */
export interface RecoveryPlan {
  /** Bytes of every shard. */
  readonly length: number;
  /** Missing data shards, ascending: the unknowns. Empty when only parity is wanted and all data is there, or nothing is missing. */
  readonly unknowns: readonly number[];
  /** The parity rows used as equations, as many as there are unknowns; the lowest that are there, as their arithmetic is cheapest. */
  readonly equations: readonly number[];
  /** Wanted data shards, ascending; each is one of the unknowns. */
  readonly wantedData: readonly number[];
  /** Rows of the wanted parity shards, ascending. */
  readonly wantedRows: readonly number[];
}

/** Plans a reconstruction and checks its arguments. */
export function planRecovery(
  shape: CodeShape,
  shards: readonly (Uint8Array | undefined)[],
  wanted: ReadonlyMap<number, Uint8Array>,
): RecoveryPlan {
  checkShape(shape);
  invariant(shards.length === shape.data + shape.parity, "a reconstruction gets a place for every shard");
  const present = shards.filter((shard) => shard !== undefined);
  invariant(present.length >= shape.data, "a reconstruction gets at least k shards");
  const length = checkShards(present, present.length, "every shard counts once");
  checkLengths(wanted.values(), length);
  const unknowns: number[] = [];
  const equations: number[] = [];
  for (let j = 0; j < shape.data; j++) if (shards[j] === undefined) unknowns.push(j);
  for (let r = 0; r < shape.parity && equations.length < unknowns.length; r++) {
    if (shards[shape.data + r] !== undefined) equations.push(r);
  }
  const indexes = [...wanted.keys()].sort((a, b) => a - b);
  for (const index of indexes) {
    const known = Number.isInteger(index) && index >= 0 && index < shards.length;
    invariant(known && shards[index] === undefined, "a wanted shard is one of the missing");
  }
  const wantedData = indexes.filter((index) => index < shape.data);
  const wantedRows = indexes.filter((index) => index >= shape.data).map((index) => index - shape.data);
  return { length, unknowns, equations, wantedData, wantedRows };
}
