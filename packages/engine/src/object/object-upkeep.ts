/**
 * Upkeep of buckets and objects: what the owner of a store does beside serving it. All of it runs while the store is in use, can be ended at
 * any moment by its signal or by a crash, and goes on with what is left when it is begun again.
 *
 * How a topology is changed (sets added, taken out, or weighed otherwise):
 *   1. the new mapping, and every earlier one by which keys may still lie, is made durable by whoever keeps it
 *   2. `changeTopology` with both: from now on keys are mapped anew, and found wherever they are
 *   3. `moveKeys`; and `moveHome`, where the home set is to go
 *   4. when it reports nothing damaged or stray: the earlier mappings are forgotten, durably and by `changeTopology`; a set that
 *      `holdsNothing` may be left out
 * After a crash the store is opened with what was durable, and goes on with 3.
 */
import type { ErasureProfile, ErasureSet } from "../set/erasure-set.ts";
import type { WantedProfile } from "../set/recode-set.ts";
import { changeTopology } from "./change-topology.ts";
import type { ObjectContext } from "./context.ts";
import { moveHome } from "./move-home.ts";
import { holdsNothing, type MoveProgress, type MoveReport, moveKeys } from "./move-keys.ts";
import { type CollectedUploads, type CollectUploadsOptions, collectUploads } from "./multipart/collect-uploads.ts";
import { type ReprotectOptions, type ReprotectProgress, reprotect, wantedProfile } from "./reprotect.ts";
import { type RewriteProgress, rewriteBlobs, type ShouldRewrite } from "./rewrite-bodies.ts";
import type { TopologyState } from "./topology.ts";
import type { ObjectUpkeepOptions } from "./upkeep-options.ts";

export class ObjectUpkeep {
  readonly #context: ObjectContext;

  /** @internal */
  constructor(context: ObjectContext) {
    this.#context = context;
  }

  /** All sets, as they are now. */
  get sets(): readonly ErasureSet[] {
    return this.#context.topology.sets;
  }

  /** The set that keeps the buckets, as it is now. */
  get homeSet(): ErasureSet {
    return this.#context.topology.homeSet;
  }

  /** True while keys may lie elsewhere than where they are mapped. */
  get isMoving(): boolean {
    return this.#context.topology.isMoving;
  }

  /** Puts other sets and another mapping in place; waits for commits under way, milliseconds. The home set must stay among the sets. */
  changeTopology(next: TopologyState): Promise<void> {
    return changeTopology(this.#context, next);
  }

  /** Moves every key to where it is mapped. @throws ABORTED, and what sets throw that take no writes: begin again later */
  moveKeys(options?: ObjectUpkeepOptions<MoveProgress>): Promise<MoveReport> {
    return moveKeys(this.#context, options);
  }

  /** Makes another set the home. It holds commits up for as long as copying the records of all buckets takes. */
  moveHome(to: ErasureSet): Promise<void> {
    return moveHome(this.#context, to);
  }

  /** Writes the blobs of a set again that are to be coded or placed otherwise; `isMisplacedBlob` of the set room says which, for instance. */
  rewriteBlobs(set: ErasureSet, shouldRewrite: ShouldRewrite, options?: ObjectUpkeepOptions<RewriteProgress>): Promise<RewriteProgress> {
    return rewriteBlobs(this.#context, set, shouldRewrite, options);
  }

  /** How what hangs on an index key is to be coded, by its bucket: for writing packed payloads again. */
  get wantedProfile(): WantedProfile {
    return wantedProfile(this.#context);
  }

  /** Codes a bucket another way, also what is in it already. @throws BUCKET_NOT_FOUND, ARGUMENT_INVALID, ABORTED */
  reprotect(bucketName: string, erasure: ErasureProfile, options: ReprotectOptions): Promise<ReprotectProgress> {
    return reprotect(this.#context, bucketName, erasure, options);
  }

  /** Aborts uploads in which nothing has happened for long. */
  collectUploads(options: CollectUploadsOptions): Promise<CollectedUploads> {
    return collectUploads(this.#context, options);
  }

  /** True when a set has nothing of any bucket or object. */
  holdsNothing(set: ErasureSet): boolean {
    return holdsNothing(set);
  }
}
