/**
 * Committing a change of one object key in the set the key is mapped to, whatever happens to that mapping meanwhile.
 *
 * A change passes the gate of its bucket, so that the bucket is there and stays as it is, and the gate of the topology, so that the key
 * stays mapped as it is, until its commit settles. A key in transit is moved first. One that cannot be moved (its body is damaged beyond
 * repair, the target is full or takes no writes) is changed where it is, alone in the key's gate: so what is damaged can be deleted.
 *
 * A body written as a blob lies in the set its key was mapped to when it was begun; it is copied when that is another set by now.
 */
import { type HoldfastError, isHoldfastError, throwIfAborted } from "../base/errors.ts";
import type { BlobLocation, CommitOptions, ErasureSet, SetOperation } from "../set/erasure-set.ts";
import type { BucketState } from "./bucket-record.ts";
import { clearMarked } from "./clear-key.ts";
import { bucketNotFound, type KeyAddress, type ObjectContext } from "./context.ts";
import { copyBlob } from "./copy-blob.ts";
import type { ObjectKey } from "./key-entries.ts";
import { moveKey } from "./move-key.ts";
import { noPace, planMove } from "./plan-move.ts";

/** A blob that no commit names yet, and the set it lies in. */
export interface PlacedBlob {
  readonly set: ErasureSet;
  readonly blob: BlobLocation;
}

interface KeyChange<T> {
  readonly address: KeyAddress;
  readonly operation: SetOperation<T>;
  /** The only set it may be committed in, for one that names a blob. */
  readonly within: ErasureSet | undefined;
  /** Given to the commit. */
  readonly commitOptions: CommitOptions | undefined;
  /** Ends moving the key beforehand. */
  readonly signal: AbortSignal | undefined;
}

/** Instead of a commit's value: the set it would have to be committed in. */
class Elsewhere {
  readonly set: ErasureSet;

  constructor(set: ErasureSet) {
    this.set = set;
  }
}

/** Instead of a commit's value: the key was in transit. */
const unsettled = Symbol("unsettled");

/** Commits a change of a key that names no blob. @throws BUCKET_NOT_FOUND, and what its decision throws */
export function commitOnKey<T>(context: ObjectContext, address: KeyAddress, operation: SetOperation<T>, signal?: AbortSignal): Promise<T> {
  const commitOptions = signal === undefined ? undefined : { signal };
  // One that may be committed anywhere is never to be committed elsewhere.
  return tryCommit(context, { address, operation, within: undefined, commitOptions, signal }) as Promise<T>;
}

/**
 * Commits a change that names a blob, and discards the blob when it did not happen. The signal is looked at before, not during: a commit
 * given up on half-way could still happen, and its blob would be gone.
 */
export async function commitBlobOnKey<T>(
  context: ObjectContext,
  address: KeyAddress,
  body: { readonly placed: PlacedBlob; readonly operationFor: (blob: BlobLocation) => SetOperation<T> },
  signal: AbortSignal | undefined,
): Promise<T> {
  let { placed } = body;
  try {
    for (;;) {
      throwIfAborted(signal);
      const change = { address, operation: body.operationFor(placed.blob), within: placed.set, commitOptions: undefined, signal };
      const outcome = await tryCommit(context, change);
      if (!(outcome instanceof Elsewhere)) return outcome;
      placed = await relocate(placed, outcome.set, address, signal);
    }
  } catch (error) {
    if (!mayHaveHappened(error)) await placed.set.discardBlob(placed.blob);
    throw error;
  }
}

/** Runs `run` inside the gates of a bucket and of the topology. @throws BUCKET_NOT_FOUND */
export async function insideGates<T>(context: ObjectContext, bucket: BucketState, run: () => Promise<T> | T): Promise<T> {
  const { gate } = context.topology;
  const entered = bucket.gate.enter();
  if (entered !== undefined) await entered;
  try {
    const passed = gate.enter();
    if (passed !== undefined) await passed;
    try {
      if (bucket.deleted) throw bucketNotFound(bucket.name);
      return await run();
    } finally {
      gate.leave();
    }
  } finally {
    bucket.gate.leave();
  }
}

/** Commits in the home set. */
export async function commitHome<T>(context: ObjectContext, operation: SetOperation<T>, options?: CommitOptions): Promise<T> {
  const { topology } = context;
  const passed = topology.gate.enter();
  if (passed !== undefined) await passed;
  try {
    return await topology.homeSet.commit(operation, options);
  } finally {
    topology.gate.leave();
  }
}

/** The key of an address. */
export function keyOf(address: KeyAddress): ObjectKey {
  return { bucketId: address.bucket.record.id, keyBytes: address.keyBytes };
}

async function tryCommit<T>(context: ObjectContext, change: KeyChange<T>): Promise<T | Elsewhere> {
  const { topology, keyGate } = context;
  const key = keyOf(change.address);
  for (;;) {
    if (!topology.isSettled(key)) {
      const outcome = await keyGate.run(key, () => settle(context, change, key));
      if (outcome !== unsettled) return outcome;
      throwIfAborted(change.signal);
    }
    const outcome = await insideGates<T | Elsewhere | typeof unsettled>(context, change.address.bucket, () =>
      topology.isSettled(key) ? commitIn(topology.choose(key), change) : unsettled,
    );
    if (outcome !== unsettled) return outcome;
  }
}

/**
 * Moves a key to where it is mapped, where the change is still to be committed; commits it where the key is when that cannot be done. Alone
 * in the key's gate.
 */
async function settle<T>(context: ObjectContext, change: KeyChange<T>, key: ObjectKey): Promise<T | Elsewhere | typeof unsettled> {
  const { topology } = context;
  if (topology.isSettled(key)) return unsettled;
  const { generation } = topology;
  const move = planMove(context, key, { pace: noPace, signal: change.signal });
  try {
    await moveKey(move);
    return unsettled;
  } catch (error) {
    if (topology.generation !== generation) return unsettled;
    if (!isHoldfastError(error) || mayHaveHappened(error) || !leavesChangesPossible(error)) throw error;
    // What is marked in the target would outlive a change of what it is a copy of.
    await clearMarked(move);
    return await insideGates<T | Elsewhere | typeof unsettled>(context, change.address.bucket, () => {
      if (topology.generation !== generation) return unsettled;
      const owner = topology.ownerOf(key);
      if (owner === topology.choose(key)) throw error;
      topology.changesOutOfPlace++;
      return commitIn(owner, change);
    });
  }
}

function commitIn<T>(set: ErasureSet, { within, operation, commitOptions }: KeyChange<T>): Promise<T> | Elsewhere {
  return within === undefined || within === set ? set.commit(operation, commitOptions) : new Elsewhere(set);
}

async function relocate(placed: PlacedBlob, set: ErasureSet, address: KeyAddress, signal: AbortSignal | undefined): Promise<PlacedBlob> {
  const reader = placed.set.openBlob(placed.blob);
  let blob: BlobLocation;
  try {
    blob = await copyBlob(reader, set, { profile: address.bucket.record.erasure, pace: noPace, signal });
  } finally {
    reader.close();
  }
  await placed.set.discardBlob(placed.blob);
  return { set, blob };
}

/** Errors of a move that say nothing against changing the key where it is. */
function leavesChangesPossible({ kind }: HoldfastError): boolean {
  return kind === "data" || kind === "unavailable" || kind === "exhausted";
}

/** True when only a reopen decides whether a commit has happened. */
export function mayHaveHappened(error: unknown): boolean {
  return isHoldfastError(error) && error.details.indeterminate === true;
}
