/**
 * Which shards of a stripe are wrong, when those that are there do not agree with each other: the fewest without which the rest agree and,
 * where payloads have checksums of their own, gives payloads that match them.
 */
import { codeKernel } from "../codec/code-kernel.ts";
import type { CodeShape } from "../codec/kernel.ts";

/** By slot; undefined where there is none. */
export type Shards = readonly (Uint8Array | undefined)[];

export interface SettledShards {
  /** Slots whose shards are wrong. */
  readonly wrong: readonly number[];
  /** The k data shards as they should be. */
  readonly data: readonly Uint8Array[];
}

/** Sets of shards taken for wrong that are tried, at most. */
const trialsMax = 500;

/** True when the shards that are there agree; k or fewer cannot disagree. */
export function shardsAgree(shape: CodeShape, shards: Shards): boolean {
  const there = shards.filter((shard) => shard !== undefined);
  if (there.length <= shape.data) return true;
  return codeKernel().verify(shape, fillShards(shape, shards));
}

/** All k + m shards from k or more of them. */
export function fillShards(shape: CodeShape, shards: Shards): Uint8Array[] {
  const length = shards.find((shard) => shard !== undefined)?.byteLength ?? 0;
  const wanted = new Map<number, Uint8Array>();
  for (let slot = 0; slot < shape.data + shape.parity; slot++) if (shards[slot] === undefined) wanted.set(slot, new Uint8Array(length));
  if (wanted.size > 0) codeKernel().reconstruct(shape, shards, wanted);
  return Array.from({ length: shape.data + shape.parity }, (_, slot) => shards[slot] ?? (wanted.get(slot) as Uint8Array));
}

/**
 * Settles which shards are right. With `accepts`, which judges the data shards, k shards are enough and the first that is accepted counts;
 * without it, one more must confirm, and there must be no second answer. Undefined when there is none.
 */
export function settleShards(
  shape: CodeShape,
  shards: Shards,
  options: { readonly sure?: ReadonlySet<number>; readonly accepts?: ((data: readonly Uint8Array[]) => boolean) | undefined },
): SettledShards | undefined {
  const { sure, accepts } = options;
  const needed = accepts === undefined ? shape.data + 1 : shape.data;
  const there = [...shards.keys()].filter((slot) => shards[slot] !== undefined);
  // Parity first: what no payload tells is better left as the data shards have it.
  const doubtful = there.filter((slot) => sure?.has(slot) !== true).reverse();
  let trials = 0;
  for (let count = 0; count <= Math.min(doubtful.length, there.length - needed); count++) {
    const answers: SettledShards[] = [];
    for (const wrong of combinations(doubtful, count)) {
      if (++trials > trialsMax) return undefined;
      const rest = shards.map((shard, slot) => (wrong.includes(slot) ? undefined : shard));
      if (!shardsAgree(shape, rest)) continue;
      const data = fillShards(shape, rest).slice(0, shape.data);
      if (accepts === undefined) answers.push({ wrong, data });
      else if (accepts(data)) return { wrong, data };
    }
    if (answers.length > 0) return answers.length === 1 ? answers[0] : undefined;
  }
  return undefined;
}

function* combinations(slots: readonly number[], count: number, from = 0): Generator<number[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let i = from; i <= slots.length - count; i++) {
    for (const rest of combinations(slots, count - 1, i + 1)) yield [slots[i] as number, ...rest];
  }
}
