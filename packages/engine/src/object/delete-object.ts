import { throwIfAborted } from "../base/errors.ts";
import type { SetTransaction } from "../set/erasure-set.ts";
import { commitOnKey } from "./commit-on-key.ts";
import { type Conditions, checkWriteConditions, type ParsedConditions, parseConditions } from "./conditions.ts";
import { type KeyAddress, locate, type ObjectContext } from "./context.ts";
import { markerRecord, recordKinds } from "./object-record.ts";
import { validateOptions } from "./validate.ts";
import { parseVersionId, type VersionSelector, versionIdOf } from "./version-id.ts";
import { currentVersion, installMarker, makesNullVersions, removeVersion, selectVersion } from "./versions.ts";

/** Options of a delete. */
export interface DeleteOptions extends Conditions {
  /** Removes this version for good, instead of putting a delete marker. */
  readonly versionId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a delete answers. Deleting what is not there succeeds. */
export interface DeleteResult {
  readonly key: string;
  /** The version removed, or the delete marker made; undefined where the bucket's versioning was never enabled. */
  readonly versionId: string | undefined;
  /** True when a delete marker was made, or removed. */
  readonly deleteMarker: boolean;
}

/** All that is known of a delete before its commit. */
export interface DeletePlan {
  readonly address: KeyAddress;
  readonly selector: VersionSelector | undefined;
  readonly versionId: string | undefined;
  readonly conditions: ParsedConditions | undefined;
}

/** Deletes an object, or one version of it. */
export async function deleteObject(
  context: ObjectContext,
  bucketName: string,
  key: string,
  options: DeleteOptions = {},
): Promise<DeleteResult> {
  validateOptions(options);
  throwIfAborted(options.signal);
  const plan = planDelete(context, bucketName, key, options);
  return commitOnKey(context, plan.address, { decide: (tx) => decideDelete(tx, plan) }, options.signal);
}

/** Validates a delete. @throws BUCKET_NOT_FOUND, KEY_INVALID, VERSION_ID_INVALID, ARGUMENT_INVALID */
export function planDelete(context: ObjectContext, bucketName: string, key: string, options: DeleteOptions): DeletePlan {
  const address = locate(context, bucketName, key);
  return { address, selector: parseVersionId(options.versionId), versionId: options.versionId, conditions: parseConditions(options) };
}

/** Decides on a delete, in the set's order. @throws PRECONDITION_FAILED, OBJECT_NOT_FOUND */
export function decideDelete(tx: SetTransaction, plan: DeletePlan): DeleteResult {
  return plan.selector === undefined ? deleteCurrent(tx, plan) : deleteVersion(tx, plan, plan.selector);
}

function deleteCurrent(tx: SetTransaction, plan: DeletePlan): DeleteResult {
  const { address } = plan;
  const current = currentVersion(tx, address);
  checkWriteConditions(plan.conditions, current?.record, address.key);
  if (address.bucket.record.versioning === "off") {
    if (current !== undefined) removeVersion(tx, address, current);
    return { key: address.key, versionId: undefined, deleteMarker: false };
  }
  const marker = markerRecord({ order: tx.order, isNull: makesNullVersions(address), modifiedMs: tx.timeMs });
  installMarker(tx, address, current, marker);
  return { key: address.key, versionId: versionIdOf(marker), deleteMarker: true };
}

function deleteVersion(tx: SetTransaction, plan: DeletePlan, selector: VersionSelector): DeleteResult {
  const { address, versionId } = plan;
  const version = selectVersion(tx, address, selector);
  checkWriteConditions(plan.conditions, version?.record, address.key);
  if (version !== undefined) removeVersion(tx, address, version);
  return { key: address.key, versionId, deleteMarker: version?.record.kind === recordKinds.marker };
}
