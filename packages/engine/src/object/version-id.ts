/**
 * Version ids: opaque to callers; inside, the order of the operation that made the version as 16 hexadecimal digits, so that a
 * version is found by its id with one lookup. "null" is the version made while versioning was off or suspended.
 */
import { HoldfastError } from "../base/errors.ts";

/** The id of the version that has none of its own. */
export const nullVersionId = "null";

/** What a version id names: an order, or the null version. */
export type VersionSelector = number | typeof nullVersionId;

/** The id of a version. */
export function versionIdOf(version: { readonly order: number; readonly isNull: boolean }): string {
  return version.isNull ? nullVersionId : version.order.toString(16).padStart(16, "0");
}

/** What `versionId` names; undefined passes through. @throws VERSION_ID_INVALID */
export function parseVersionId(versionId: string | undefined): VersionSelector | undefined {
  if (versionId === undefined || versionId === nullVersionId) return versionId;
  const order = typeof versionId === "string" && /^[0-9a-f]{16}$/.test(versionId) ? Number.parseInt(versionId, 16) : Number.NaN;
  if (!Number.isSafeInteger(order)) {
    throw new HoldfastError(
      "VERSION_ID_INVALID",
      `versionId ${JSON.stringify(versionId)} is no version id; use one from a put or a listing`,
      {
        details: { field: "versionId", value: versionId },
      },
    );
  }
  return order;
}
