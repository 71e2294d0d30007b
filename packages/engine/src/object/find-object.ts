import { HoldfastError } from "../base/errors.ts";
import { type KeyAddress, objectNotFound } from "./context.ts";
import { recordKinds } from "./object-record.ts";
import { type VersionSelector, versionIdOf } from "./version-id.ts";
import { currentVersion, newestOlderVersion, type StoredVersion, selectVersion, type VersionReader } from "./versions.ts";

/** The version to read: the one named, or the current one. @throws OBJECT_NOT_FOUND, VERSION_NOT_FOUND, DELETE_MARKER */
export function findObject(reader: VersionReader, address: KeyAddress, selector: VersionSelector | undefined): StoredVersion {
  const version = selector === undefined ? currentVersion(reader, address) : selectVersion(reader, address, selector);
  if (version === undefined) throw selector === undefined ? notFound(reader, address) : versionNotFound(address, selector);
  if (version.record.kind !== recordKinds.marker) return version;
  throw new HoldfastError("DELETE_MARKER", `that version of ${JSON.stringify(address.key)} is a delete marker; it has no content`, {
    details: { key: address.key, versionId: versionIdOf(version.record), lastModified: new Date(version.record.modifiedMs) },
  });
}

/** The error for a version that is not there. */
function versionNotFound(address: KeyAddress, selector: VersionSelector): HoldfastError {
  const versionId = typeof selector === "number" ? versionIdOf({ order: selector, isNull: false }) : selector;
  return new HoldfastError("VERSION_NOT_FOUND", `there is no version ${versionId} of ${JSON.stringify(address.key)}`, {
    details: { bucket: address.bucket.name, key: address.key, versionId },
  });
}

/** The error for a missing object; its details say when a delete marker hides older versions. */
function notFound(reader: VersionReader, address: KeyAddress): HoldfastError {
  const marker = address.bucket.record.versioning === "off" ? undefined : newestOlderVersion(reader, address);
  return marker === undefined
    ? objectNotFound(address)
    : objectNotFound(address, { deleteMarker: true, versionId: versionIdOf(marker.record) });
}
