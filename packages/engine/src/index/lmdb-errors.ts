import type { ErrorCode } from "../base/errors.ts";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";

/** LMDB's own codes and the platform's, as the package puts them into `error.code`. */
const codes: Readonly<Record<string, ErrorCode>> = {
  "-30792": "DRIVE_FULL", // MDB_MAP_FULL
  "28": "DRIVE_FULL", // ENOSPC
  "122": "DRIVE_FULL", // EDQUOT
  ENOSPC: "DRIVE_FULL",
  "13": "DRIVE_UNREADABLE", // EACCES
  "2": "DRIVE_UNREADABLE", // ENOENT
  "20": "DRIVE_UNREADABLE", // ENOTDIR
  "21": "DRIVE_UNREADABLE", // EISDIR
  "30": "DRIVE_UNWRITABLE", // EROFS
  EACCES: "DRIVE_UNREADABLE",
  ENOTDIR: "DRIVE_UNREADABLE",
  EISDIR: "DRIVE_UNREADABLE",
  EROFS: "DRIVE_UNWRITABLE",
  "-30797": "INDEX_DAMAGED", // MDB_PAGE_NOTFOUND
  "-30796": "INDEX_DAMAGED", // MDB_CORRUPTED
  "-30795": "INDEX_DAMAGED", // MDB_PANIC
  "-30794": "INDEX_DAMAGED", // MDB_VERSION_MISMATCH
  "-30793": "INDEX_DAMAGED", // MDB_INVALID
};

/** What went wrong in LMDB, as an error of ours; what is unknown counts as a failing drive. */
export function toIndexError(error: unknown, path: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  const reason = error as { readonly code?: unknown; readonly message?: unknown };
  const code = codes[String(reason.code)] ?? "DRIVE_IO_ERROR";
  const remedy = code === "INDEX_DAMAGED" ? "; remove the file, it is rebuilt from the packs" : "";
  return new HoldfastError(code, `the index ${path} failed: ${String(reason.message)}${remedy}`, { details: { path }, cause: error });
}
