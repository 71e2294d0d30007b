import { throwIfAborted } from "../base/errors.ts";
import { type Conditions, checkReadConditions, parseConditions } from "./conditions.ts";
import { locate, type ObjectContext } from "./context.ts";
import { findObject } from "./find-object.ts";
import { type ObjectInfo, objectInfo } from "./object-info.ts";
import { validateOptions } from "./validate.ts";
import { parseVersionId } from "./version-id.ts";

/** Options of a head. */
export interface HeadOptions extends Conditions {
  readonly versionId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is known of an object, without its body. */
export async function headObject(context: ObjectContext, bucketName: string, key: string, options: HeadOptions = {}): Promise<ObjectInfo> {
  validateOptions(options);
  throwIfAborted(options.signal);
  const conditions = parseConditions(options);
  const selector = parseVersionId(options.versionId);
  const address = locate(context, bucketName, key);
  const { record } = findObject(address.set, address, selector);
  checkReadConditions(conditions, record, key);
  return objectInfo(address, record);
}
